"""After all is done: what the remote's own record tells of what we did, and of who did what we did not.

It decides nothing and changes nothing in the remote. Whatever goes wrong in it leaves the job as it is. A
record may be late, so that an event which is not there yet is looked for by the next job once more.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseTrouble
from django.db import transaction
from django.utils import timezone

from directory.emails import email_key
from integrations.connectors.base import Connector, ConnectorError, Event, NotKept
from integrations.models import Credential
from provisioning.actions import Kind, Situation
from provisioning.applying import KeepAlive
from provisioning.differences import Change
from provisioning.models import Action, JobLost, ProvisioningJob
from provisioning.remote_record import (
    ADDED,
    BROUGHT_ABOUT,
    CLOCKS_DIFFER,
    ENDED,
    LED_TO,
    TELLS_OF,
    Deed,
    Finding,
    Record,
    cause,
    confirmations,
)

log = logging.getLogger(__name__)

Told = dict[str, str]


def corroborate(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> None:
    """For jobs about everyone, which look after those about some people, too."""
    if not job.about_everyone:
        return
    try:
        _corroborate(job, connector, keep_alive)
    except (JobLost, DatabaseTrouble):
        raise
    except ConnectorError as error:
        log.info("%s is not corroborated: %s", job, error)
    except Exception:
        log.exception("%s is not corroborated.", job)


def _corroborate(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> None:
    since, jobs = _in_question(job)
    _keep_told(job, jobs[0])
    done, unexplained = _deeds(jobs), _unexplained(jobs)
    if not (done or unexplained):
        return
    credential = Credential.objects.defer("secret").get(integration=job.integration_id)
    if not credential.may_read_events(now=timezone.now()):
        return
    keep_alive.now("Looking into the audit log")
    kinds = {deed.of for deed in done} | {kind for one in jobs for kind, _ in one.read.get("held", [])}
    try:
        events = connector.fetch_events(since - CLOCKS_DIFFER, kinds)
    except NotKept as error:
        credential.learn_of_events(str(error), now=timezone.now())
        return
    credential.learn_of_events("", now=timezone.now())
    ours = _told_before(job, since)
    confirmed = confirmations(done, [one for one in events if one.id not in ours], credential.owner_id)
    ours |= {event.id for event in confirmed.values()}
    with transaction.atomic():
        keep_alive.now(f"Read {len(events)} events of the audit log")
        for key, event in confirmed.items():
            Action.objects.filter(pk=key).update(corroboration=_as_json(event))
        _explain(unexplained, jobs, Record(events), ours)


def _in_question(job: ProvisioningJob) -> tuple[datetime, Sequence[ProvisioningJob]]:
    """The sync before this one and every job since. What they found may have been done at any time since the
    sync before that one.
    """
    planned = job.integration.jobs.filter(planned_at__isnull=False)
    former = list(planned.syncs().filter(pk__lt=job.pk).order_by("-pk")[:2])
    first, oldest = (former[0], former[-1]) if former else (job, job)
    jobs = planned.filter(pk__gte=first.pk, pk__lte=job.pk).order_by("pk")
    return oldest.started_at or oldest.requested_at, list(jobs)


def _told_before(job: ProvisioningJob, since: datetime) -> set[str]:
    """Events that were found to tell of what we did."""
    ours = Action.objects.filter(job__integration=job.integration_id, corroboration__isnull=False)
    recent = ours.filter(started_at__gte=since - CLOCKS_DIFFER)
    return {found["event"] for found in recent.values_list("corroboration", flat=True) if found}


def _as_json(event: Event) -> Told:
    return {"event": event.id, "at": event.at.isoformat(), "actor": event.actor}


# -- what we did


def _deeds(jobs: Collection[ProvisioningJob]) -> list[Deed]:
    done = Action.objects.writing().filter(job__in=jobs, state=Action.State.DONE, corroboration__isnull=True)
    return [_as_deed(row, row.started_at) for row in done.order_by("pk") if row.started_at]


def _as_deed(row: Action, started_at: datetime) -> Deed:
    held = row.entitlement or {}
    subjects, place_id = {row.account_id, (row.holder or {}).get("id")}, _place_id(row)
    if row.kind == Kind.INVITE:
        subjects = {row.new_account_id, row.email}
    elif row.kind == Kind.CREATE:
        subjects = {row.new_account_id}
    elif row.kind == Kind.REVOKE_KEY:
        subjects, place_id = {held.get("id", "").rpartition("/")[2]}, ""
    return Deed(
        key=row.pk,
        kind=TELLS_OF[row.kind],
        subjects=frozenset(filter(None, subjects)),
        since=started_at,
        until=row.finished_at or started_at,
        of=held.get("kind", ""),
        place_id=place_id,
    )


def _place_id(row: Action) -> str:
    """What lies in a place has the id of both, and a record tells of the place."""
    return str((row.entitlement or {}).get("id", "").partition("/")[0])


# -- what others did


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A difference that a job's read has found, and of which nobody knows yet who made it."""

    job: ProvisioningJob
    change: Told

    def finding(self) -> Finding:
        subjects = {self.change["account_id"], self.change["email"]} - {""}
        return Finding(BROUGHT_ABOUT[self.change["change"]], frozenset(subjects), _until(self.job))

    @property
    def identity(self) -> Told:
        return {name: self.change[name] for name in ("change", "account_id")}


