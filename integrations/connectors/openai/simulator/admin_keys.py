"""The admin keys of a simulated organization: who may do what with which."""

import secrets

from integrations.connectors.openai.simulator.behaviour import Behaviour
from integrations.connectors.openai.simulator.members import Members
from integrations.connectors.openai.simulator.permissions import missing_scope
from integrations.connectors.openai.simulator.records import Actor, AdminKey
from integrations.connectors.openai.simulator.refusals import KeyRejected, NotFound, NotPermitted, Refused

LONGEST_LIFE = 31_536_000


class AdminKeys(Members):
    """Secrets are made here, at run time: no key of the simulator stands in any source file."""

    def authenticate(self, secret: str | None, *, scope: str) -> AdminKey:
        """The key, where it may do what needs this scope."""
        if not secret:
            raise KeyRejected(
                "You didn't provide an API key. Provide it in an Authorization header using Bearer auth.",
                code="invalid_api_key",
            )
        if any(key.value == secret for key in self.project_keys.values()):
            raise KeyRejected(
                "You have insufficient permissions for this operation. Missing scopes: api.management.read. "
                "A project key cannot manage the organization; use an admin key."
            )
        key = self._living_admin_key(secret)
        if key is None:
            raise KeyRejected(f"Incorrect API key provided: {secret[:9]}***.", code="invalid_api_key")
        if missing := missing_scope(key.granted, scope):
            refusal = KeyRejected if self.behaviour.missing_scope_status == 401 else NotPermitted
            raise refusal(f"You have insufficient permissions for this operation. Missing scopes: {missing}.")
        key.last_used_at = self.now
        return key

    def _living_admin_key(self, secret: str) -> AdminKey | None:
        outlives = self.behaviour.keys_of_lost_owners == "working"
        for key in self.admin_keys.values():
            expired = key.expires_at is not None and key.expires_at <= self.now
            owner = self.users.get(key.owner_id)
            owned = owner is not None and owner.is_owner
            if key.value == secret and not expired and (owned or outlives):
                return key
        return None

    def actor_of(self, key: AdminKey) -> Actor:
        """As the audit log has it."""
        owner = self.present_or_departed(key.owner_id)
        return Actor(owner.id, owner.email, key.tracking_id)

    def admin_key_record(self, key_id: str) -> AdminKey:
        if key_id not in self.admin_keys:
            raise NotFound(f"No admin API key found with id '{key_id}'.", param="key_id")
        return self.admin_keys[key_id]

    def owner_of(self, secret: str) -> str:
        return next(key.owner_id for key in self.admin_keys.values() if key.value == secret)

    def create_admin_key(
        self,
        name: str,
        owner_id: str,
        *,
        life: int | None = None,
        read_only: bool = False,
        scopes: list[str] | None = None,
    ) -> AdminKey:
        """`scopes` restrict it, as the dashboard can; over the API every new key may do everything."""
        key = AdminKey(
            id=self.new_id("key_"),
            name=name,
            value=f"sk-admin-{secrets.token_urlsafe(48)}",
            created_at=self.now,
            owner_id=owner_id,
            expires_at=None if life is None else self.now + checked_life(life),
            read_only=read_only,
            scopes=scopes,
        )
        self.admin_keys[key.id] = key
        self.tell("tenant.admin_api_key.created", key.tracking_id, name=name)
        self.changed()
        return key

    def delete_admin_key(self, key_id: str) -> None:
        key = self.admin_key_record(key_id)
        check_deletion(self.behaviour)
        del self.admin_keys[key.id]
        self.tell("tenant.admin_api_key.deleted", key.tracking_id)
        self.changed()


def checked_life(seconds: int) -> int:
    if not 1 <= seconds <= LONGEST_LIFE:
        raise Refused(
            f"'expires_in_seconds' must be between 1 and {LONGEST_LIFE}.", param="expires_in_seconds"
        )
    return seconds


def check_deletion(behaviour: Behaviour) -> None:
    """How an organization says that it forbids the deletion of keys is not known; both ways are tried."""
    if behaviour.key_deletion_refused is not None:
        refusal = Refused if behaviour.key_deletion_refused == 400 else NotPermitted
        raise refusal("Your organization does not allow API keys to be deleted. Ask an owner to change that.")
