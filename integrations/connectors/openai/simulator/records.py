"""What a simulated organization holds, and how OpenAI shows each of them. Pure."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class User:
    id: str
    email: str | None
    name: str | None
    role: str | None
    added_at: int
    is_default: bool = False
    is_scim_managed: bool = False
    is_service_account: bool = False
    technical_level: str | None = None
    developer_persona: str | None = None
    role_ids: list[str] = field(default_factory=list)

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"

    def shown(self) -> Json:
        return {
            "object": "organization.user",
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "role": self.role,
            "added_at": self.added_at,
            "created": self.added_at,
            "is_default": self.is_default,
            "is_service_account": self.is_service_account,
            "is_scim_managed": self.is_scim_managed,
            "api_key_last_used_at": None,
            "technical_level": self.technical_level,
            "developer_persona": self.developer_persona,
            "user": {
                "object": "user",
                "id": self.id,
                "email": self.email,
                "name": self.name,
                "picture": None,
                "enabled": True,
                "banned": False,
                "banned_at": None,
            },
        }

    def shown_in_group(self) -> Json:
        return {"id": self.id, "name": self.name or "", "email": self.email}

    def shown_alone_in_group(self) -> Json:
        return {
            **self.shown_in_group(),
            "picture": None,
            "is_service_account": self.is_service_account,
            "user_type": "user",
        }


@dataclass
class Invite:
    id: str
    email: str
    role: str
    projects: dict[str, str]
    created_at: int
    expires_at: int | None
    accepted_at: int | None = None

    def status(self, now: int) -> str:
        if self.accepted_at is not None:
            return "accepted"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "pending"

    def shown(self, now: int) -> Json:
        return {
            "object": "organization.invite",
            "id": self.id,
            "email": self.email,
            "role": self.role,
            "status": self.status(now),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "accepted_at": self.accepted_at,
            "projects": [{"id": project, "role": role} for project, role in self.projects.items()],
        }


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
    project_id: str
    user_id: str
    role: str
    added_at: int

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
class ServiceAccount:
    id: str
    project_id: str
    name: str
    role: str
    created_at: int

    def shown(self) -> Json:
        return {
            "object": "organization.project.service_account",
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "created_at": self.created_at,
        }


@dataclass
class ProjectKey:
    """A key of a person or, where `owner_type` says so, of a service account."""

    id: str
    project_id: str
    name: str
    value: str
    created_at: int
    owner_id: str
    owner_type: str = "user"
    last_used_at: int | None = None

    def shown(self, owner: Json, *, has_access: bool) -> Json:
        return {
            "object": "organization.project.api_key",
            "id": self.id,
            "name": self.name,
            "redacted_value": redacted(self.value),
            "created_at": self.created_at,
            "last_used_at": self.last_used_at,
            "owner_project_access": "active" if has_access else "inactive",
            "owner": {"type": self.owner_type, self.owner_type: owner},
        }


@dataclass
class AdminKey:
    id: str
    name: str
    value: str
    created_at: int
    owner_id: str
    expires_at: int | None = None
    last_used_at: int | None = None
    read_only: bool = False

    def shown(self, owner: User) -> Json:
        return {
            "object": "organization.admin_api_key",
            "id": self.id,
            "name": self.name,
            "redacted_value": redacted(self.value),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "last_used_at": self.last_used_at,
            "owner": {
                "type": "user",
                "object": "organization.user",
                "id": owner.id,
                "name": owner.name or "",
                "created_at": owner.added_at,
                "role": owner.role or "",
            },
        }


@dataclass
class Group:
    id: str
    name: str
    created_at: int
    is_scim_managed: bool = False
    user_ids: list[str] = field(default_factory=list)

    def shown(self) -> Json:
        return {**self.shown_renamed(), "group_type": "group"}

    def shown_renamed(self) -> Json:
        """The answer to a change of name lacks the type."""
        return {
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "is_scim_managed": self.is_scim_managed,
        }


@dataclass
class Role:
    id: str
    name: str
    permissions: list[str]
    created_at: int
    description: str | None = None
    predefined_role: bool = False

    def shown(self) -> Json:
        return {
            "object": "role",
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "permissions": self.permissions,
            "resource_type": "api.organization",
            "predefined_role": self.predefined_role,
        }

    def shown_assigned(self) -> Json:
        facts = {key: value for key, value in self.shown().items() if key != "object"}
        return {
            **facts,
            "created_at": self.created_at,
            "updated_at": None,
            "created_by": None,
            "created_by_user_obj": None,
            "metadata": {},
            "assignment_sources": [],
        }


def redacted(value: str) -> str:
    return f"{value[:9]}...{value[-4:]}"
