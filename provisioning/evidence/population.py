"""Who joined, moved and left in a period, as the plans of its jobs have it; and what is not counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from cakewalk.ledger.models import Entry
from directory.bulk import batches
from provisioning import wording
from provisioning.actions import Kind, Situation
from provisioning.delays import left_at
from provisioning.evidence.items import Line
from provisioning.evidence.ordering import Order, Stand
from provisioning.models import Action, ProvisioningJob

COUNTED = (Situation.JOINER, Situation.MOVER, Situation.LEAVER)

JOBS_AT_ONCE = 100

LINE = (
    "id",
    "job_id",
    "seq",
    "job__planned_at",
    "kind",
    "situation",
    "state",
    "email",
    "account_id",
    "person_id",
    "role",
    "entitlement",
    "holder",
    "before",
    "after",
    "new_account_id",
    "error",
    "holds",
    "job__approved_at",
    "job__approved_by__username",
    "known_at",
    "started_at",
    "finished_at",
    "confirmed_at",
    "request_id",
    "corroboration",
    "rule",
    "reasons",
)

WHY_NOT: Mapping[str, str] = {
    "report": "Tells of something and changes nothing.",
    "proposed": "Asked for by a rule that is only proposed: shown, never done.",
    Situation.DRIFT: "Puts right what was changed in the remote. Nobody joined, moved or left.",
    Situation.INVITE_CHANGED: "Replaces an open invite. The joiner is counted with the first invite.",
    Situation.INVITE_EXPIRED: "Sends a lapsed invite again. The joiner is counted with the first invite.",
    Situation.ORPHAN: "About an account that is nobody's in the directory.",
    Situation.RESTORED: "Gives back what an earlier job took, with an approval of its own.",
    Situation.LEFT_BEHIND: "About keys that a removed account left behind.",
    Situation.MISSING: "Makes a project or a group that a rule names.",
    Situation.ACCEPTED_ELSEWHERE: "About an invite that was accepted under another address.",
}
"""Lines of plans that are not of the population, and why."""


def jobs_of(asked: Order, told: Stand) -> tuple[list[int], list[int]]:
    """Those that were planned before the period and ended in it or later; and those planned in it."""
    jobs = ProvisioningJob.objects.filter(integration=asked.integration, preview=False).order_by("pk")
    not_over = Q(finished_at=None) | Q(finished_at__gte=told.begins)
    earlier = jobs.filter(not_over, planned_at__lt=told.begins)
    planned = jobs.filter(planned_at__gte=told.begins, planned_at__lt=told.ends)
    return [list(some.values_list("pk", flat=True)) for some in (earlier, planned)]  # type: ignore[return-value]


def lines_of(jobs: Sequence[int]) -> QuerySet[Action]:
    return Action.objects.filter(job__in=jobs)


def finished_within(told: Stand) -> Q:
    return Q(finished_at__gte=told.begins, finished_at__lt=told.ends)


def population(asked: Order, told: Stand) -> Iterator[tuple[Line, str, datetime | None]]:
    """Each line as it stood at the end, with what it does and when a leaver's last day ended."""
    earlier, planned = jobs_of(asked, told)
    counted = Q(situation__in=COUNTED, proposed=False) & ~Q(kind=Kind.REPORT)
    for jobs, among in ((earlier, counted & finished_within(told)), (planned, counted)):
        for some in _some(jobs):
            rows = lines_of(some).filter(among).order_by("job_id", "seq").values_list(*LINE)
            for row in rows.iterator(chunk_size=1000):
                line = Line(*row).as_of(told.ends)
                gone = left_at(line.reasons) if line.situation == Situation.LEAVER else None
                yield line, wording.what(line), gone


def _some(jobs: Sequence[int]) -> Iterator[Sequence[int]]:
    return (jobs[start : start + JOBS_AT_ONCE] for start in range(0, len(jobs), JOBS_AT_ONCE))


@dataclass(frozen=True, slots=True)
class Planned:
    """A job's lines in the period: how many are of the population, and how many of each other sort."""

    counted: int
    others: Mapping[str, int]

    @property
    def lines(self) -> int:
        return self.counted + sum(self.others.values())


def counts(asked: Order, told: Stand) -> Iterator[tuple[int, Planned]]:
    """By job. Counted by the database apart from the lines themselves, so that one can be held against the
    other.
    """
    earlier, planned = jobs_of(asked, told)
    for jobs, among in ((earlier, finished_within(told)), (planned, Q())):
        for some in batches(jobs):
            rows = lines_of(some).filter(among).order_by("job_id").values_list("job_id", *ALIKE)
            found: dict[int, Counter[str]] = {job: Counter() for job in some}
            for job, kind, situation, proposed, number in rows.annotate(number=Count("pk")):
                found[job][_sort(kind, situation, proposed=proposed)] += number
            yield from ((job, Planned(of.pop(COUNTED_HERE, 0), dict(of))) for job, of in found.items())


