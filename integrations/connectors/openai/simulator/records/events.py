"""What the audit log keeps. Pure."""

from dataclasses import dataclass

from integrations.connectors.openai.simulator.records.shown import Json


@dataclass(frozen=True)
class Actor:
    """A member, in the console or, where `key_id` names one, by means of an admin key."""

    user_id: str
    email: str | None
    key_id: str | None = None

    def shown(self) -> Json:
        user = {"id": self.user_id, "email": self.email or ""}
        if self.key_id is None:
            return {"type": "session", "session": {"user": user, "ip_address": "203.0.113.7"}}
        return {"type": "api_key", "api_key": {"id": self.key_id, "type": "user", "user": user}}


@dataclass
class Event:
    """`actor` and `project` as they were then, whatever became of them since."""

    id: str
    type: str
    effective_at: int
    actor: Json
    project: Json | None
    details: Json

    @property
    def is_of_tenant(self) -> bool:
        return self.type.startswith("tenant.")

    @property
    def resource_ids(self) -> set[str]:
        return {str(self.details[name]) for name in ("id", "resource_id") if name in self.details}

    @property
    def actor_ids(self) -> set[str]:
        key = self.actor.get("api_key") or {}
        return {self._user["id"]} | ({key["id"]} if key else set())

    @property
    def actor_email(self) -> str:
        return str(self._user["email"]).casefold()

    @property
    def _user(self) -> Json:
        by: Json = self.actor[self.actor["type"]]["user"]
        return by

    def shown(self) -> Json:
        scope = {} if self.project is None else {"project": self.project}
        return {
            "id": self.id,
            "type": self.type,
            "effective_at": self.effective_at,
            **scope,
            "actor": self.actor,
            self.type: self.details,
        }
