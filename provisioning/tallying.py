"""Adds up what has ended: jobs, actions, and how soon leavers were out. Each once, before it is pruned."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Count, F

from cakewalk.health.counting import Counts
from cakewalk.health.models import Tally
from provisioning.actions import Kind, Situation
from provisioning.models import Action, ProvisioningJob

LAG = timedelta(seconds=30)
"""What is stamped with an earlier moment than now may be seen only later, when its transaction ends."""
LONGEST = timedelta(days=90)
"""Between the asking for a job, or the leaving of a person, and its end; far more than a plan may wait."""
JOB_BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
LEAVER_BOUNDS = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
UNTIL, NO_LABELS = "tallied_until", "[]"


def tally(now: datetime) -> None:
    """From where the last one ended. Whoever comes at the same time waits, and finds nothing left."""
    with transaction.atomic():
        Tally.objects.get_or_create(name=UNTIL, labels=NO_LABELS)
        mark = Tally.objects.select_for_update().get(name=UNTIL, labels=NO_LABELS)
        since, until = datetime.fromtimestamp(mark.value, UTC), now - LAG
        if until <= since:
            return
        counts: Counts = defaultdict(float)
        for found in (_jobs, _actions, _leavers):
            for name, labels, number in found(since, until):
                counts[name, labels] += number
        Tally.objects.add(counts)
        mark.value = until.timestamp()
        mark.save(update_fields=["value"])


Found = Iterator[tuple[str, tuple[str, ...], float]]


def _jobs(since: datetime, until: datetime) -> Found:
    ended = ProvisioningJob.objects.filter(
        finished_at__gt=since, finished_at__lte=until, requested_at__gt=_long_before(since)
    )
    told = ("integration__name", "preview", "scope", "trigger", "state", "started_at", "finished_at")
    for name, preview, scope, trigger, state, began, ended_at in ended.values_list(*told):
        yield "jobs", (name, "preview" if preview else "sync", scope, trigger, state), 1
        if began:
            yield from _in_a_bucket("job_duration", name, JOB_BOUNDS, (ended_at - began).total_seconds())


def _actions(since: datetime, until: datetime) -> Found:
    settled = Action.objects.filter(finished_at__gt=since, finished_at__lte=until)
    told = settled.values_list("job__integration__name", "kind", "state").order_by()
    for name, kind, state, number in told.annotate(number=Count("pk")):
        yield "actions", (name, kind, state), number


def _leavers(since: datetime, until: datetime) -> Found:
    gone = Action.objects.filter(
        kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
        situation=Situation.LEAVER,
        state=Action.State.DONE,
        known_at__gt=_long_before(since),
        confirmed_at__gt=since,
        confirmed_at__lte=until,
    )
    for name, took in gone.values_list("job__integration__name", F("confirmed_at") - F("known_at")):
        yield from _in_a_bucket("leaver", name, LEAVER_BOUNDS, max(took.total_seconds(), 0))


def _in_a_bucket(what: str, integration: str, bounds: Sequence[float], seconds: float) -> Found:
    place = bisect_left(bounds, seconds)
    bound = str(bounds[place]) if place < len(bounds) else "+Inf"
    yield f"{what}_bucket", (integration, bound), 1
    yield f"{what}_sum", (integration,), seconds


def _long_before(since: datetime) -> datetime:
    return since - LONGEST if since.timestamp() > LONGEST.total_seconds() else since