ALIKE = ("kind", "situation", "proposed")
COUNTED_HERE = ""


def _sort(kind: str, situation: str, *, proposed: bool) -> str:
    if proposed:
        return "proposed"
    if kind == Kind.REPORT:
        return "report"
    return COUNTED_HERE if situation in COUNTED else situation


JOB_COLUMNS = (
    "job",
    "address",
    "scope",
    "trigger",
    "mode",
    "state",
    "requested_at",
    "requested_by",
    "planned_at",
    "finished_at",
    "read_complete",
    "accounts_read",
    "plan_digest",
    "lines",
    "lines_in_population",
    "lines_excluded",
    "refusal",
    "holds",
    "error",
)


def job_rows(asked: Order, told: Stand) -> Iterator[tuple[dict[str, Any], Planned]]:
    """Every job that has lines here."""
    for some in _in_pieces(counts(asked, told)):
        of = dict(some)
        rows = ProvisioningJob.objects.filter(pk__in=of).select_related("requested_by").order_by("pk")
        for job in rows:
            yield _job_row(job, of[job.pk], told.ends), of[job.pk]


def _in_pieces(pairs: Iterator[tuple[int, Planned]]) -> Iterator[list[tuple[int, Planned]]]:
    piece: list[tuple[int, Planned]] = []
    for pair in pairs:
        piece.append(pair)
        if len(piece) == JOBS_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


def _job_row(job: ProvisioningJob, planned: Planned, end: datetime) -> dict[str, Any]:
    state = state_then(job, end)
    over = state == job.state
    return {
        "job": job.pk,
        "address": f"/jobs/{job.public_id}",
        "scope": job.scope,
        "trigger": job.trigger,
        "mode": job.mode,
        "state": state,
        "requested_at": job.requested_at,
        "requested_by": job.requested_by.get_username() if job.requested_by else "",
        "planned_at": job.planned_at,
        "finished_at": job.finished_at if over else None,
        "read_complete": (job.read or {}).get("complete", False),
        "accounts_read": (job.read or {}).get("accounts"),
        "plan_digest": job.digest,
        "lines": planned.lines,
        "lines_in_population": planned.counted,
        "lines_excluded": sum(planned.others.values()),
        "refusal": (job.refusal or {}).get("code", ""),
        "holds": [hold["code"] for hold in job.holds],
        "error": (job.error or {}).get("code", "") if over else "",
    }


def state_then(job: ProvisioningJob, end: datetime) -> str:
    """Where a job was at the end of the period."""
    if job.finished_at and job.finished_at < end:
        return job.state
    awaited = job.holds and (job.approved_at is None or job.approved_at >= end)
    return ProvisioningJob.State.AWAITING_APPROVAL if awaited else ProvisioningJob.State.RUNNING


def without_a_plan(asked: Order, told: Stand) -> dict[str, int]:
    """Jobs asked for in the period that have no lines: previews, and those that came to no plan, by state."""
    jobs = ProvisioningJob.objects.filter(
        integration=asked.integration, requested_at__gte=told.begins, requested_at__lt=told.ends
    )
    previews = {"previews, which change nothing": jobs.filter(preview=True).count()}
    rest = jobs.filter(Q(planned_at=None) | Q(planned_at__gte=told.ends), preview=False).order_by()
    states: Counter[str] = Counter()
    for state, planned_at, finished_at, number in rest.values_list(
        "state", "planned_at", "finished_at"
    ).annotate(number=Count("pk")):
        ended = finished_at is not None and finished_at < told.ends and planned_at is None
        states[f"{state if ended else 'not planned yet'}: no plan was made"] += number
    return previews | dict(sorted(states.items()))


def pruned(told: Stand) -> list[dict[str, Any]]:
    """What retention has let go of jobs that ended in the period or later: the ledger tells of each time."""
    entries = Entry.objects.filter(verb=PRUNED).order_by("seq")
    facts = [(entry, entry.told()["facts"]) for entry in entries]
    return [
        {
            "entry": entry.seq,
            "at": entry.at,
            **{name: said[name] for name in ("before", "number", "file", "sha256")},
        }
        for entry, said in facts
        if said["kind"] == "jobs" and datetime.fromisoformat(said["before"]) > told.begins
    ]


PRUNED = "history.pruned"
