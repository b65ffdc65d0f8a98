"""Keys, and the accounts of machines that hold some. Pure."""

from dataclasses import dataclass, field

from integrations.connectors.openai.simulator.permissions import READ_ALL
from integrations.connectors.openai.simulator.records.people import User
from integrations.connectors.openai.simulator.records.shown import Json


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
    expires_at: int | None = None
    scopes: list[str] = field(default_factory=list)  # OpenAI never shows them; none is no restriction

    @property
    def tracking_id(self) -> str:
        return _tracking_id(self.id)

    def shown(self, owner: Json, *, has_access: bool) -> Json:
        return {
            "object": "organization.project.api_key",
            "id": self.id,
            "name": self.name,
            "redacted_value": redacted(self.value),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "last_used_at": self.last_used_at,
            "owner_project_access": "active" if has_access else "inactive",
            "owner": {"type": self.owner_type, self.owner_type: owner},
        }

    def shown_with_value(self) -> Json:
        """The only answer that tells the secret."""
        return {
            "object": "organization.project.service_account.api_key",
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "value": self.value,
        }

    def shown_as_admin_key(self, owner: Json) -> Json:
        """What the list of admin keys has shown by mistake."""
        return {
            "object": "organization.admin_api_key",
            "id": self.id,
            "name": self.name,
            "redacted_value": redacted(self.value),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "last_used_at": self.last_used_at,
            "owner": {
                "type": self.owner_type,
                "object": f"organization.{self.owner_type}",
                **{name: owner[name] for name in ("id", "name", "created_at", "role")},
            },
        }


@dataclass
class AdminKey:
    """`scopes`: what a restricted key may do; None is everything. OpenAI shows neither."""

    id: str
    name: str
    value: str
    created_at: int
    owner_id: str
    expires_at: int | None = None
    last_used_at: int | None = None
    read_only: bool = False
    scopes: list[str] | None = None

    @property
    def granted(self) -> list[str] | None:
        return [READ_ALL] if self.read_only else self.scopes

    @property
    def tracking_id(self) -> str:
        return _tracking_id(self.id)

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


def redacted(value: str) -> str:
    return f"{value[:9]}...{value[-4:]}"


def _tracking_id(key_id: str) -> str:
    """What the audit log calls a key. Whether it is the key's own id, OpenAI does not say."""
    return key_id.replace("key_", "track_")
