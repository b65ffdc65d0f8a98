"""All that the record has of one item: from what the directory said to the ledger's entries of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from cakewalk.ledger.chain import moment
from cakewalk.ledger.models import Entry
from directory.models import Revision
from provisioning import because, sealing, wording
from provisioning.evidence.items import Item, Line
from provisioning.evidence.ordering import Stand
from provisioning.evidence.population import LINE, state_then
from provisioning.models import Action, ProvisioningJob

MOST_REVISIONS = 20
MOST_ENTRIES = 200
BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, for the summary. `entry`: of the ledger, where one tells of it."""

    at: datetime
    what: str
    detail: str = ""


def trail(item: Item, told: Stand) -> dict[str, Any]:
    """As plain JSON."""
    lines = list(_lines(item, told))
    return {
        "directory": [_revision(one) for one in _revisions(item, told)],
        "plans": lines,
        "ledger": [_entry(one) for one in _entries(item, lines, told)],
    }


def _revisions(item: Item, told: Stand) -> Iterable[Revision]:
    """What the directory said of the person, up to when it was done."""
    if not item.person:
        return []
    until = item.finished_at or told.ends
    said = Revision.objects.filter(person=item.person, at__lte=until, at__lt=told.ends).order_by("-pk")
    since = min(filter(None, (item.known_at, item.planned_at, told.begins))) - BEFORE
    return list(said.filter(at__gte=since)[:MOST_REVISIONS])[::-1]


def _revision(one: Revision) -> dict[str, Any]:
    return {"at": moment(one.at), "by": one.by, "fields": one.fields}


def _lines(item: Item, told: Stand) -> Iterator[dict[str, Any]]:
    rows = Action.objects.filter(pk__in=item.lines).select_related(
        "job__requested_by", "job__approved_by", "job__rejected_by", "job__cancelled_by"
    )
    then = {
        row[0]: Line(*row).as_of(told.ends)
        for row in Action.objects.filter(pk__in=item.lines).values_list(*LINE)
    }
    planned = {
        values["pk"]: values
        for values in Action.objects.filter(pk__in=item.lines).values(
            "pk", *sealing.PLAN_FIELDS, *sealing.OF_A_GROUP
        )
    }
    for row in rows.order_by("job_id", "seq"):
        line = then[row.pk]
        yield {
            "job": _job(row.job, told.ends),
            "action": row.pk,
            "seq": row.seq,
            "line": sealing.plan_line(planned[row.pk]),
            "what": wording.what(row),
            "why": because.in_words(row.reasons),
            "reasons": row.reasons,
            "known_at": _moment(line.known_at),
            "held_for": list(line.holds),
            "state": line.state,
            "error": line.error,
            "started_at": _moment(line.started_at),
            "finished_at": _moment(line.finished_at),
            "request_id": line.request_id,
            "confirmed_at": _moment(line.confirmed_at),
            "audit_log": line.corroboration,
            "caused_by": row.caused_by,
        }


def _job(job: ProvisioningJob, end: datetime) -> dict[str, Any]:
    decided = [one for one in job.overrides if datetime.fromisoformat(one["at"]) < end]
    state = state_then(job, end)
    return {
        "job": job.pk,
        "address": f"/jobs/{job.public_id}",
        "trigger": job.trigger,
        "scope": job.scope,
        "mode": job.mode,
        "requested_at": _moment(job.requested_at),
        "requested_by": job.requested_by.get_username() if job.requested_by else None,
        "planned_at": _moment(job.planned_at),
        "digest": job.digest,
        "read": {name: job.read.get(name) for name in ("complete", "accounts", "pages", "calls")},
        "holds": job.holds,
        "approvals": decided,
        "rejection": _rejection(job, end),
        "state": state,
        "cancel_reason": job.cancel_reason if state == job.state else "",
    }


def _rejection(job: ProvisioningJob, end: datetime) -> dict[str, Any] | None:
    if job.rejected_at is None or job.rejected_at >= end:
        return None
    by = job.rejected_by.get_username() if job.rejected_by else None
    return {"at": _moment(job.rejected_at), "by": by, "reason": job.rejection_reason}


def _entries(item: Item, lines: Sequence[dict[str, Any]], told: Stand) -> Iterable[Entry]:
    """Of its lines, of their jobs, and of the person."""
    about = Q(object_kind="provisioning.action", object_id__in=[str(pk) for pk in item.lines])
    jobs = [str(line["job"]["job"]) for line in lines]
    about |= Q(object_kind="provisioning.provisioningjob", object_id__in=jobs)
    if item.person:
        about |= Q(object_kind="directory.person", object_id=str(item.person))
    return Entry.objects.filter(about, seq__lte=told.last.seq).order_by("seq")[:MOST_ENTRIES]


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "at": moment(one.at),
        "verb": one.verb,
        "actor": one.actor,
        "actor_kind": one.actor_kind,
        "object": one.object_name,
        "said": one.told(),
        "hash": one.hash,
    }


def _moment(at: datetime | None) -> str | None:
    return moment(at) if at else None


def steps(item: Item, found: dict[str, Any]) -> list[Step]:
    """The trail as a story, in the order of time."""
    told = [
        Step(_at(one["at"]), "The directory said", f"{_fields(one['fields'])} ({one['by']})")
        for one in found["directory"]
    ]
    for line in found["plans"]:
        told += _steps_of(line)
    # What others tell is exact to the second only: what was done comes before what tells of it.
    return sorted(told, key=lambda step: step.at.replace(microsecond=0))


def _steps_of(line: dict[str, Any]) -> Iterator[Step]:
    job = line["job"]
    yield Step(
        _at(job["planned_at"]), f"Planned in job {job['job']}", f"{line['what']}. {line['why']}".strip()
    )
    if line["held_for"]:
        why = "; ".join(hold["detail"] for hold in job["holds"] if hold["code"] in line["held_for"])
        yield Step(_at(job["planned_at"]), "Held", why)
    for one in job["approvals"]:
        yield Step(_at(one["at"]), f"Approved by {one['by']}", f"“{one['reason']}” ({one['code']})")
    if rejection := job["rejection"]:
        yield Step(_at(rejection["at"]), f"Rejected by {rejection['by']}", f"“{rejection['reason']}”")
    if line["started_at"]:
        yield Step(_at(line["started_at"]), "Sent", "")
    if line["finished_at"]:
        error = f"{line['error']['code']}: {line['error'].get('detail', '')}" if line["error"] else ""
        request = f"OpenAI's request id {line['request_id']}" if line["request_id"] else ""
        yield Step(
            _at(line["finished_at"]), line["state"].capitalize(), " ".join(filter(None, (error, request)))
        )
    if line["confirmed_at"]:
        yield Step(_at(line["confirmed_at"]), "Confirmed", "A read of the organization showed the effect.")
    if event := line["audit_log"]:
        said = f"Event {event.get('event', '')} by {event.get('actor', '')}"
        yield Step(
            _at(event["at"]) if event.get("at") else _at(job["planned_at"]), "OpenAI's audit log", said
        )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _fields(fields: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {_value(was)} → {_value(now)}" for name, (was, now) in sorted(fields.items()))


def _value(value: Any) -> str:
    match value:
        case None | "" | []:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
    return str(value)
