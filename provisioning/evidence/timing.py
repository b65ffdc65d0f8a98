"""How soon leavers were gone, against the target: percentiles, and each breach with its cause."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from directory.bulk import BATCH
from provisioning import wording
from provisioning.actions import Situation
from provisioning.delays import Subject, departures
from provisioning.evidence.items import Item
from provisioning.evidence.ordering import Order, Stand
from provisioning.lateness import Departure, Stretch, main_cause
from provisioning.promptness import BOUNDS, percentile_95

COLUMNS = (
    "item",
    "email",
    "known_at",
    "left_at",
    "gone_at",
    "hours",
    "target_hours",
    "gone",
    "cause",
    "cause_code",
    "cause_since",
    "cause_hours",
    "job",
    "in_words",
)


@dataclass(slots=True)
class Timing:
    """`seconds`: of those who are seen gone, from known to gone. `undated`: of whom it is not known when the
    directory knew. `waiting`: not gone at the end, and within the target.
    """

    target: timedelta
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    within: Counter[int] = field(default_factory=Counter)
    late_within: Counter[int] = field(default_factory=Counter)
    undated: int = 0
    waiting: int = 0
    late: int = 0
    still_there: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, item: Item, end: datetime) -> bool:
        """Whether it is a breach."""
        began, took = item.began, item.took
        if began is None:
            self.undated += 1
            return False
        gone = item.confirmed_at
        late = (gone or end) - began > self.target
        if took is not None:
            self.seconds.append(took.total_seconds())
            place = bisect_left(BOUNDS, (gone or end) - began)
            self.within[place] += 1
            self.late_within[place] += late
        self.late += late and gone is not None
        self.still_there += late and gone is None
        self.waiting += gone is None and not late
        return late

    def figures(self) -> dict[str, Any]:
        known = sorted(self.seconds)
        return {
            "target_hours": self.target.total_seconds() / 3600,
            "leavers_seen_gone": len(known),
            "p50_seconds": round(_median(known), 3) if known else None,
            "p95_seconds": round(percentile_95(known), 3) if known else None,
            "worst_seconds": round(known[-1], 3) if known else None,
            "breaches": self.late + self.still_there,
            "breaches_seen_gone": self.late,
            "breaches_still_there": self.still_there,
            "not_gone_within_target": self.waiting,
            "not_known_since_when": self.undated,
            "causes": dict(sorted(self.causes.items())),
        }


def _median(known: Sequence[float]) -> float:
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


class Breaches:
    """Kept until there are some, so that their causes are looked up together."""

    def __init__(self, asked: Order, told: Stand, timing: Timing) -> None:
        self._asked, self._told, self._timing = asked, told, timing
        self._kept: list[Item] = []

    def add(self, item: Item) -> Iterator[dict[str, Any]]:
        if item.situation == Situation.LEAVER and self._timing.add(item, self._told.ends):
            self._kept.append(item)
        if len(self._kept) >= BATCH:
            yield from self.rest()

    def rest(self) -> Iterator[dict[str, Any]]:
        some, self._kept = self._kept, []
        went = departures(
            self._asked.integration.pk, [self._subject(one) for one in some], now=self._told.ends
        )
        for item, departure in zip(some, went, strict=True):
            yield self._row(item, departure)

    def _subject(self, item: Item) -> Subject:
        hours = self._asked.integration.removal_target_hours
        known_at = item.known_at or self._told.ends
        action = item.lines[-1] if item.lines else 0
        return Subject(
            self._asked.integration.pk, item.person, item.email, action, known_at, item.confirmed_at, hours
        )

    def _row(self, item: Item, departure: Departure) -> dict[str, Any]:
        why = main_cause(departure)
        self._timing.causes[wording.late(why)] += 1
        return {
            "item": item.name,
            "email": item.email,
            "known_at": item.known_at,
            "left_at": departure.left_at,
            "gone_at": item.confirmed_at,
            "hours": hours(departure.took),
            "target_hours": self._asked.integration.removal_target_hours,
            "gone": item.confirmed_at is not None,
            "cause": str(why.cause),
            "cause_code": why.code,
            "cause_since": why.since,
            "cause_hours": hours(why.lasted),
            "job": why.job or None,
            "in_words": in_words(why),
        }


def in_words(why: Stretch) -> str:
    job = f", job {why.job}" if why.job else ""
    return f"{wording.late(why)}; {hours(why.lasted)} h, from {why.since:%Y-%m-%d %H:%M} UTC{job}"


def hours(span: timedelta) -> float:
    return round(span.total_seconds() / 3600, 2)
