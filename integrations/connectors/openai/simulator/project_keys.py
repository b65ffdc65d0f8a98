"""The keys of a simulated organization's projects, and the service accounts that hold some of them."""

import secrets

from integrations.connectors.openai.simulator.admin_keys import check_deletion, checked_life
from integrations.connectors.openai.simulator.groups import Groups
from integrations.connectors.openai.simulator.records import Json, ProjectKey, ServiceAccount
from integrations.connectors.openai.simulator.refusals import NotFound, Refused


class ProjectKeys(Groups):
    def add_project_key(
        self,
        project_id: str,
        owner_id: str,
        name: str = "Secret key",
        *,
        life: int | None = None,
        scopes: list[str] | None = None,
    ) -> ProjectKey:
        """People make these in the dashboard; OpenAI's API has a call for service accounts alone."""
        is_service = owner_id in self.service_accounts
        key = ProjectKey(
            id=self.new_id("key_"),
            project_id=project_id,
            name=name,
            value=f"sk-{'svcacct' if is_service else 'proj'}-{secrets.token_urlsafe(48)}",
            created_at=self.now,
            owner_id=owner_id,
            owner_type="service_account" if is_service else "user",
            expires_at=None if life is None else self.now + checked_life(life),
            scopes=scopes or [],
        )
        self.project_keys[key.id] = key
        self.tell("api_key.created", key.tracking_id, project_id=project_id, data={"scopes": key.scopes})
        self.changed()
        return key

    def keys_of_project(self, project_id: str, access: str | None = "any") -> list[ProjectKey]:
        """By whether their owner has access; None is the older way, which asks who was added by name."""
        return [
            key
            for key in self.project_keys.values()
            if key.project_id == project_id and self._is_visible(key, access)
        ]

    def _is_visible(self, key: ProjectKey, access: str | None) -> bool:
        if access == "any":
            return True
        if access is None:
            return self._owner_is_member(key)
        return self.key_owner_has_access(key) == (access == "active")

    def project_key_record(self, project_id: str, key_id: str) -> ProjectKey:
        key = self.project_keys.get(key_id)
        if key is None or key.project_id != project_id:
            raise NotFound(f"No API key found with id '{key_id}' in project '{project_id}'.", param="key_id")
        return key

    def change_project_key(
        self, project_id: str, key_id: str, scopes: list[str] | None, life: int | None
    ) -> ProjectKey:
        key = self.project_key_record(project_id, key_id)
        if key.expires_at is not None and key.expires_at <= self.now:
            raise Refused("This API key has expired and cannot be updated.", param="key_id")
        changes: Json = {}
        if life is not None:
            key.expires_at = self.now + checked_life(life)
            changes["expires_in_seconds"] = life
        if scopes is not None:
            key.scopes = changes["scopes"] = scopes
        self.tell("api_key.updated", key.tracking_id, project_id=project_id, changes_requested=changes)
        self.changed()
        return key

    def delete_project_key(self, project_id: str, key_id: str) -> None:
        key = self.project_key_record(project_id, key_id)
        check_deletion(self.behaviour)
        if key.owner_type == "service_account" and not self.behaviour.service_account_keys_deletable:
            raise Refused("API keys owned by a service account cannot be deleted; delete the account.")
        del self.project_keys[key.id]
        self.tell("api_key.deleted", key.tracking_id, project_id=project_id)
        self.changed()

    def show_project_key(self, key: ProjectKey) -> Json:
        return key.shown(self.show_key_owner(key), has_access=self.key_owner_has_access(key))

    def show_key_owner(self, key: ProjectKey) -> Json:
        if key.owner_type == "service_account":
            account = self.service_accounts[key.owner_id]
            return {name: value for name, value in account.shown().items() if name != "object"}
        owner = self.present_or_departed(key.owner_id)
        held = self.memberships.get(f"{key.project_id}/{owner.id}")
        return {
            "id": owner.id,
            "email": owner.email or "",
            "name": owner.name or "",
            "created_at": owner.added_at,
            "role": held.role if held else "owner" if owner.is_owner else "member",
        }

    def key_owner_has_access(self, key: ProjectKey) -> bool:
        return self._owner_is_member(key) or self.has_project_through_group(key.project_id, key.owner_id)

    def _owner_is_member(self, key: ProjectKey) -> bool:
        """A service account without a role has been taken out of its project, and exists on."""
        if key.owner_type == "service_account":
            return self.service_accounts[key.owner_id].role != "none"
        owner = self.users.get(key.owner_id)
        return owner is not None and (owner.is_owner or f"{key.project_id}/{owner.id}" in self.memberships)

    # Service accounts

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
        self.tell("service_account.created", account.id, project_id=project_id, data={"role": role})
        self.changed()
        return account

    def change_service_account(
        self, project_id: str, account_id: str, name: str | None, role: str | None
    ) -> ServiceAccount:
        account = self.service_account(project_id, account_id)
        account.name = account.name if name is None else name
        account.role = account.role if role is None else role
        self.tell(
            "service_account.updated",
            account.id,
            project_id=project_id,
            changes_requested={} if role is None else {"role": role},
        )
        self.changed()
        return account

    def delete_service_account(self, project_id: str, account_id: str) -> None:
        """Takes its keys with it."""
        del self.service_accounts[self.service_account(project_id, account_id).id]
        self.project_keys = {i: key for i, key in self.project_keys.items() if key.owner_id != account_id}
        self.tell("service_account.deleted", account_id, project_id=project_id)
        self.changed()
