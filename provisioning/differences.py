"""What is different between two complete reads, but for what Cakewalk did itself in between. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from directory.emails import email_key
from integrations.connectors.base import Account, AccountState, Grant

SHOWN = 200
"""So many are kept with the job that saw them; how many there were is always kept."""


class Change(StrEnum):
    APPEARED = "appeared"
    ACCEPTED = "accepted"
    LAPSED = "lapsed"
    VANISHED = "vanished"
    ROLE = "role"
    GRANTS = "grants"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Known:
    """An account as it was last seen or left."""

    id: str
    email: str
    state: str
    role: str
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True)
class Difference:
    change: Change
    account_id: str
    email: str
    before: str
    after: str

    def as_json(self) -> dict[str, str]:
        return {
            "change": str(self.change),
            "account_id": self.account_id,
            "email": self.email,
            "before": self.before,
            "after": self.after,
        }


Key = tuple[str, str]


def differences(
    known: Collection[Known],
    seen: Sequence[Account],
    *,
    comparable: Collection[Key],
    names: Mapping[Key, str],
) -> list[Difference]:
    """`comparable`: entitlements whose holders both reads have asked for. What is in both lists and the same
    may be left out of both.
    """
    before = {account.id: account for account in known}
    now = {account.id for account in seen}
    gone = [account for account in known if account.id not in now]
    invited = {
        email_key(account.email): account
        for account in gone
        if account.email and account.state != AccountState.ACTIVE
    }
    found: list[Difference] = []
    accepted: set[str] = set()
    for account in seen:
        if account.id in before:
            found += _changed(before[account.id], account, comparable, names)
            continue
        invite = invited.get(email_key(account.email)) if account.email else None
        if invite and account.state is AccountState.ACTIVE:
            accepted.add(invite.id)
        found.append(_came(account, invite))
    found += [_went(account) for account in gone if account.id not in accepted]
    return sorted(found, key=lambda one: (one.email, one.account_id, one.change))


def _came(account: Account, invite: Known | None) -> Difference:
    was_invited = invite is not None and account.state is AccountState.ACTIVE
    change = Change.ACCEPTED if was_invited else Change.APPEARED
    before = f"invited, {invite.role}" if was_invited and invite else ""
    after = f"{account.state}, {account.role or 'no role'}"
    return Difference(change, account.id, account.email or "", before, after)


def _went(account: Known) -> Difference:
    return Difference(
        Change.VANISHED, account.id, account.email, f"{account.state}, {account.role or 'no role'}", ""
    )


def _changed(
    was: Known, account: Account, comparable: Collection[Key], names: Mapping[Key, str]
) -> Iterable[Difference]:
    email = account.email or was.email

    def difference(change: Change, before: str, after: str) -> Difference:
        return Difference(change, account.id, email, before, after)

    if (account.role or "") != was.role:
        yield difference(Change.ROLE, was.role, account.role or "")
    if account.email and was.email and email_key(account.email) != email_key(was.email):
        yield difference(Change.ADDRESS, was.email, account.email)
    if account.state is AccountState.EXPIRED and was.state == AccountState.INVITED:
        yield difference(Change.LAPSED, was.state, str(account.state))
    if account.state is AccountState.ACTIVE:
        had, has = (_comparable(grants, comparable) for grants in (was.grants, account.grants))
        if had != has:
            yield difference(Change.GRANTS, _told(had - has, names), _told(has - had, names))


def _comparable(grants: Iterable[Grant], keys: Collection[Key]) -> frozenset[Grant]:
    return frozenset(grant for grant in grants if (grant.kind, grant.id) in keys)


def _told(grants: Iterable[Grant], names: Mapping[Key, str]) -> str:
    return ", ".join(
        f"{names.get((grant.kind, grant.id), grant.id)} ({grant.role})" for grant in sorted(grants)
    )


def as_json(found: Sequence[Difference]) -> dict[str, Any]:
    return {"number": len(found), "first": [one.as_json() for one in found[:SHOWN]]}
