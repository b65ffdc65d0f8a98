"""Find entries of the ledger, newest first. They stand in the order in which they were written, by number."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from cakewalk.ledger.models import Entry
from cakewalk.portions import growing
from provisioning.search.whom import NARROW, Whom, begins

CHUNK = 1000
OUT_OF_ORDER = timedelta(days=1)
"""An entry may be younger than one before it by as long as a transaction takes; none takes so long."""

Entries = QuerySet[Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """`who` is whom an entry concerns, `actor` who did it. `row`: the id of an object of this `kind`."""

    who: str = ""
    actor: str = ""
    actor_kind: str = ""
    verb: str = ""
    kind: str = ""
    row: str = ""
    since: datetime | None = None
    until: datetime | None = None
    integration: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What was asked, without what was not."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in said.items()
            if value not in ("", None)
        }


def matching(asked: Asked, about: Whom | None) -> Entries:
    """`about`: whom `who` means. What is narrow is looked up first, as in `finding`."""
    entries: Entries = Entry.objects.all()
    narrow: set[int] | None = None
    for condition in _conditions(asked, about):
        few = _numbers(condition)
        if len(few) > NARROW:
            entries = entries.alias(lower=Lower("email")).filter(condition)
        else:
            narrow = few if narrow is None else narrow & few
    if narrow is not None:
        entries = entries.filter(pk__in=narrow)
    return _within(entries, asked)


def _conditions(asked: Asked, about: Whom | None) -> Iterator[Q]:
    if about is not None:
        of_them = Q(object_kind="directory.person", object_id__in=[str(pk) for pk in about.people])
        with_one = ~Q(email="")  # so that the indexes over those that have one are taken
        so = with_one & begins("lower", about.begins) if about.begins else Q()
        yield with_one & Q(lower__in=about.addresses) | of_them | so
    if asked.kind and asked.row:
        yield Q(object_kind=asked.kind, object_id=asked.row)
    elif asked.kind:
        yield Q(object_kind=asked.kind)
    for name in ("actor", "verb", "integration", "actor_kind"):
        if value := getattr(asked, name):
            yield Q(**{name: value})


def _numbers(condition: Q) -> set[int]:
    found = Entry.objects.alias(lower=Lower("email")).filter(condition).order_by()
    return set(found.values_list("pk", flat=True)[: NARROW + 1])


def _within(entries: Entries, asked: Asked) -> Entries:
    """The period by numbers as well, for the entries are walked through by these."""
    if asked.since:
        first = _first(asked.since - OUT_OF_ORDER)
        entries = entries.filter(at__gte=asked.since, pk__gte=first) if first else entries.none()
    if asked.until:
        after = _first(asked.until + OUT_OF_ORDER)
        entries = entries.filter(at__lt=asked.until, **({"pk__lte": after} if after else {}))
    return entries


def _first(at: datetime) -> int | None:
    """About the first entry since then."""
    found = Entry.objects.filter(at__gte=at).order_by("at").values_list("pk", flat=True)
    return found.first()


def newest(entries: Entries, before: int | None, number: int) -> list[Entry]:
    if before:
        entries = entries.filter(pk__lt=before)
    return list(entries.order_by("-pk")[:number])


def one_by_one(entries: Entries) -> Iterator[Entry]:
    """All of them, a thousand at a time at most. What is written meanwhile comes after the first one."""
    before = None
    for size in growing(CHUNK):
        found = newest(entries, before, size)
        if not found:
            return
        yield from found
        before = found[-1].pk
