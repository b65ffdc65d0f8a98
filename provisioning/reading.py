"""Read an organization completely, or raise: accounts, what the rules name, and the proof."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from directory.emails import email_key
from integrations.connectors.base import (
    Acceptance,
    Account,
    AccountState,
    Connector,
    Entitlement,
    Grant,
    Listing,
    PermissionMissing,
    ReadIncomplete,
)
from provisioning.group_planning import GroupReading, GroupRule, as_rules
from provisioning.policy import Rule, resolve

LOOKUPS = 20
"""How many missing members or invites are looked up one by one before the list is believed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One complete look at a remote; without `whole` at some of its accounts alone."""

    accounts: tuple[Account, ...]
    entitlements: tuple[Entitlement, ...]
    listings: tuple[Listing, ...]
    calls: int
    began_at: datetime
    seconds: float
    vanished: tuple[str, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    """The entitlements, by kind and id, whose holders were read."""
    groups: GroupReading = field(default_factory=GroupReading)
    whole: bool = True

    @property
    def names(self) -> dict[tuple[str, str], str]:
        return {(held.kind, held.id): held.name for held in self.entitlements}

    def not_missing(self, ids: Collection[str]) -> "Reading":
        """It is known why these accounts are no longer there."""
        return replace(self, vanished=tuple(id for id in self.vanished if id not in ids))

    @property
    def ids_if_some(self) -> frozenset[str] | None:
        """Which accounts were looked at; None for all there are."""
        return None if self.whole else frozenset(account.id for account in self.accounts)

    def as_json(self) -> dict[str, Any]:
        return {
            "complete": True,
            "whole": self.whole,
            "accounts": len(self.accounts),
            "pages": sum(listing.pages for listing in self.listings),
            "items": sum(listing.items for listing in self.listings),
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "listings": [asdict(listing) for listing in self.listings],
            "vanished": list(self.vanished),
            "held": [list(key) for key in self.held],
        }


def read(
    connector: Connector,
    rules: Sequence[Rule],
    known_members: Collection[str],
    known_invites: Mapping[str, str],
    group_rules: Sequence[GroupRule] = (),
) -> Reading:
    """Everything the plan looks at, and no more. `known_…`: what the last complete read saw."""
    began_at, started = timezone.now(), time.monotonic()
    with connector.one_look():
        accounts, acceptances = connector.fetch_accounts(), tuple(connector.acceptances)
        _check_invites(connector, accounts, known_invites)
        members = [one.id for one in accounts if one.state is AccountState.ACTIVE and not one.is_service]
        named = _fetch_named(connector, [*rules, *as_rules(group_rules, connector.vocabulary)])
        groups = _fetch_groups(connector, group_rules, named)
        held = _fetch_held(connector, rules, named, members)
        vanished = _vanished(connector, accounts, known_members)
    return Reading(
        accounts=tuple(held.of(account) for account in accounts),
        entitlements=tuple(_left_alone(found, held.unread) for found in named),
        listings=tuple(connector.listings),
        calls=connector.calls,
        began_at=began_at,
        seconds=time.monotonic() - started,
        vanished=vanished,
        acceptances=acceptances,
        held=tuple(sorted(held.read)),
        groups=groups,
    )


def _fetch_named(connector: Connector, rules: Sequence[Rule]) -> list[Entitlement]:
    """Everything of the kinds that rules name. What the credential may not read is left alone, by its names;
    only what an invite carries must be known, so that nobody is invited to less than they should have.
    """
    named = {(grant.kind, grant.name) for rule in rules for grant in rule.grants}
    found: list[Entitlement] = []
    for kind in sorted({kind for kind, _ in named}):
        try:
            found += connector.fetch_entitlements([kind], [name for of, name in sorted(named) if of == kind])
        except PermissionMissing as error:
            if kind in connector.vocabulary.invite_carries:
                raise
            why = f"the credential may not read any {kind}. {str(error).rstrip('.')}"
            found += [Entitlement(kind, "", name, why) for of, name in sorted(named) if of == kind]
    return found


def _fetch_groups(
    connector: Connector, rules: Sequence[GroupRule], entitlements: Sequence[Entitlement]
) -> GroupReading:
    """What the groups that these rules name hold in the places that they name. Where the credential may not
    read that, nothing of it is planned, and the rest of the job goes on.
    """
    named = {
        (grant.kind, grant.name.casefold())
        for rule in as_rules(rules, connector.vocabulary)
        for grant in rule.grants
    }
    found = [one for one in entitlements if (one.kind, one.name.casefold()) in named]
    if connector.vocabulary.groups_hold is None or not found:
        return GroupReading(tuple(rules), tuple(found))
    group, place = connector.vocabulary.groups_hold
    groups = [one for one in found if one.kind == group and one.id]
    places = [one for one in found if one.kind == place and not one.unmanageable]
    try:
        grants = connector.fetch_group_grants(groups, places)
    except PermissionMissing as error:
        why = f"The credential may not read what groups hold. {error}"
        return GroupReading(tuple(rules), tuple(found), unread=why)
    # Whoever feeds a group decides who is in it, and not what it holds.
    open_ = [
        replace(one, unmanageable=grants.closed.get(one.id, "")) if one in groups else one for one in found
    ]
    return GroupReading(tuple(rules), tuple(open_), grants)


NOTHING: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds what the rules name, in order, and that in which it lies, by account id.

    `read`: of what that was read. `unread`: entitlements of which the credential may not see the holders.
    """

    grants: Mapping[str, tuple[Grant, ...]]
    inside: Mapping[str, Collection[tuple[str, str]]]
    read: Collection[tuple[str, str]]
    unread: Mapping[Entitlement, str]

    def of(self, account: Account) -> Account:
        if account.id not in self.grants and account.id not in self.inside:
            return account
        inside = self.inside.get(account.id)
        return account.holding(
            self.grants.get(account.id, account.grants), frozenset(inside) if inside else NOTHING
        )


