"""The pack's own page and its README: what a reader sees first, with the tables behind it named."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from cakewalk import charts
from cakewalk.charts import Chart, Series
from provisioning.actions import Situation
from provisioning.evidence.items import Item
from provisioning.evidence.ordering import Order, Stand
from provisioning.evidence.timing import Timing

MOST_ROWS = 100
MOST_BARS = 62
WITHIN = ("1 min", "10 min", "1 h", "4 h", "24 h", "later")


@dataclass(slots=True)
class First:
    """The first rows of a table, and how many there are."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0

    def offer(self, row: dict[str, Any]) -> None:
        self.number += 1
        if len(self.rows) < MOST_ROWS:
            self.rows.append(row)

    @property
    def more(self) -> int:
        return self.number - len(self.rows)


@dataclass(frozen=True, slots=True)
class Sampled:
    place: int
    item: Item
    steps: list[Any]
    entries: list[dict[str, Any]]


@dataclass(slots=True)
class Shown:
    """What the page tells of each table."""

    breaches: First = field(default_factory=First)
    decisions: First = field(default_factory=First)
    rule_changes: First = field(default_factory=First)
    right_changes: First = field(default_factory=First)
    rules_at_start: list[dict[str, Any]] = field(default_factory=list)
    rules_at_end: list[dict[str, Any]] = field(default_factory=list)
    rights_at_start: list[dict[str, Any]] = field(default_factory=list)
    rights_at_end: list[dict[str, Any]] = field(default_factory=list)
    sample: list[Sampled] = field(default_factory=list)
    days: Counter[tuple[str, date]] = field(default_factory=Counter)

    def count(self, item: Item) -> None:
        """By the day on which it was planned first, or known of."""
        at = item.planned_at or item.known_at
        if at:
            self.days[
                str(item.situation), timezone.localtime(at, timezone.get_default_timezone()).date()
            ] += 1


def page(asked: Order, told: Stand, said: dict[str, Any], shown: Shown, timing: Timing) -> str:
    return render_to_string(
        "evidence/summary.html",
        {
            "asked": asked,
            "told": told,
            "said": said,
            "shown": shown,
            "pack": said["pack"],
            "population": said["population"],
            "situations": [
                {"name": name, **said["population"][name]} for name in ("joiners", "movers", "leavers")
            ],
            "timing": said["removal_after_departure"],
            "items_chart": _items(asked, told, shown),
            "timing_chart": _timing(timing),
        },
    )


def readme(said: dict[str, Any]) -> str:
    return render_to_string("evidence/README.md", {"said": said, "pack": said["pack"]})


def _items(asked: Order, told: Stand, shown: Shown) -> Chart:
    """Day by day, or several days together where there is no room for each."""
    last = timezone.localtime(told.ends - timedelta(microseconds=1), timezone.get_default_timezone()).date()
    length = max((last - asked.since).days + 1, 1)
    each = -(-length // MOST_BARS)
    starts = [asked.since + timedelta(days=place) for place in range(0, length, each)]
    series = [
        Series(
            name,
            tone,
            [sum(shown.days[situation, start + timedelta(days=n)] for n in range(each)) for start in starts],
        )
        for name, tone, situation in (
            ("Joiners", "success", Situation.JOINER),
            ("Movers", "primary", Situation.MOVER),
            ("Leavers", "warning", Situation.LEAVER),
        )
    ]
    title = (
        "Joiners, movers and leavers a day" if each == 1 else f"Joiners, movers and leavers in {each} days"
    )
    names = [f"{start.day} {start:%b}" for start in starts]
    return charts.bars("items", title, "From" if each > 1 else "Day", names, series)


def _timing(timing: Timing) -> Chart:
    places = range(len(WITHIN))
    target = timing.target.total_seconds() / 3600
    series = [
        Series("Within the target", "success", [timing.within[n] - timing.late_within[n] for n in places]),
        Series("Later than the target", "danger", [timing.late_within[n] for n in places]),
    ]
    title = f"Leavers by how long it took until a read showed them gone; the target is {target:g} h"
    return charts.bars("timing", title, "Within", list(WITHIN), series)
