"""How soon leavers were out: from when the directory knew to the read that confirmed it."""

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from integrations.models import Integration
from provisioning.actions import Kind, Situation
from provisioning.models import Action

LOOKED_BACK = timedelta(days=90)
TARGET = timedelta(hours=24)
MOST = 2_000
"""So many are looked at, the last ones, so that no page waits for the quarter of a very large company."""
BOUNDS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    TARGET,
)
"""Within which they are counted; the rest took longer than the target."""


@dataclass(frozen=True, slots=True)
class Promptness:
    """`most`: what 95 of 100 stayed within. `unconfirmed`: of how many no read has confirmed it.

    `within`: how many took no longer than each of the bounds, but longer than the one before; last, the rest.
    """

    number: int
    median: timedelta
    most: timedelta
    slowest: timedelta
    unconfirmed: int
    within: Sequence[int]

    @property
    def late(self) -> int:
        return self.within[-1]

    @property
    def are_the_last(self) -> bool:
        """Whether there were more, which were not looked at."""
        return self.number + self.unconfirmed >= MOST


def promptness(integration: Integration | None = None, *, now: datetime) -> Promptness | None:
    """Of the last 90 days, of one integration or all; None without anybody who is known to have left."""
    times = leavers(integration, now=now).values_list("known_at", "confirmed_at")[:MOST]
    seconds = [(seen - known).total_seconds() for known, seen in times if known and seen]
    if not seconds:
        return None
    most = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    bounds = [bound.total_seconds() for bound in BOUNDS]
    counted = Counter(bisect_left(bounds, took) for took in seconds)
    return Promptness(
        number=len(seconds),
        median=timedelta(seconds=statistics.median(seconds)),
        most=timedelta(seconds=most),
        slowest=timedelta(seconds=max(seconds)),
        unconfirmed=len(times) - len(seconds),
        within=[counted[place] for place in range(len(bounds) + 1)],
    )


def leavers(integration: Integration | None = None, *, now: datetime) -> QuerySet[Action]:
    """Who was removed, or whose invite was withdrawn, because they left; the last ones first."""
    done = Action.objects.filter(
        kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
        situation=Situation.LEAVER,
        state=Action.State.DONE,
        known_at__gte=now - LOOKED_BACK,
    )
    of = done if integration is None else done.filter(job__integration=integration)
    return of.order_by("-known_at")
