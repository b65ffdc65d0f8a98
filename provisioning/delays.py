"""What the record has of how a leaver's removal went: the plans that had it, the jobs that had none, and from
when to when nothing could start.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from directory.bulk import batches
from provisioning.actions import Kind, Situation
from provisioning.lateness import Attempt, Cause, Departure, Look, Shut
from provisioning.models import Action, ProvisioningJob
from provisioning.reasons import Reason, Why

State = ProvisioningJob.State


@dataclass(frozen=True, slots=True)
class Subject:
    """A leaver of one integration. `action`: of the last plan that had them, 0 without one. `gone_at`: the
    read that showed it.
    """

    integration: int
    person: int | None
    email: str
    action: int
    known_at: datetime
    gone_at: datetime | None
    target_hours: int

    @property
    def took(self) -> timedelta:
        return (self.gone_at or self.known_at) - self.known_at

    @property
    def is_late(self) -> bool:
        return self.took > timedelta(hours=self.target_hours)


def departures(integration: int, subjects: Sequence[Subject], *, now: datetime) -> list[Departure]:
    """Of each how it went, until it was seen or until now: in a constant number of queries."""
    if not subjects:
        return []
    since = min(one.known_at for one in subjects)
    attempts = _attempts(integration, {one.person for one in subjects if one.person}, since)
    looks, shut = _looks(integration, since, now), shut_of(integration, now)
    times = [look.at for look in looks]
    found = []
    for one in subjects:
        until = one.gone_at or now
        mine = [
            (planned, left)
            for planned, left in attempts.get(one.person or 0, ())
            if planned.planned_at < until
        ]
        mine = _since_the_last_time(mine, one.known_at, until)
        left_at = min((left for _, left in mine if left and left < one.known_at), default=None)
        theirs = looks[bisect_left(times, one.known_at) : bisect_left(times, until)]
        found.append(Departure(one.known_at, until, [planned for planned, _ in mine], theirs, shut, left_at))
    return found


Told = tuple[Attempt, datetime | None]


def _since_the_last_time(attempts: Sequence[Told], known_at: datetime, until: datetime) -> list[Told]:
    """Without those of an earlier departure of the same person."""
    before = [
        place
        for place, (one, _) in enumerate(attempts)
        if one.state == Action.State.DONE and one.ended_at and one.ended_at < known_at
    ]
    return list(attempts[before[-1] + 1 if before else 0 :])


def _attempts(integration: int, people: set[int], since: datetime) -> Mapping[int, list[Told]]:
    """By person, in the order of the plans."""
    found: dict[int, list[Told]] = defaultdict(list)
    for some in batches(sorted(people)):
        rows = Action.objects.filter(
            person__in=some,
            situation=Situation.LEAVER,
            kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
            job__integration=integration,
            job__preview=False,
            job__planned_at__isnull=False,
            proposed=False,
        ).select_related("job")
        for row in rows.order_by("job_id", "seq"):
            found[row.person_id or 0].append((attempt_of(row), left_at(row.reasons)))
    return found


def attempt_of(row: Action) -> Attempt:
    error = row.error or {}
    return Attempt(
        job=row.job_id,
        planned_at=row.job.planned_at or row.job.requested_at,
        state=row.state,
        code=error.get("code", ""),
        held=bool(row.holds),
        approved_at=row.job.approved_at,
        ended_at=row.finished_at,
    )


def left_at(reasons: Iterable[Reason]) -> datetime | None:
    """The end of their last day, where the directory says which it was."""
    for reason in reasons:
        if reason["code"] == Why.ENDED:
            return after(date.fromisoformat(reason["date"]))
    return None


def after(day: date | None) -> datetime | None:
    """The end of a day, where the installation is."""
    if day is None:
        return None
    midnight = datetime.combine(day + timedelta(days=1), time.min)
    return timezone.make_aware(midnight, timezone.get_default_timezone())


def _looks(integration: int, since: datetime, until: datetime) -> list[Look]:
    wrong = (State.FAILED, State.INCONCLUSIVE, State.REFUSED)
    jobs = ProvisioningJob.objects.filter(
        integration=integration,
        preview=False,
        state__in=wrong,
        requested_at__gte=since,
        requested_at__lt=until,
    )
    rows = jobs.order_by("requested_at", "pk").values_list("pk", "requested_at", "refusal", "error", "state")
    return [
        Look(pk, at, (refusal or error or {}).get("code", state)) for pk, at, refusal, error, state in rows
    ]


SHUTS: Mapping[str, Cause] = {Verb.DISABLED: Cause.DISABLED, Verb.PAUSED: Cause.PAUSED}
OPENS: Mapping[str, Cause] = {Verb.ENABLED: Cause.DISABLED, Verb.RESUMED: Cause.PAUSED}
"""Entries that tell from when to when no job of an integration starts by itself."""


def shut_of(integration: int, until: datetime) -> list[Shut]:
    entries = Entry.objects.filter(
        object_kind="integrations.integration",
        object_id=str(integration),
        verb__in=(*SHUTS, *OPENS),
        at__lt=until,
    )
    since: dict[Cause, datetime] = {}
    found: list[Shut] = []
    for verb, at in entries.order_by("seq").values_list("verb", "at"):
        if cause := SHUTS.get(verb):
            since.setdefault(cause, at)
        elif OPENS[verb] in since:
            found.append(Shut(OPENS[verb], since.pop(OPENS[verb]), at))
    return [*found, *(Shut(cause, at) for cause, at in since.items())]