def _fetch_held(
    connector: Connector,
    rules: Sequence[Rule],
    entitlements: Sequence[Entitlement],
    members: Collection[str],
) -> Held:
    named = list(dict.fromkeys(resolve(rules, entitlements).entitlements.values()))
    holdings: dict[str, tuple[Grant, ...]] = {}
    same: dict[tuple[Grant, ...], tuple[Grant, ...]] = {}
    inside: dict[str, set[tuple[str, str]]] = {}
    unread: dict[str, str] = {}
    for kind in sorted({found.kind for found in named}):
        try:
            grants = connector.fetch_grants([found for found in named if found.kind == kind], members)
        except PermissionMissing as error:
            if kind in connector.vocabulary.invite_carries:
                raise
            unread[kind] = f"the credential may not read who holds it. {str(error).rstrip('.')}"
        else:
            for account_id, held in grants.items():
                mine = tuple(grant for grant in held if grant.kind == kind)
                if mine:
                    all_mine = tuple(sorted(holdings.get(account_id, ()) + mine))
                    # Many hold the same, which is then one tuple.
                    holdings[account_id] = same.setdefault(all_mine, all_mine)
                if len(mine) < len(held):
                    around = {(grant.kind, grant.id) for grant in held if grant.kind != kind}
                    inside.setdefault(account_id, set()).update(around)
    return Held(
        holdings,
        inside,
        read={(found.kind, found.id) for found in named if found.kind not in unread},
        unread={found: unread[found.kind] for found in named if found.kind in unread},
    )


def _left_alone(entitlement: Entitlement, unread: Mapping[Entitlement, str]) -> Entitlement:
    why = unread.get(entitlement)
    return replace(entitlement, unmanageable=why) if why else entitlement


def _vanished(
    connector: Connector, accounts: Sequence[Account], known_members: Collection[str]
) -> tuple[str, ...]:
    """Members of the last read that are missing now. One that still answers by its id disproves the list."""
    seen = {account.id for account in accounts}
    missing = sorted(id for id in known_members if id not in seen)
    for account_id in missing[:LOOKUPS]:
        if connector.fetch_account(account_id, AccountState.ACTIVE) is not None:
            raise ReadIncomplete(f"The list of members left out {account_id}, who is still a member.")
    return tuple(missing)


def _check_invites(
    connector: Connector, accounts: Sequence[Account], known_invites: Mapping[str, str]
) -> None:
    """An open invite of the last read, missing now at an address where nobody has joined or been invited
    anew, was withdrawn by hand. If it still answers by its id, the list is disproved.
    """
    present = {account.id for account in accounts}
    taken = {email_key(account.email) for account in accounts if account.email}
    missing = [
        id for id, email in known_invites.items() if id not in present and email_key(email) not in taken
    ]
    for invite_id in sorted(missing)[:LOOKUPS]:
        invite = connector.fetch_account(invite_id, AccountState.INVITED)
        if invite is not None and invite.state is AccountState.INVITED:
            raise ReadIncomplete(f"The list of invites left out {invite_id}, which is still open.")
