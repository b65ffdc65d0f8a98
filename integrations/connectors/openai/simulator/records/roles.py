"""Roles, and how they are shown where somebody holds them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from integrations.connectors.openai.simulator.records.shown import Json


@dataclass
class Role:
    """Of the organization or, where `project_id` says so, of one project."""

    id: str
    name: str
    permissions: list[str]
    created_at: int
    description: str | None = None
    predefined_role: bool = False
    project_id: str | None = None
    updated_at: int | None = None

    @property
    def resource_type(self) -> str:
        return "api.organization" if self.project_id is None else "api.project"

    def shown(self) -> Json:
        return {
            "object": "role",
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "permissions": self.permissions,
            "resource_type": self.resource_type,
            "predefined_role": self.predefined_role,
        }


@dataclass(frozen=True)
class Held:
    """A role as somebody holds it. `sources`: ids and types of those whom it comes from."""

    role: Role
    sources: Sequence[tuple[str, str]] = ()

    @property
    def id(self) -> str:
        return self.role.id

    def shown(self) -> Json:
        facts = {key: value for key, value in self.role.shown().items() if key != "object"}
        return {
            **facts,
            "created_at": self.role.created_at,
            "updated_at": self.role.updated_at,
            "created_by": None,
            "created_by_user_obj": None,
            "metadata": {},
            "assignment_sources": [
                {"principal_id": principal_id, "principal_type": kind} for principal_id, kind in self.sources
            ],
        }
