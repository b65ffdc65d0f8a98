"""Looking at the remote again: one subject at a time, or everything at once where that costs fewer calls."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock

from directory.emails import email_key
from integrations.connectors.base import Account, AccountState, Connector, Entitlement, Grant
from provisioning.actions import Kind
from provisioning.models import Action


@dataclass
class Sight:
    """A fresh view of the remote, for one round of questions. `whole`: read the listings, once.

    Several may ask at once: what is read for one of them is not read again for another.
    """

    connector: Connector
    whole: bool
    _accounts: Mapping[str, Account] | None = None
    _entitlements: dict[str, Collection[Entitlement]] = field(default_factory=dict)
    _grants: dict[tuple[str, str], Mapping[str, Collection[Grant]]] = field(default_factory=dict)
    _reading: Lock = field(default_factory=Lock)

    def account(self, account_id: str, state: AccountState) -> Account | None:
        if self.whole:
            return self._listed().get(account_id)
        return self.connector.fetch_account(account_id, state)

    def account_of(self, *emails: str) -> Account | None:
        """Whoever has one of the addresses now, member or invite. Only the listings can tell."""
        wanted = {email_key(email) for email in emails}
        for account in self._listed().values():
            if account.email and email_key(account.email) in wanted:
                return account
        return None

    def grant(self, account_id: str, entitlement: Entitlement) -> Grant | None:
        if not self.whole or entitlement.kind in self.connector.vocabulary.unlisted:
            return self.connector.fetch_grant(account_id, entitlement.kind, entitlement.id)
        key = (entitlement.kind, entitlement.id)
        with self._reading:
            if key not in self._grants:
                self._grants[key] = self.connector.fetch_grants([entitlement], members=())
        return next(iter(self._grants[key].get(account_id, ())), None)

    def entitlements_named(self, kind: str, name: str) -> list[Entitlement]:
        with self._reading:
            if kind not in self._entitlements:
                self._entitlements[kind] = self.connector.fetch_entitlements([kind])
        return [one for one in self._entitlements[kind] if one.name.casefold() == name.casefold()]

    def _listed(self) -> Mapping[str, Account]:
        with self._reading:
            if self._accounts is None:
                listed = self.connector.fetch_accounts()
                self._accounts = {one.id: one for account in listed for one in (account, *account.lapsed)}
            return self._accounts


def entitlement_of(row: Action) -> Entitlement:
    if row.entitlement is None:
        raise ValueError(f"{row.kind} names no entitlement.")
    return Entitlement(row.entitlement["kind"], row.entitlement["id"], row.entitlement["name"])


def shows_effect(row: Action, sight: Sight) -> bool:
    """Whether the remote now is as the action wanted it. Notes the id of a found invite, or of what was
    made."""
    account_id = row.account_id or ""
    match row.kind:
        case Kind.INVITE:
            return _invited(row, sight)
        case Kind.WITHDRAW_INVITE:
            return sight.account(account_id, AccountState.INVITED) is None and not _joined(row, sight)
        case Kind.REMOVE:
            return sight.account(account_id, AccountState.ACTIVE) is None
        case Kind.CHANGE_ROLE:
            member = sight.account(account_id, AccountState.ACTIVE)
            return member is not None and member.role == row.role
        case Kind.GRANT | Kind.CHANGE_GRANT:
            return _held_as_wanted(row, sight)
        case Kind.REVOKE:
            return not _held(row, sight)
        case Kind.REVOKE_KEY:
            return sight.connector.fetch_key(entitlement_of(row).id) is None
        case Kind.CREATE:
            return _made(row, sight)
        case _:
            raise ValueError(f"{row.kind} changes nothing that could be seen.")


def _held_as_wanted(row: Action, sight: Sight) -> bool:
    if row.holder:
        return _held(row, sight)
    held = sight.grant(row.account_id or "", entitlement_of(row))
    return held is not None and held.role == row.role


def _held(row: Action, sight: Sight) -> bool:
    if row.holder:
        return sight.connector.group_holds(row.holder["id"], entitlement_of(row))
    return sight.grant(row.account_id or "", entitlement_of(row)) is not None


def _joined(row: Action, sight: Sight) -> bool:
    """An accepted invite is gone like a withdrawn one. Asked only where no reply told which it is."""
    if row.state != Action.State.STARTED:
        return False
    found = sight.account_of(row.email)
    return found is not None and found.state is AccountState.ACTIVE


def _invited(row: Action, sight: Sight) -> bool:
    if row.new_account_id and sight.account(row.new_account_id, AccountState.INVITED):
        return True
    found = sight.account_of(row.email)
    if found is None or found.state is AccountState.EXPIRED:
        return False
    if not row.new_account_id and found.role != row.role:
        return False  # somebody else's invite: the reply to ours was lost, and so was ours
    row.new_account_id = found.id
    return True


def _made(row: Action, sight: Sight) -> bool:
    """Just before the call there was none of that name, so that the one which is there now is ours."""
    wanted = entitlement_of(row)
    ids = [one.id for one in sight.entitlements_named(wanted.kind, wanted.name)]
    if row.new_account_id:
        return row.new_account_id in ids
    if len(ids) == 1:
        row.new_account_id = ids[0]
    return len(ids) == 1
