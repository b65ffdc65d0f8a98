"""The keys of a simulated organization: who may do what with which, and their lists."""

import secrets

from integrations.connectors.openai.simulator.holdings import Holdings
from integrations.connectors.openai.simulator.records import AdminKey, Json, ProjectKey, ServiceAccount
from integrations.connectors.openai.simulator.refusals import KeyRejected, NotFound, NotPermitted, Refused

LONGEST_LIFE = 31_536_000


class Keys(Holdings):
    """Secrets are made here, at run time: no key of the simulator stands in any source file."""

    def authenticate(self, secret: str | None, *, writes: bool) -> None:
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
        if writes and key.read_only:
            raise NotPermitted(
                "You have insufficient permissions for this operation. Missing scopes: api.management.write."
            )
        key.last_used_at = self.now

    def _living_admin_key(self, secret: str) -> AdminKey | None:
        for key in self.admin_keys.values():
            expired = key.expires_at is not None and key.expires_at <= self.now
            if key.value == secret and not expired and self.users[key.owner_id].is_owner:
                return key
        return None

    def admin_key_record(self, key_id: str) -> AdminKey:
        if key_id not in self.admin_keys:
            raise NotFound(f"No admin API key found with id '{key_id}'.")
        return self.admin_keys[key_id]

    def owner_of(self, secret: str) -> str:
        return next(key.owner_id for key in self.admin_keys.values() if key.value == secret)

    def create_admin_key(
        self, name: str, owner_id: str, *, life: int | None = None, read_only: bool = False
    ) -> AdminKey:
        if life is not None and not 1 <= life <= LONGEST_LIFE:
            raise Refused(
                f"'expires_in_seconds' must be between 1 and {LONGEST_LIFE}.", param="expires_in_seconds"
            )
        key = AdminKey(
            id=self.new_id("key_"),
            name=name,
            value=f"sk-admin-{secrets.token_urlsafe(48)}",
            created_at=self.now,
            owner_id=owner_id,
            expires_at=None if life is None else self.now + life,
            read_only=read_only,
        )
        self.admin_keys[key.id] = key
        self.changed()
        return key

    def delete_admin_key(self, key_id: str) -> None:
        del self.admin_keys[self.admin_key_record(key_id).id]
        self.changed()

    def add_project_key(self, project_id: str, owner_id: str, name: str = "Secret key") -> ProjectKey:
        """People make these in the dashboard; OpenAI's API has no call for it."""
        is_service = owner_id in self.service_accounts
        key = ProjectKey(
            id=self.new_id("key_"),
            project_id=project_id,
            name=name,
            value=f"sk-{'svcacct' if is_service else 'proj'}-{secrets.token_urlsafe(48)}",
            created_at=self.now,
            owner_id=owner_id,
            owner_type="service_account" if is_service else "user",
        )
        self.project_keys[key.id] = key
        self.changed()
        return key

    def keys_of_project(self, project_id: str) -> list[ProjectKey]:
        return [key for key in self.project_keys.values() if key.project_id == project_id]

    def project_key_record(self, project_id: str, key_id: str) -> ProjectKey:
        key = self.project_keys.get(key_id)
        if key is None or key.project_id != project_id:
            raise NotFound(f"No API key found with id '{key_id}' in project '{project_id}'.")
        return key

    def delete_project_key(self, project_id: str, key_id: str) -> None:
        del self.project_keys[self.project_key_record(project_id, key_id).id]
        self.changed()

    def show_project_key(self, key: ProjectKey) -> Json:
        return key.shown(self._show_key_owner(key), has_access=self.key_owner_has_access(key))

    def _show_key_owner(self, key: ProjectKey) -> Json:
        if key.owner_type == "service_account":
            account = self.service_accounts[key.owner_id]
            return {name: value for name, value in account.shown().items() if name != "object"}
        owner = self.users.get(key.owner_id) or self.departed[key.owner_id]
        held = self.memberships.get(f"{key.project_id}/{owner.id}")
        return {
            "id": owner.id,
            "email": owner.email or "",
            "name": owner.name or "",
            "created_at": owner.added_at,
            "role": held.role if held else "owner" if owner.is_owner else "member",
        }

    def key_owner_has_access(self, key: ProjectKey) -> bool:
        if key.owner_type == "service_account":
            return True
        owner = self.users.get(key.owner_id)
        return owner is not None and (owner.is_owner or f"{key.project_id}/{owner.id}" in self.memberships)

    def service_accounts_of(self, project_id: str) -> list[ServiceAccount]:
        return [account for account in self.service_accounts.values() if account.project_id == project_id]

    def service_account(self, project_id: str, account_id: str) -> ServiceAccount:
        account = self.service_accounts.get(account_id)
        if account is None or account.project_id != project_id:
            raise NotFound(f"No service account found with id '{account_id}' in project '{project_id}'.")
        return account

    def add_service_account(self, project_id: str, name: str, role: str = "member") -> ServiceAccount:
        account = ServiceAccount(self.new_id("svc_acct_"), project_id, name, role, self.now)
        self.service_accounts[account.id] = account
        self.changed()
        return account

    def delete_service_account(self, project_id: str, account_id: str) -> None:
        """Takes its keys with it."""
        del self.service_accounts[self.service_account(project_id, account_id).id]
        self.project_keys = {i: key for i, key in self.project_keys.items() if key.owner_id != account_id}
        self.changed()
