"""How soon leavers were out, from when the directory knew to the read that confirmed it; and who is not."""

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from integrations.models import Integration
from provisioning.actions import Kind, Situation
from provisioning.delays import Subject
from provisioning.models import Action
from provisioning.still_here import still_here

LOOKED_BACK = timedelta(days=90)
MOST = 2_000
"""So many are looked at, the last ones, so that no page waits for the quarter of a very large company."""
BOUNDS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=24),
)
"""Within which they are counted; the rest took longer."""


@dataclass(frozen=True, slots=True)
class Promptness:
    """`most`: what 95 of 100 stayed within. `unconfirmed`: of how many no read has confirmed it.

    `within`: how many took no longer than each of the bounds, but longer than the one before; last, the rest.
    `late_within`: how many of those took longer than their target. `target_hours`: None where it is not the
    same for all. `breaches`: who was late, the last first. `overdue`: who is not gone yet, and was to be.
    """

    number: int
    median: timedelta
    most: timedelta
    slowest: timedelta
    unconfirmed: int
    within: Sequence[int]
    late_within: Sequence[int]
    target_hours: int | None
    breaches: Sequence[Subject] = ()
    overdue: Sequence[Subject] = ()

    @property
    def late(self) -> int:
        return sum(self.late_within)

    @property
    def are_the_last(self) -> bool:
        """Whether there were more, which were not looked at."""
        return self.number + self.unconfirmed >= MOST


def promptness(
    integration: Integration | None = None, *, among: Collection[int] | None = None, now: datetime
) -> Promptness | None:
    """Of the last 90 days, of one integration, `among` these, or all; None without anybody who is known to
    have left.
    """
    rows = list(leavers(integration, among=among, now=now).annotate(target=TARGET).values_list(*READ)[:MOST])
    overdue = still_here(integration, among=among, now=now)
    gone = [Subject(*row) for row in rows if row[5]]
    if not gone and not overdue:
        return None
    seconds = [one.took.total_seconds() for one in gone] or [0.0]
    bounds = [bound.total_seconds() for bound in BOUNDS]
    counted = Counter(bisect_left(bounds, one.took.total_seconds()) for one in gone)
    late = [one for one in gone if one.is_late]
    counted_late = Counter(bisect_left(bounds, one.took.total_seconds()) for one in late)
    places = range(len(bounds) + 1)
    return Promptness(
        number=len(gone),
        median=timedelta(seconds=statistics.median(seconds)),
        most=timedelta(seconds=percentile_95(seconds)),
        slowest=timedelta(seconds=max(seconds)),
        unconfirmed=len(rows) - len(gone),
        within=[counted[place] for place in places],
        late_within=[counted_late[place] for place in places],
        target_hours=_shared(integration, [*gone, *overdue]),
        breaches=late,
        overdue=overdue,
    )


TARGET = F("job__integration__removal_target_hours")
READ = ("job__integration", "person", "email", "pk", "known_at", "confirmed_at", "target")


def percentile_95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _shared(integration: Integration | None, told: Sequence[Subject]) -> int | None:
    targets = {integration.removal_target_hours} if integration else {one.target_hours for one in told}
    return targets.pop() if len(targets) == 1 else None


def leavers(
    integration: Integration | None = None, *, among: Collection[int] | None = None, now: datetime
) -> QuerySet[Action]:
    """Who was removed, or whose invite was withdrawn, because they left; the last ones first."""
    done = Action.objects.filter(
        kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
        situation=Situation.LEAVER,
        state=Action.State.DONE,
        known_at__gte=now - LOOKED_BACK,
    )
    if among is not None:
        done = done.filter(job__integration__in=among)
    of = done if integration is None else done.filter(job__integration=integration)
    return of.order_by("-known_at")
