"""Which account is whose. Stored matches first, then manual links, then e-mail; never a guess. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Acceptance, Account, AccountState


class Linked(Struct, frozen=True, gc=False):
    person: Person
    account: Account


@dataclass(frozen=True, slots=True)
class Unprovisioned:
    person: Person


@dataclass(frozen=True, slots=True)
class Orphan:
    account: Account


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one fits. Nothing is done to any of them until a person links the right pair."""

    people: tuple[Person, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class AcceptedElsewhere:
    """An invite was accepted, nobody joined under its address, and at that moment nobody's account did.

    It may be that person's. Somebody decides.
    """

    person: Person
    account: Account


@dataclass(frozen=True, slots=True)
class Leftover:
    """An invite of somebody who has a better account: a lapsed one, or an open one to a member's address.

    It can do nothing while that account is there.
    """

    holder: Person
    account: Account


Match = Linked | Unprovisioned | Orphan | Ambiguous | AcceptedElsewhere | Leftover


@dataclass(frozen=True, slots=True)
class Links:
    """Account id → person id, known from before: found by an earlier match, or set by a person's hand."""

    found: Mapping[str, int] = field(default_factory=dict)
    by_hand: Mapping[str, int] = field(default_factory=dict)


SAME_MOMENT = timedelta(minutes=2)
"""Between the acceptance of an invite and the joining that it led to."""


def match(
    people: Sequence[Person],
    accounts: Sequence[Account],
    links: Links,
    acceptances: Iterable[Acceptance] = (),
) -> list[Match]:
    """Every person and every account in exactly one match."""
    fit = _Fit(people, links)
    leftovers = _leftovers(fit, accounts)
    passed_over = {leftover.account.id for leftover in leftovers}
    current = [account for account in accounts if account.id not in passed_over]
    return [*_pair_with_acceptances(_settle(fit, current), acceptances), *leftovers]


def _pair_with_acceptances(matches: Sequence[Match], acceptances: Iterable[Acceptance]) -> list[Match]:
    """Only one to one: with two candidates on either side nobody can tell, and both stay what they are."""
    accepted = {email_key(acceptance.email): acceptance.at for acceptance in acceptances}
    if not accepted:
        return list(matches)
    joined = _by_minute(found.account for found in matches if isinstance(found, Orphan))
    fits = {
        found.person.id: (found.person, [account for at in times for account in _joined_at(at, joined)])
        for found in matches
        if isinstance(found, Unprovisioned)
        and (times := [accepted[key] for key in found.person.keys if key in accepted])
    }
    claims = Counter(account.id for _, candidates in fits.values() for account in candidates)
    pairs = [
        AcceptedElsewhere(person, candidates[0])
        for person, candidates in fits.values()
        if len(candidates) == 1 and claims[candidates[0].id] == 1
    ]
    people, paired = {pair.person.id for pair in pairs}, {pair.account.id for pair in pairs}
    return [*(found for found in matches if not _is_paired(found, people, paired)), *pairs]


def _by_minute(accounts: Iterable[Account]) -> Mapping[int, list[Account]]:
    found: dict[int, list[Account]] = defaultdict(list)
    for account in accounts:
        if account.state is AccountState.ACTIVE and not account.is_service and account.since:
            found[_minute(account.since)].append(account)
    return found


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def _joined_at(at: datetime, joined: Mapping[int, list[Account]]) -> list[Account]:
    near = range(_minute(at - SAME_MOMENT), _minute(at + SAME_MOMENT) + 1)
    return [
        account
        for minute in near
        for account in joined.get(minute, [])
        if account.since and abs(account.since - at) <= SAME_MOMENT
    ]


def _is_paired(found: Match, people: Collection[int], accounts: Collection[str]) -> bool:
    match found:
        case Unprovisioned(person):
            return person.id in people
        case Orphan(account):
            return account.id in accounts
        case _:
            return False


class _Fit:
    """Who accounts may belong to. Asked again rather than kept: to keep it of all takes more memory than any
    other part of a match.
    """

    def __init__(self, people: Sequence[Person], links: Links) -> None:
        self.people = {person.id: person for person in people}
        self._by_key = {key: person.id for person in people for key in person.keys}
        self._links = links

    def ids_for(self, account: Account) -> tuple[int, ...]:
        """Two people, when a known account's address was given to another."""
        found = self._links.by_hand.get(account.id)
        owner = None
        if found is None:
            found = self._links.found.get(account.id)
            if account.email and not account.is_service:
                owner = self._by_key.get(email_key(account.email))
                if owner is not None and owner == found:  # nearly all
                    return (owner,)
        fits = (found,) if owner is None or owner == found else (owner,) if found is None else (found, owner)
        return tuple(id for id in fits if id is not None and id in self.people)


def _leftovers(fit: _Fit, accounts: Sequence[Account]) -> list[Leftover]:
    invites = [account for account in accounts if account.state is not AccountState.ACTIVE]
    if not invites:
        return []
    members = {
        email_key(account.email)
        for account in accounts
        if account.state is AccountState.ACTIVE and account.email
    }
    idle = {account.id: account for account in invites if _can_do_nothing(account, members)}
    if not idle:
        return []
    alive = {id for account in accounts if account.id not in idle for id in fit.ids_for(account)}
    return [
        Leftover(fit.people[ids[0]], account)
        for account in idle.values()
        if len(ids := fit.ids_for(account)) == 1 and ids[0] in alive
    ]


def _can_do_nothing(account: Account, members: Collection[str]) -> bool:
    if account.state is AccountState.INVITED:
        return email_key(account.email or "") in members
    return account.state is AccountState.EXPIRED


def _settle(fit: _Fit, accounts: Sequence[Account]) -> list[Match]:
    """Most people have one account, which fits nobody else. Who has two, or one that fits two, is tangled."""
    held: dict[int, Account] = {}
    tangled: set[int] = set()
    orphans: list[Orphan] = []
    for account in accounts:
        ids = fit.ids_for(account)
        for id in ids:
            if held.setdefault(id, account) is not account or len(ids) > 1:
                tangled.add(id)
        if not ids:
            orphans.append(Orphan(account))
    return [
        *(
            Linked(person, held[id]) if id in held else Unprovisioned(person)
            for id, person in fit.people.items()
            if id not in tangled
        ),
        *(_ambiguities(tangled, fit, accounts) if tangled else ()),
        *orphans,
    ]


def _ambiguities(tangled: Collection[int], fit: _Fit, accounts: Sequence[Account]) -> list[Ambiguous]:
    """Groups of people and accounts that hang together."""
    held: dict[int, list[Account]] = defaultdict(list)
    for account in accounts:
        for id in fit.ids_for(account):
            if id in tangled:
                held[id].append(account)
    seen: set[int] = set()
    found = []
    for start in (id for id in fit.people if id in tangled):
        if start not in seen:
            people, together = _tangle(start, fit, held)
            seen |= people
            found.append(
                Ambiguous(
                    tuple(fit.people[id] for id in sorted(people)),
                    tuple(together[id] for id in sorted(together)),
                )
            )
    return found


def _tangle(
    start: int, fit: _Fit, held: Mapping[int, list[Account]]
) -> tuple[set[int], Mapping[str, Account]]:
    people, accounts, frontier = {start}, dict[str, Account](), [start]
    while frontier:
        for account in held[frontier.pop()]:
            accounts[account.id] = account
            fresh = set(fit.ids_for(account)) - people
            people |= fresh
            frontier.extend(fresh)
    return people, accounts
