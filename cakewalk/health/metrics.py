"""/metrics for Prometheus: figures of the whole installation, asked of the database when they are scraped.

So they are the same from every process. A constant number of queries, none of which looks at actions.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from django.db.models import Count, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from cakewalk import secrets_health
from cakewalk.health.models import Heartbeat, Part, Tally
from cakewalk.health.readiness import QUEUED, readiness
from cakewalk.ledger.models import Head, Verification
from integrations.budgets import FamilyBudget
from integrations.models import Integration
from provisioning.alarms.causes import Cause
from provisioning.alarms.models import Alarm
from provisioning.models import PersonChange, ProvisioningJob
from provisioning.standing import READ_TO_THE_END
from provisioning.tallying import JOB_BOUNDS, LEAVER_BOUNDS

CONTENT_TYPE = CONTENT_TYPE_LATEST
State = ProvisioningJob.State
VERSION = "0.1.0"
PEOPLE, EVERYONE = ProvisioningJob.Scope.PEOPLE, ProvisioningJob.Scope.EVERYONE


@dataclass(frozen=True, slots=True)
class Counter:
    tally: str
    name: str
    says: str
    labels: Sequence[str] = ()


COUNTERS = (
    Counter(
        "jobs",
        "cakewalk_jobs",
        "Jobs that came to this state, in which they ended or wait for an approver.",
        ("integration", "kind", "scope", "trigger", "state"),
    ),
    Counter(
        "actions",
        "cakewalk_actions",
        "Actions settled, as they stood then.",
        ("integration", "kind", "state"),
    ),
    Counter(
        "api_calls",
        "cakewalk_api_calls",
        "Calls to remotes by the status of the answer; none: there was no answer.",
        ("integration", "method", "status"),
    ),
    Counter(
        "api_retries", "cakewalk_api_retries", "Calls to remotes that repeat another one.", ("integration",)
    ),
    Counter(
        "api_waits",
        "cakewalk_api_wait_seconds",
        "Seconds that calls waited for a limit to be lifted, or before a retry.",
        ("integration",),
    ),
    Counter("sign_in_failures", "cakewalk_sign_in_failures", "Sign-ins that failed."),
)
HISTOGRAMS = (
    ("job_duration", "cakewalk_job_duration_seconds", "From a job's first claim to its end.", JOB_BOUNDS),
    (
        "leaver",
        "cakewalk_leaver_seconds",
        "From when the directory knew that somebody left to the read that confirmed them gone.",
        LEAVER_BOUNDS,
    ),
)


def exposition() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return generate_latest(registry)


class Figures:
    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield _gauge("cakewalk_build_info", "The version that is served.", ["version"], {(VERSION,): 1})
        yield from _counted()
        yield from _queues(now)
        yield from _plans(now)
        yield from _integrations()
        yield from _limits(now)
        yield from _alarms()
        yield from _parts(now)
        yield from _ledger()


Values = Mapping[Any, float]
"""By the values of the labels, in their order."""


def _gauge(name: str, says: str, labels: Sequence[str], values: Values) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _counted() -> Iterator[Metric]:
    tallies: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for name, labelled, number in Tally.objects.order_by("pk").values_list("name", "labels", "value"):
        tallies[name][tuple(json.loads(labelled))] = number
    for counter in COUNTERS:
        family = CounterMetricFamily(counter.name, counter.says, labels=counter.labels)
        for labels, value in (tallies[counter.tally] or ({} if counter.labels else {(): 0.0})).items():
            family.add_metric(labels, value)
        yield family
    for tally, name, says, bounds in HISTOGRAMS:
        yield _histogram(name, says, bounds, tallies[f"{tally}_bucket"], tallies[f"{tally}_sum"])


def _histogram(name: str, says: str, bounds: Sequence[float], buckets: Values, sums: Values) -> Metric:
    family = HistogramMetricFamily(name, says, labels=["integration"])
    named = [*map(str, bounds), "+Inf"]
    for (integration,), total in sums.items():
        numbers = accumulate(buckets.get((integration, bound), 0.0) for bound in named)
        family.add_metric([integration], list(zip(named, numbers, strict=True)), total)
    return family


def _queues(now: datetime) -> Iterator[Metric]:
    asked = Min(Coalesce("approved_at", "requested_at"))
    live = (
        ProvisioningJob.objects.live()
        .order_by()
        .values_list("scope", "state")
        .annotate(number=Count("pk"), since=asked)
    )
    found = {(scope, state): (number, since) for scope, state, number, since in live}
    nobody = (0, now)
    jobs = {
        (scope, state): found.get((scope, state), nobody)
        for scope in (EVERYONE, PEOPLE)
        for state in (State.QUEUED, State.RUNNING)
    }
    yield _gauge(
        "cakewalk_live_jobs",
        "Jobs that are queued or at work.",
        ["scope", "state"],
        {(str(scope), str(state)): number for (scope, state), (number, _) in jobs.items()},
    )
    yield _gauge(
        "cakewalk_oldest_queued_job_age_seconds",
        "For how long the oldest queued job has waited for a worker; 0 without one.",
        ["scope"],
        {(str(scope),): _age(jobs[scope, State.QUEUED][1], now) for scope in (EVERYONE, PEOPLE)},
    )
    waiting = PersonChange.objects.due(now).aggregate(number=Count("pk"), since=Min("known_at"))
    yield _gauge(
        "cakewalk_people_waiting", "Changes of people that wait for a job.", [], {(): waiting["number"]}
    )
    yield _gauge(
        "cakewalk_oldest_waiting_person_age_seconds",
        "For how long the oldest change of a person has waited for a job; 0 without one.",
        [],
        {(): _age(waiting["since"], now)},
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _plans(now: datetime) -> Iterator[Metric]:
    waiting = ProvisioningJob.objects.filter(state=State.AWAITING_APPROVAL).order_by()
    held = list(waiting.values_list("integration__name").annotate(Count("pk"), Min("planned_at")))
    numbers = {(name,): number for name, number, _ in held}
    yield _gauge("cakewalk_held_plans", "Plans that wait for an approver.", ["integration"], numbers)
    ages = {(name,): _age(since, now) for name, _, since in held}
    says = "For how long the oldest plan has waited for an approver."
    yield _gauge("cakewalk_oldest_held_plan_age_seconds", says, ["integration"], ages)


def _integrations() -> Iterator[Metric]:
    jobs = ProvisioningJob.objects.syncs().filter(integration=OuterRef("pk"), planned_at__isnull=False)
    read = jobs.filter(state__in=READ_TO_THE_END).order_by("-planned_at").values("planned_at")[:1]
    every = list(
        Integration.objects.order_by("pk")
        .annotate(read_at=Subquery(read))
        .values_list("name", "enabled", "rejected_at", "read_at")
    )
    enabled = {(name,): float(on) for name, on, _, _ in every}
    yield _gauge(
        "cakewalk_integration_enabled", "1 where syncs start by themselves.", ["integration"], enabled
    )
    paused = {(name,): float(rejected is not None) for name, _, rejected, _ in every}
    yield _gauge("cakewalk_integration_paused", "1 where the key is rejected.", ["integration"], paused)
    yield _gauge(
        "cakewalk_last_complete_sync_timestamp_seconds",
        "When the last sync of everyone that read everything made its plan.",
        ["integration"],
        {(name,): read_at.timestamp() for name, _, _, read_at in every if read_at},
    )


def _limits(now: datetime) -> Iterator[Metric]:
    """Of endpoints that have refused a call; of the others no limit is known."""
    known = FamilyBudget.objects.filter(ends_at__gt=now.timestamp()).values_list(
        "integration__name", "family", "limit", "room", "ends_at"
    )
    rows = list(known.order_by("pk"))
    labels = ["integration", "endpoint"]
    limits = {(name, family): limit for name, family, limit, _, _ in rows if limit is not None}
    yield _gauge("cakewalk_rate_limit_calls", "Calls that an endpoint takes in a window.", labels, limits)
    rooms = {(name, family): room for name, family, _, room, _ in rows if room is not None}
    yield _gauge("cakewalk_rate_limit_remaining_calls", "Calls left in this window.", labels, rooms)
    ends = {(name, family): ends_at for name, family, _, _, ends_at in rows}
    yield _gauge("cakewalk_rate_limit_window_ends_timestamp_seconds", "When this window ends.", labels, ends)


def _alarms() -> Iterator[Metric]:
    found = dict(Alarm.objects.open().order_by().values_list("cause").annotate(Count("pk")))
    numbers = {(str(cause),): float(found.get(cause, 0)) for cause in Cause}
    yield _gauge("cakewalk_open_alarms", "Alarms that are not over.", ["cause"], numbers)


def _parts(now: datetime) -> Iterator[Metric]:
    beats = dict(Heartbeat.objects.values_list("part", "at"))
    ages = {(part,): _age(at, now) for part, at in beats.items() if part in Part.values}
    says = "Since when nothing was heard from clock or workers."
    yield _gauge("cakewalk_heartbeat_age_seconds", says, ["part"], ages)
    well = {(part,): float(state.ok) for part, state in readiness().items()}
    yield _gauge("cakewalk_ready", "1 where a part is well, as /readyz has it.", ["part"], well)
    yield _gauge(
        "cakewalk_broker_messages",
        "Messages that wait in the broker; none where it does not answer.",
        ["queue"],
        {(queue,): number for queue, number in QUEUED.items()} if well[("broker",)] else {},
    )


def _ledger() -> Iterator[Metric]:
    closed: Values = {(): float(len(secrets_health.unreadable()))}
    says = "Of the newest stored secrets, those that no key in FERNET_KEYS opens."
    yield _gauge("cakewalk_unreadable_secrets", says, [], closed)
    head = Head.objects.values_list("seq", flat=True).first()
    yield CounterMetricFamily(
        "cakewalk_ledger_entries", "Entries of the ledger ever written.", value=head or 0
    )
    last = Verification.objects.order_by("-at", "-pk").first()
    values: Values = {(): last.at.timestamp()} if last else {}
    yield _gauge(
        "cakewalk_ledger_verified_timestamp_seconds", "When all of the ledger was last read.", [], values
    )
    intact: Values = {(): float(last.is_intact)} if last else {}
    yield _gauge("cakewalk_ledger_intact", "1 where that found no break.", [], intact)
