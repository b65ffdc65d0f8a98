"""Projects, and the people and groups that are in them. Pure."""

from dataclasses import dataclass, field

from integrations.connectors.openai.simulator.records.people import Group, User
from integrations.connectors.openai.simulator.records.shown import Json


@dataclass
class Project:
    id: str
    name: str
    created_at: int
    archived_at: int | None = None
    external_key_id: str | None = None
    residency: str = "GLOBAL"
    is_default: bool = False  # OpenAI never shows which one it is, nor do we

    def shown(self) -> Json:
        return {
            "object": "organization.project",
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "archived_at": self.archived_at,
            "status": "active" if self.archived_at is None else "archived",
            "external_key_id": self.external_key_id,
            "residency": self.residency,
        }


@dataclass
class Membership:
    """A member in a project, with one role by name and any further ones by id."""

    project_id: str
    user_id: str
    role: str
    added_at: int
    role_ids: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.project_id}/{self.user_id}"

    def shown(self, user: User) -> Json:
        return {
            "object": "organization.project.user",
            "id": user.id,
            "name": user.name,
            "email": user.email,
            "role": self.role,
            "added_at": self.added_at,
        }


@dataclass
class ProjectGroup:
    """A group that was let into a project."""

    project_id: str
    group_id: str
    created_at: int
    role_ids: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.project_id}/{self.group_id}"

    def shown(self, group: Group) -> Json:
        """Without its roles: OpenAI tells those elsewhere."""
        return {
            "object": "project.group",
            "project_id": self.project_id,
            "group_id": self.group_id,
            "group_name": group.name,
            "group_type": "group",
            "created_at": self.created_at,
        }
