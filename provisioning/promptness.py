"""How soon leavers were out: from when the directory knew to the read that confirmed it."""

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.models import Integration
from provisioning.actions import Kind, Situation
from provisioning.models import Action

LOOKED_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Promptness:
    """`most`: what 95 of 100 stayed within. `unconfirmed`: of how many no read has confirmed it."""

    number: int
    median: timedelta
    most: timedelta
    unconfirmed: int


def promptness(integration: Integration, *, now: datetime) -> Promptness | None:
    """Of the last 90 days; None without leavers of whom it is known when they left."""
    done = Action.objects.filter(
        job__integration=integration,
        kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
        situation=Situation.LEAVER,
        state=Action.State.DONE,
        known_at__gte=now - LOOKED_BACK,
    )
    times = list(done.values_list("known_at", "confirmed_at"))
    seconds = [(seen - known).total_seconds() for known, seen in times if known and seen]
    if not seconds:
        return None
    most = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    median = statistics.median(seconds)
    return Promptness(
        len(seconds), timedelta(seconds=median), timedelta(seconds=most), len(times) - len(seconds)
    )
