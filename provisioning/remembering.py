"""What a read saw, beside what is stored: found out in one pass over the rows, and written where it differs.

Ids are interned where many are kept, as they are where lists are parsed: one text of each id for a whole job.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import Case, QuerySet, TextField, Value, When
from django.db.models.functions import Cast

from directory.bulk import batches
from integrations.connectors.base import Account as Seen
from integrations.connectors.base import AccountState
from integrations.models import Integration
from provisioning.accounts import CHUNK, GrantsByText, LeftByText, mark_gone, note_missing
from provisioning.differences import Known
from provisioning.matching import AcceptedElsewhere, Ambiguous, Leftover, Linked, Links, Match, Orphan
from provisioning.models import Account
from provisioning.moments import one_moment
from provisioning.planning import Left

LONGEST_NAME = 300
MATCHED, AMBIGUOUS = "matched", "ambiguous"

# -- beside what is stored


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of the accounts that were there, by their ids, and what a read sees otherwise.

    `links`: whose they are; also of those that had gone and are back. `left`: how we left them.
    `situations`: of those that are not matched. `unlike`: seen otherwise than they were known. `unseen`: not
    seen. `fresh`: seen, and not there before. `are_known`: whether any was there.
    """

    links: Links
    left: Mapping[str, Left]
    situations: Mapping[str, str]
    unlike: Mapping[str, Known]
    unseen: Mapping[str, Known]
    fresh: Collection[str]
    are_known: bool


def stored(integration: Integration, seen: Sequence[Seen], ids: Collection[str] | None) -> Stored:
    """Row by row, so that rows take no memory. `ids`: of which accounts there was a look; None for all."""
    links: dict[str, dict[str, int]] = {how: {} for how in Account.Match.values}
    left: dict[str, Left] = {}
    situations: dict[str, str] = {}
    unlike: dict[str, Known] = {}
    unseen: dict[str, Known] = {}
    fresh = {account.id: account for account in seen}
    grants_by_text, left_by_text = GrantsByText(), LeftByText()
    with one_moment():
        for row, dates in _rows(integration, ids):
            id, person_id, how, situation, how_left, held, email, name, role, state, elsewhere = row
            grants = grants_by_text[held]
            account = fresh.pop(id, None)
            if account is None:
                unseen[id] = Known(id, email, state, role, frozenset(grants))
                continue
            id = account.id  # one text of each id for a whole job
            if person_id is not None:
                links[how][id] = person_id
            if how_left is not None:
                left[id] = left_by_text[how_left]
            if situation != MATCHED:
                situations[id] = situation
            is_same = (
                grants == account.grants
                and (role, email) == (account.role or "", account.email or "")
                and name == (account.name or "")[:LONGEST_NAME]
                and (state, bool(elsewhere)) == (account.state, account.managed_elsewhere)
                and dates == (account.expires_at, None)
                and ((how == Account.Match.NONE) == (person_id is None) or situation == AMBIGUOUS)
            )
            if not is_same:
                unlike[id] = Known(id, email, state, role, frozenset(grants))
        for id, person_id, how in _links_of_returned(integration, fresh):
            links[how][id] = person_id
    there = Links(links[Account.Match.EMAIL], links[Account.Match.MANUAL])
    are_known = bool(unseen) or len(fresh) < len(seen)
    return Stored(there, left, situations, unlike, unseen, frozenset(fresh), are_known)


COLUMNS = (
    "remote_id",
    "person_id",
    "match",
    "situation",
    Cast("left", TextField()),
    Cast("grants", TextField()),
    "email",
    "name",
    "role",
    "state",
    Case(When(managed_elsewhere=True, then=Value("yes")), default=Value("")),
)
"""Of kinds that Django hands on as the database gives them: to convert a row takes as long as to fetch it."""
NO_DATES = None, None


def _rows(
    integration: Integration, ids: Collection[str] | None
) -> Iterator[tuple[tuple[Any, ...], tuple[datetime | None, datetime | None]]]:
    """Of those that are there. When an invite lapses, and since when somebody is missing, few have."""
    there = integration.accounts.present()
    if ids is not None:
        there = there.filter(remote_id__in=ids)
    undated = {"expires_at": None, "missing_since": None}
    for row in there.filter(**undated).values_list(*COLUMNS).iterator(chunk_size=CHUNK):
        yield row, NO_DATES
    dated = there.exclude(**undated).values_list("expires_at", "missing_since", *COLUMNS)
    for expires_at, missing_since, *row in dated.iterator(chunk_size=CHUNK):
        yield tuple(row), (expires_at, missing_since)


def _links_of_returned(integration: Integration, fresh: Collection[str]) -> Iterator[tuple[str, int, str]]:
    if not fresh or not (gone := integration.accounts.exclude(gone_at=None)).exists():
        return
    for some in batches(sorted(fresh)):
        linked = gone.filter(remote_id__in=some, person__isnull=False)
        for id, person_id, how in linked.values_list("remote_id", "person_id", "match"):
            if person_id is not None:
                yield sys.intern(id), person_id, how


