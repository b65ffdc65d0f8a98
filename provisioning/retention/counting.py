"""How much there is of each kind, and of what age."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import CharField, Count, Min, QuerySet, Value
from django.utils import timezone

from provisioning.retention.kinds import Kind, cutoff

AGES = (30, 90, 200, 400, 800)
"""In days: how many rows are younger, and in the end how many older."""


@dataclass(frozen=True, slots=True)
class Holding:
    """`old`: how many are older than the retention; None where that is for ever."""

    rows: int
    begins: datetime | None
    old: int | None


def holding(kind: Kind, days: int | None, *, now: datetime) -> Holding:
    return holdings([(kind, days)], now=now)[kind.key]


def holdings(kept: Iterable[tuple[Kind, int | None]], *, now: datetime) -> dict[str, Holding]:
    """By the key of each kind, which is kept for so many days. All are counted in two questions."""
    days_of = dict(kept)
    today = timezone.localtime(now)
    old = {kind: kind.old(cutoff(days, now=today)) for kind, days in days_of.items() if days is not None}
    number_of_old = {key: number for key, number, _ in _counted(old)}
    there = {kind: kind.there() for kind in days_of if not kind.is_numbered}
    found = {key: (number, begins) for key, number, begins in _counted(there)}
    found |= {kind.key: (kind.number(), kind.begins()) for kind in days_of if kind.is_numbered}
    return {
        kind.key: Holding(
            *found.get(kind.key, (0, None)), None if days is None else number_of_old.get(kind.key, 0)
        )
        for kind, days in days_of.items()
    }


def _counted(rows: Mapping[Kind, QuerySet[Any]]) -> Iterable[tuple[str, int, datetime | None]]:
    """The key of a kind, how many of these rows there are, and when the first was; nothing where there are
    none.
    """
    each = [
        of.order_by()
        .values(key=Value(kind.key, output_field=CharField()))
        .annotate(number=Count("pk"), first=Min(kind.moment))
        .values_list("key", "number", "first")
        for kind, of in rows.items()
    ]
    return each[0].union(*each[1:], all=True) if each else []


def by_age(kind: Kind, *, now: datetime) -> list[int]:
    """How many are between one of AGES and the next."""
    younger = [kind.number(since=now - timedelta(days=days)) for days in AGES]
    return [here - before for before, here in pairwise([0, *younger, kind.number()])]
