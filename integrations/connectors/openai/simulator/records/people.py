"""People, their groups, and those invited. Pure."""

from dataclasses import dataclass, field

from integrations.connectors.openai.simulator.records.shown import Json


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
class Group:
    id: str
    name: str
    created_at: int
    is_scim_managed: bool = False
    user_ids: list[str] = field(default_factory=list)
    role_ids: list[str] = field(default_factory=list)

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

    def shown_with_role(self) -> Json:
        """Beside a role that it was given, a group has another shape."""
        return {
            "object": "group",
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "scim_managed": self.is_scim_managed,
        }
