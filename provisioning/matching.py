"""Which account is whose. Stored matches first, then manual links, then e-mail; never a guess. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Acceptance, Account, AccountState


@dataclass(frozen=True, slots=True)
class Linked:
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


Fitting = Mapping[str, tuple[int, ...]]
"""By the ids of accounts, the ids of the people whose they may be."""


def match(
    people: Sequence[Person],
    accounts: Sequence[Account],
    links: Links,
    acceptances: Iterable[Acceptance] = (),
) -> list[Match]:
    """Every person and every account in exactly one match."""
    by_id = {person.id: person for person in people}
    by_key = {key: person.id for person in people for key in person.keys}
    fitting = {account.id: _people_of(account, by_id, by_key, links) for account in accounts}
    leftovers = _leftovers(by_id, accounts, fitting)
    passed_over = {leftover.account.id for leftover in leftovers}
    current = [account for account in accounts if account.id not in passed_over]
    settled = _settle(by_id, current, fitting)
    return [*_pair_with_acceptances(settled, acceptances), *leftovers]


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


def _people_of(
    account: Account, by_id: Collection[int], by_key: Mapping[str, int], links: Links
) -> tuple[int, ...]:
    """Who the account may belong to. Two people, when a known account's address was given to another."""
    found = links.by_hand.get(account.id)
    owner = None
    if found is None:
        found = links.found.get(account.id)
        if account.email and not account.is_service:
            owner = by_key.get(email_key(account.email))
    fits = (found,) if owner is None or owner == found else (owner,) if found is None else (found, owner)
    return tuple(person_id for person_id in fits if person_id is not None and person_id in by_id)


def _leftovers(by_id: Mapping[int, Person], accounts: Sequence[Account], fitting: Fitting) -> list[Leftover]:
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
    alive = {person_id for account in accounts if account.id not in idle for person_id in fitting[account.id]}
    return [
        Leftover(by_id[person_id], account)
        for account in idle.values()
        if len(fitting[account.id]) == 1
        for person_id in fitting[account.id]
        if person_id in alive
    ]


def _can_do_nothing(account: Account, members: Collection[str]) -> bool:
    if account.state is AccountState.INVITED:
        return email_key(account.email or "") in members
    return account.state is AccountState.EXPIRED


def _settle(by_id: Mapping[int, Person], accounts: Sequence[Account], fitting: Fitting) -> list[Match]:
    holdings: dict[int, list[Account]] = defaultdict(list)
    for account in accounts:
        for person_id in fitting[account.id]:
            holdings[person_id].append(account)
    matches: list[Match] = []
    tangled: list[int] = []
    for person_id, person in by_id.items():
        held = holdings.get(person_id, ())
        if not held:
            matches.append(Unprovisioned(person))
        elif len(held) == 1 and len(fitting[held[0].id]) == 1:
            matches.append(Linked(person, held[0]))
        else:
            tangled.append(person_id)
    matches.extend(_ambiguities(tangled, by_id, accounts, fitting, holdings))
    matches.extend(Orphan(account) for account in accounts if not fitting[account.id])
    return matches


def _ambiguities(
    tangled: Sequence[int],
    by_id: Mapping[int, Person],
    accounts: Sequence[Account],
    fitting: Fitting,
    holdings: Mapping[int, list[Account]],
) -> list[Ambiguous]:
    """Groups of people and accounts that hang together, wherever someone has two or something fits two."""
    by_account = {account.id: account for account in accounts} if tangled else {}
    seen: set[int] = set()
    found = []
    for start in tangled:
        if start in seen:
            continue
        people, held = _tangle(start, fitting, holdings)
        seen |= people
        found.append(
            Ambiguous(
                tuple(by_id[person] for person in sorted(people)),
                tuple(by_account[account] for account in sorted(held)),
            )
        )
    return found


def _tangle(start: int, fitting: Fitting, holdings: Mapping[int, list[Account]]) -> tuple[set[int], set[str]]:
    people, accounts, frontier = {start}, set(), [start]
    while frontier:
        for account in holdings[frontier.pop()]:
            accounts.add(account.id)
            fresh = set(fitting[account.id]) - people
            people |= fresh
            frontier.extend(fresh)
    return people, accounts