# -- beside what was planned


@dataclass(frozen=True, slots=True)
class Finding:
    """What a plan has found out about an account: whose it is, and whether it is as it should be."""

    account: Seen
    person_id: int | None
    situation: str
    is_settled: bool

    def fill(self, row: Account) -> None:
        """A link by hand stays. So does the match of an account that has become ambiguous: forgotten, the
        next plan would know the address only, and guess.
        """
        seen = self.account
        row.email = seen.email or ""
        row.name = (seen.name or "")[:LONGEST_NAME]
        row.role = seen.role or ""
        row.state = str(seen.state)
        row.expires_at = seen.expires_at
        row.grants = [grant.as_json() for grant in seen.grants]
        row.managed_elsewhere = seen.managed_elsewhere
        by_hand = row.match == Account.Match.MANUAL and row.person_id is not None
        if not (by_hand or self.situation == AMBIGUOUS):
            row.match = Account.Match.NONE if self.person_id is None else Account.Match.EMAIL
            row.person_id = self.person_id
        row.situation = self.situation
        if self.is_settled and not _tells_all(row.left, seen):
            row.left = {"role": seen.role, "grants": row.grants}
        row.missing_since = row.gone_at = None


FIELDS = (
    "email",
    "name",
    "role",
    "state",
    "expires_at",
    "grants",
    "managed_elsewhere",
    "match",
    "person_id",
    "situation",
    "left",
    "missing_since",
    "gone_at",
    "last_seen_at",
)
"""What is written of a row."""


def _tells_all(left: object, seen: Seen) -> bool:
    """An invite does not change: what we sent stays true, whatever part of it the remote shows."""
    return left is not None and seen.state is AccountState.INVITED


def changed(
    of: Stored, matches: Iterable[Match], to_change: Collection[str], outdated: Collection[str]
) -> list[Finding]:
    """Those of which something else is to be kept than is. `to_change`: ids of accounts that are not as they
    should be. `outdated`: of these we know better, since we changed them during the read.
    """
    return [
        Finding(account, person_id, situation, account.id not in to_change)
        for account, person_id, situation in chain.from_iterable(map(_found, matches))
        if account.id not in outdated
        and not _is_kept(of, account, person_id, situation, is_settled=account.id not in to_change)
    ]


def _found(found: Match) -> Sequence[tuple[Seen, int | None, str]]:
    match found:
        case Linked(person, account) | Leftover(person, account):
            return ((account, person.id, MATCHED),)
        case Orphan(account):
            return ((account, None, "orphan"),)
        case AcceptedElsewhere(_, account):
            return ((account, None, "accepted_elsewhere"),)
        case Ambiguous(_, several):
            return [(account, None, AMBIGUOUS) for account in several]
        case _:
            return ()


def _is_kept(of: Stored, account: Seen, person_id: int | None, situation: str, *, is_settled: bool) -> bool:
    id = account.id
    if id in of.unlike or id in of.fresh or of.situations.get(id, MATCHED) != situation:
        return False
    if of.links.found.get(id) != person_id and id not in of.links.by_hand and situation != AMBIGUOUS:
        return False
    left = of.left.get(id)
    return not is_settled or _tells_all(left, account) or (left is not None and left.is_still_so(account))


# -- writing


def remember(
    integration: Integration,
    findings: Sequence[Finding],
    missing: Collection[str],
    missed: Collection[str],
    *,
    now: datetime,
) -> None:
    """`missed`: ids whose absence nobody has accepted yet, so that the next read misses them again."""
    rows = _by_ids(integration, [one.account.id for one in findings])
    fresh = []
    for finding in findings:
        row = rows.get(finding.account.id)
        if row is None:
            row = Account(integration=integration, remote_id=finding.account.id, first_seen_at=now)
            fresh.append(row)
        finding.fill(row)
        row.last_seen_at = now
    Account.objects.bulk_create(fresh, batch_size=500)
    Account.objects.bulk_update(rows.values(), FIELDS, batch_size=500)
    mark_gone(integration, set(missing) - set(missed), now=now)
    note_missing(integration, set(missing) & set(missed), now=now)


def note_seen(integration: Integration, seen: Collection[str], *, whole: bool, now: datetime) -> None:
    """`seen`: the ids of all that was seen; without `whole` these are some accounts alone."""
    if whole:
        integration.note_read(accounts_read_at=now)
        return
    for some in batches(sorted(seen)):
        integration.accounts.filter(remote_id__in=some).update(last_seen_at=now, missing_since=None)


def _by_ids(integration: Integration, ids: Collection[str]) -> dict[str, Account]:
    if not ids or not integration.accounts.exists():
        return {}
    found: Iterator[QuerySet[Account]] = (
        integration.accounts.filter(remote_id__in=some) for some in batches(sorted(ids))
    )
    return {row.remote_id: row for row in chain.from_iterable(found)}
