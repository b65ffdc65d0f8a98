"""The other way round: whom the directory let go in a period, and what became of their account."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from directory.bulk import BATCH, batches
from directory.models import Person, Revision
from provisioning.actions import Situation
from provisioning.delays import after
from provisioning.evidence.items import Item
from provisioning.evidence.ordering import Order, Stand
from provisioning.models import Account

COLUMNS = ("person", "email", "said_at", "said_by", "outcome", "account_id")

IN_POPULATION = "in the population as a leaver"
NEVER = "never had an account here"
GONE = "their account was gone before"
BACK = "active again before the end of the period"
WITHOUT = "their account went without Cakewalk"
STILL = (
    "their account was still there, and no plan of the period has them: counted as a leaver who is not gone"
)


@dataclass(frozen=True, slots=True)
class Left:
    person: int
    email: str
    said_at: datetime
    said_by: str


def departures(
    asked: Order, told: Stand, planned: Collection[int]
) -> Iterator[tuple[dict[str, Any], Item | None]]:
    """Each, with an item for whoever is still there and in no plan. `planned`: who is an item already."""
    for some in _in_pieces(_left(told)):
        accounts = _accounts(asked, [one.person for one in some])
        back = _back(told, some)
        for one in some:
            outcome, account = _outcome(one, accounts.get(one.person, ()), planned, back, told)
            row = {
                "person": one.person,
                "email": one.email,
                "said_at": one.said_at,
                "said_by": one.said_by,
                "outcome": outcome,
                "account_id": account.remote_id if account else "",
            }
            yield row, _item(one, account) if outcome is STILL and account else None


def _left(told: Stand) -> Iterator[Left]:
    """Who was set inactive, then whose last day passed."""
    said = Revision.objects.filter(at__gte=told.begins, at__lt=told.ends, fields__has_key="active")
    rows = said.order_by("pk").values_list("person_id", "person__email", "at", "by", "fields")
    for person, email, at, by, fields in rows.iterator(chunk_size=1000):
        was, now = fields["active"]
        if was and not now:
            yield Left(person, email, at, by)
    first, last = told.begins.date() - timedelta(days=2), told.ends.date()
    ended = Person.objects.filter(active=True, end_date__gte=first, end_date__lte=last).order_by("pk")
    for person, email, day in ended.values_list("pk", "email", "end_date").iterator(chunk_size=1000):
        gone_at = after(day)
        if gone_at and told.begins <= gone_at < told.ends:
            yield Left(person, email, gone_at, "their end date")


def _in_pieces(all_: Iterable[Left]) -> Iterator[list[Left]]:
    piece: list[Left] = []
    for one in all_:
        piece.append(one)
        if len(piece) == BATCH:
            yield piece
            piece = []
    if piece:
        yield piece


def _accounts(asked: Order, people: Sequence[int]) -> Mapping[int, list[Account]]:
    found: dict[int, list[Account]] = defaultdict(list)
    for some in batches(people):
        for row in Account.objects.filter(integration=asked.integration, person__in=some).order_by("pk"):
            found[row.person_id or 0].append(row)
    return found


def _back(told: Stand, some: Sequence[Left]) -> dict[int, datetime]:
    """When they were set active again, the last time before the end."""
    said = Revision.objects.filter(
        person__in=[one.person for one in some], at__lt=told.ends, fields__has_key="active"
    )
    rows = said.order_by("pk").values_list("person_id", "at", "fields")
    return {person: at for person, at, fields in rows if fields["active"][1]}


def _outcome(
    one: Left,
    accounts: Sequence[Account],
    planned: Collection[int],
    back: Mapping[int, datetime],
    told: Stand,
) -> tuple[str, Account | None]:
    if one.person in planned:
        return IN_POPULATION, None
    if back.get(one.person, one.said_at) > one.said_at:
        return BACK, None
    here = [row for row in accounts if row.first_seen_at < told.ends]
    there = [row for row in here if row.gone_at is None or row.gone_at >= told.ends]
    if there:
        return STILL, there[0]
    if any(row.gone_at and row.gone_at >= one.said_at for row in here):
        return WITHOUT, None
    return (GONE if here else NEVER), None


def _item(one: Left, account: Account) -> Item:
    return Item(
        name=f"leaver-person-{one.person}",
        situation=Situation.LEAVER,
        kind="remove",
        email=one.email,
        account_id=account.remote_id,
        person=one.person,
        what="Remove from the organization",
        known_at=one.said_at,
    )


def tally(outcomes: Iterable[str]) -> dict[str, int]:
    counted = Counter(outcomes)
    return {name: counted[name] for name in (IN_POPULATION, STILL, WITHOUT, BACK, GONE, NEVER)}
