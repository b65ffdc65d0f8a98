"""How much there is of each kind, and of what age."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

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
    latest = None if days is None else cutoff(days, now=timezone.localtime(now))
    return Holding(
        rows=kind.number(),
        begins=kind.begins(),
        old=None if latest is None else kind.old(latest).count(),
    )


def by_age(kind: Kind, *, now: datetime) -> list[int]:
    """How many are between one of AGES and the next."""
    younger = [kind.number(since=now - timedelta(days=days)) for days in AGES]
    return [here - before for before, here in pairwise([0, *younger, kind.number()])]
