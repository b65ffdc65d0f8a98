"""Write a plan down: the job's facts, and one row for each line with what safety decided."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils import timezone

from directory.models import Person, Source
from directory.snapshot import Directory
from provisioning import actions, history, outlook, sealing, telling
from provisioning.drafting import Draft
from provisioning.models import Action, PersonChange, ProvisioningJob
from provisioning.plausibility import doubts
from provisioning.reading import Reading
from provisioning.reasons import Reason, left_since
from provisioning.safety import Decision, Verdict
from provisioning.search import mentions


def store(
    job: ProvisioningJob,
    plan: Draft,
    verdict: Verdict,
    reading: Reading,
    changes: Mapping[str, Any],
    directory: Directory,
    reasons: tuple[Sequence[list[Reason]], Sequence[list[Reason]]],
) -> None:
    """`reasons`: why, of each line: first of the active rules' lines, then of the proposed ones'."""
    now = timezone.now()
    rows = _rows(job, plan, verdict)
    job.has_no_lines = not rows
    known = PersonChange.objects.known_since(job) if rows else {}
    for row, why in zip(rows, chain(*reasons), strict=True):
        row.reasons = why
        row.known_at = known.get(row.person_id or 0) or _told_at(job, row.situation, why)
    mentions.note(Action.objects.bulk_create(rows, batch_size=500))
    job.mode = job.planned_mode()
    read = reading.as_json()
    earlier = history.reads_before(job) if reading.whole else []
    job.read = read | {"doubts": doubts(read, earlier), "changes": changes}
    job.directory = {
        "people": Person.objects.count(),
        "active": directory.active,
        "sources": directory.active_by_source,
        "source_ids": dict(Source.objects.values_list("name", "pk")),
    }
    alike = (
        (row.kind, row.situation, row.state, (row.error or {}).get("code", ""), row.proposed) for row in rows
    )
    job.outlook = {**job.outlook, "plan": outlook.in_numbers(alike)}
    made = sealing.plan(job)
    job.digest = made["digest"]
    job.refusal = verdict.refusal.as_json() if verdict.refusal else None
    job.holds = [reason.as_json() for reason in verdict.holds]
    job.planned_at = now
    written = (
        "mode",
        "phase",
        "phases",
        "read",
        "directory",
        "outlook",
        "digest",
        "refusal",
        "holds",
        "planned_at",
    )
    job.save(update_fields=written)
    telling.planned(job, made, rows)


def _told_at(job: ProvisioningJob, situation: str, why: Sequence[Reason]) -> datetime | None:
    """When the directory said that a leaver leaves, where no change of theirs waits for a look any more: an
    earlier plan has had them. What it said before the integration was there asked for nothing here.
    """
    said = left_since(why) if situation == actions.Situation.LEAVER else None
    at = datetime.fromisoformat(said) if said else None
    return at if at and at >= job.integration.created_at else None


def append(job: ProvisioningJob, lines: Sequence[actions.Action]) -> None:
    """Further lines of a job that is at work, decided on after it has done others."""
    if not lines:
        return
    job.has_no_lines = False
    first = job.actions.count()
    rows = []
    for seq, action in enumerate(lines, start=first + 1):
        row = Action(job=job, seq=seq, person_id=action.person_id, state=Action.State.PLANNED)
        _fill(row, actions.plan_line(action, needs=None))
        if not action.writes:
            row.state, row.finished_at = Action.State.DONE, timezone.now()
        rows.append(row)
    mentions.note(Action.objects.bulk_create(rows, batch_size=500))


def _rows(job: ProvisioningJob, plan: Draft, verdict: Verdict) -> Sequence[Action]:
    now = timezone.now()
    rows = []
    for place, ((action, needs), (decision, reasons)) in enumerate(
        zip(plan.decided, verdict.decisions, strict=True)
    ):
        needed = None if needs is None else needs + 1
        row = Action(job=job, seq=place + 1, person_id=action.person_id, state=str(decision))
        row.error = reasons[0].as_json() if reasons else None
        row.holds = [str(reason.code) for reason in reasons] if decision is Decision.HELD else []
        _fill(row, actions.plan_line(action, needs=needed))
        if not action.writes:
            row.state = Action.State.DONE
        if row.state not in (Action.State.PLANNED, Action.State.HELD):
            row.finished_at = now
        rows.append(row)
    for action, needs in plan.proposed:
        needed = None if needs is None else len(plan.decided) + needs + 1
        row = Action(job=job, seq=len(rows) + 1, person_id=action.person_id, state=Action.State.SKIPPED)
        row.error = {"code": "proposed", "detail": "Only a proposed rule asks for this; activate it first."}
        row.finished_at = now
        _fill(row, actions.plan_line(action, needs=needed, proposed=True))
        rows.append(row)
    return rows


def _fill(row: Action, line: dict[str, object]) -> None:
    for name, value in line.items():
        setattr(row, name, value)