def _unexplained(jobs: Sequence[ProvisioningJob]) -> list[Unexplained]:
    found = []
    for job in jobs:
        known = [(told["change"], told["account_id"]) for told in job.corroborated or []]
        for change in job.read.get("changes", {}).get("first", []):
            if change["change"] in BROUGHT_ABOUT and (change["change"], change["account_id"]) not in known:
                found.append(Unexplained(job, change))
    return found


def _explain(
    found: Sequence[Unexplained], jobs: Sequence[ProvisioningJob], record: Record, ours: Collection[str]
) -> None:
    for job in jobs:
        told = [
            one.identity | _as_json(event)
            for one in found
            if one.job is job and (event := cause(one.finding(), record, ours))
        ]
        if told:
            job.corroborated = [*(job.corroborated or []), *told]
            job.save(update_fields=["corroborated"])
    for row, finding in _led_to(found, jobs):
        if event := cause(finding, record, ours):
            Action.objects.filter(pk=row.pk).update(caused_by=_as_json(event))


def _led_to(
    found: Sequence[Unexplained], jobs: Sequence[ProvisioningJob]
) -> Iterator[tuple[Action, Finding]]:
    """The lines of plans that would not be there, had nobody made those differences. What groups hold is not
    compared between two reads, so that only their lines tell of it.
    """
    changed = {one.change["account_id"] for one in found}
    ended = {
        email_key(one.change["email"]): one.change["account_id"]
        for one in found
        if one.change["change"] == Change.VANISHED and one.change["email"]
    }
    by_job = {job.pk: job for job in jobs}
    rows = Action.objects.filter(job__in=jobs, caused_by__isnull=True)
    drift = rows.filter(situation__in=(Situation.DRIFT, Situation.ORPHAN))
    for row in drift.filter(account_id__in=changed) | drift.of_groups():
        kinds = ADDED if row.situation == Situation.ORPHAN else LED_TO.get(row.kind, ())
        subjects = frozenset({row.account_id or "", row.email, (row.holder or {}).get("id", "")} - {""})
        of = (row.entitlement or {}).get("kind", "")
        yield row, Finding(kinds, subjects, _until(by_job[row.job_id]), of, _place_id(row))
    if ended:
        for row in rows.filter(situation=Situation.JOINER, kind=Kind.INVITE):
            if account_id := ended.get(email_key(row.email)):
                yield row, Finding(ENDED, frozenset({account_id}), _until(by_job[row.job_id]))


def _until(job: ProvisioningJob) -> datetime:
    """What was read cannot have been done later than the plan was made of it."""
    return job.planned_at or job.requested_at


def _keep_told(job: ProvisioningJob, former: ProvisioningJob) -> None:
    """A line that the sync before had as well has the same cause, which its events are too old to tell."""
    told = {_line(row): row.caused_by for row in former.actions.filter(caused_by__isnull=False)}
    if not told or former.pk == job.pk:
        return
    for row in job.actions.filter(caused_by__isnull=True, account_id__in={line[2] for line in told}):
        if _line(row) in told:
            Action.objects.filter(pk=row.pk).update(caused_by=told[_line(row)])


def _line(row: Action) -> tuple[Any, ...]:
    return row.kind, row.situation, row.account_id, row.role, (row.entitlement or {}).get("id")
