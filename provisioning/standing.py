"""How integrations stand: what staff look at first, for all of them in a constant number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.formats import date_format

from cakewalk.encryption import fernet
from integrations.models import Credential, Integration, IntegrationQuerySet, Rotation
from provisioning import credentials
from provisioning.actions import Situation
from provisioning.idleness import is_forgotten, is_idle
from provisioning.models import Action, ProvisioningJob, ProvisioningJobQuerySet

State = ProvisioningJob.State

TROUBLE = {
    State.FAILED: "The last {job} failed.",
    State.REFUSED: "The last {job} was refused, and nothing was changed.",
    State.INCONCLUSIVE: "The read of the last {job} could not be proven complete, and nothing was changed.",
    State.PARTIAL: "The last {job} did only a part of its plan.",
}

READ_TO_THE_END = (State.SUCCEEDED, State.PARTIAL, State.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Standing:
    """One integration as it stands now."""

    integration: Integration
    credential: Credential | None
    key_owner: credentials.Owner | None
    last_job: ProvisioningJob | None
    last_complete: ProvisioningJob | None
    live: ProvisioningJob | None
    awaiting: tuple[ProvisioningJob, ...]
    problems: tuple[str, ...]
    accounts: int

    @property
    def label(self) -> str:
        if self.problems:
            return "Needs attention"
        if not self.integration.enabled:
            return "Not enabled"
        return {"observe": "Observing", "extend": "Extending", "manage": "Managing"}[self.integration.mode]

    @property
    def tone(self) -> str:
        if self.problems:
            return "danger"
        if not self.integration.enabled:
            return ""
        return "success" if self.integration.mode == Integration.Mode.MANAGE else "info"


def standings(integrations: Iterable[Integration] | None = None) -> list[Standing]:
    """Every integration, or these, in the order of their names: eight queries, however many there are."""
    wanted: IntegrationQuerySet = Integration.objects.all()
    if integrations is not None:
        wanted = wanted.filter(pk__in=[integration.pk for integration in integrations])
    rows = list(_with_landmarks(wanted).order_by("name"))
    jobs = ProvisioningJob.objects.in_bulk({pk for row in rows for pk in _landmarks(row) if pk})
    keys = {
        credential.integration_id: credential
        for credential in Credential.objects.defer("secret").filter(integration__in=rows)
    }
    owners = credentials.owners(rows)
    rotations = {
        rotation.integration_id: rotation
        for rotation in Rotation.objects.unfinished()
        .filter(integration__in=rows)
        .select_related("integration")
        .defer("new_secret")
    }
    unreadable = _unreadable(rows)
    rule_problems = _rule_problems([row.last_ended_id for row in rows if row.last_ended_id])
    awaiting = list(awaiting_approval(rows))
    now = timezone.now()
    return [
        Standing(
            integration=row,
            credential=keys.get(row.pk),
            key_owner=owners.get(row.pk),
            last_job=jobs.get(row.last_job_id),
            last_complete=jobs.get(row.last_complete_id),
            live=jobs.get(row.live_id),
            awaiting=tuple(job for job in awaiting if job.integration_id == row.pk),
            problems=(
                *_credential_problems(keys.get(row.pk), row.pk in unreadable, owners.get(row.pk), now),
                *_rotation_problems(rotations.get(row.pk), now),
                *_schedule_problems(row),
                *_job_problems(jobs.get(row.last_ended_id), jobs.get(row.last_sync_id)),
                *_idleness_problems(row, jobs.get(row.live_id), jobs.get(row.last_whole_id), now),
                *_rule_sentences(rule_problems.get(row.last_ended_id, 0)),
            ),
            accounts=row.present_accounts,
        )
        for row in rows
    ]


def standing_of(integration: Integration) -> Standing:
    return standings([integration])[0]


def awaiting_approval(integrations: Iterable[Integration] | None = None) -> Iterable[ProvisioningJob]:
    waiting = ProvisioningJob.objects.filter(state=State.AWAITING_APPROVAL).select_related("integration")
    if integrations is not None:
        waiting = waiting.filter(integration__in=integrations)
    return waiting.annotate(held=Count("actions", filter=Q(actions__state=Action.State.HELD))).order_by("-pk")


def _with_landmarks(integrations: IntegrationQuerySet) -> QuerySet[Any]:
    """The jobs that say most."""
    jobs = ProvisioningJob.objects.filter(integration=OuterRef("pk")).order_by("-pk")
    ended = jobs.exclude(state__in=(*ProvisioningJob.LIVE, State.CANCELLED))
    complete = jobs.filter(state__in=READ_TO_THE_END)
    return integrations.annotate(
        last_job_id=_newest(jobs),
        live_id=_newest(jobs.live()),
        last_ended_id=_newest(ended),
        last_sync_id=_newest(ended.syncs()),
        last_complete_id=_newest(complete),
        last_whole_id=_newest(complete.syncs()),
        present_accounts=Count("accounts", filter=Q(accounts__gone_at=None)),
    )


def _newest(jobs: ProvisioningJobQuerySet) -> Subquery:
    return Subquery(jobs.values("pk")[:1])


def _landmarks(row: Any) -> Iterable[int | None]:
    yield from (row.last_job_id, row.live_id, row.last_ended_id)
    yield from (row.last_sync_id, row.last_complete_id, row.last_whole_id)


def _unreadable(integrations: Sequence[Integration]) -> set[int]:
    """Integrations whose secret no FERNET key opens. One bad row must not hide the others."""
    stored = Credential.objects.filter(integration__in=integrations).annotate(
        token=Cast("secret", output_field=TextField())
    )
    return {pk for pk, token in stored.values_list("integration_id", "token") if not _opens(token)}


def _opens(token: str) -> bool:
    try:
        fernet().decrypt(token)
    except InvalidToken:
        return False
    return True


def _rule_problems(job_ids: Sequence[int]) -> dict[int, int]:
    found = Action.objects.filter(job__in=job_ids, situation=Situation.RULE_PROBLEM)
    return dict(found.values_list("job_id").annotate(number=Count("pk")))


def _credential_problems(
    credential: Credential | None, unreadable: bool, owner: credentials.Owner | None, now: datetime
) -> Iterable[str]:
    if credential is None:
        yield "It has no credential. Enter one with Replace credential."
    else:
        yield from credentials.problems(credential, owner, now=now)
    if unreadable:
        yield (
            "Its credential cannot be decrypted with the present FERNET_KEYS. "
            "Restore the key that wrote it, or enter the credential again."
        )


def _rotation_problems(rotation: Rotation | None, now: datetime) -> Iterable[str]:
    if rotation and (problem := credentials.rotation_problem(rotation, now=now)):
        yield problem


def _schedule_problems(integration: Integration) -> Iterable[str]:
    if not integration.enabled:
        return
    if integration.rejected_at:
        yield (
            f"Paused since {_at(integration.rejected_at)}: its key is rejected, and was so when it was tried "
            "once more. No sync starts by itself until another key is entered with Replace credential, or a "
            "sync on demand goes well."
        )
    elif integration.slowed and integration.next_sync_at:
        yield (
            f"Slowed down: {integration.failed_jobs} jobs in a row failed, the next try is at "
            f"{_at(integration.next_sync_at)}. One good job brings back its own interval."
        )


def _job_problems(ended: ProvisioningJob | None, sync: ProvisioningJob | None) -> Iterable[str]:
    """What the last job ran into, and what the last sync left undone of its plan: a preview or one person's
    job that went well after it has proven that the remote answers, and has not carried that plan out.
    """
    if ended and ended.state in TROUBLE:
        yield in_trouble(ended, "job")
    elif sync and sync.planned_at and sync.state in (State.FAILED, State.PARTIAL):
        yield in_trouble(sync, "sync")


def in_trouble(job: ProvisioningJob, called: str) -> str:
    """What a job of such a state ran into."""
    said = job.error or job.refusal or {}
    return f"{TROUBLE[State(job.state)].format(job=called)} {said.get('detail', '')}".strip()


def _idleness_problems(
    integration: Integration, live: ProvisioningJob | None, whole: ProvisioningJob | None, now: datetime
) -> Iterable[str]:
    """`whole`: the last sync that read everything. What it left undone is told elsewhere."""
    if not integration.enabled:
        return
    expected = integration.watched_since or integration.created_at
    ended = whole.finished_at if whole and whole.finished_at else None
    since = max(expected, ended) if ended else expected
    if is_idle(since=since, interval=integration.interval, took=_took(whole), now=now):
        last = f"The last one ended at {_at(ended)}." if ended else "There has been none yet."
        often = integration.sync_every_minutes
        every = f"every {often} minutes" if often > 1 else "every minute"
        yield f"No sync has read everything for more than twice its interval ({every}). {last}"
    yield from _clock_problems(integration, live, now)


def _took(job: ProvisioningJob | None) -> timedelta:
    """How long a job was at work. One that waited for an approver in between does not tell."""
    if job is None or job.approved_at or not job.started_at or not job.finished_at:
        return timedelta()
    return job.finished_at - job.started_at


def _clock_problems(integration: Integration, live: ProvisioningJob | None, now: datetime) -> Iterable[str]:
    if live is None:
        due = None if integration.paused else integration.next_sync_at
        if due and is_forgotten(due, now=now):
            yield f"A sync was due at {_at(due)} and has not begun. Is the clock (Celery beat) running?"
    elif live.state == State.QUEUED:
        asked = live.approved_at or live.requested_at
        if is_forgotten(asked, now=now):
            yield f"{live} has waited for a worker since {_at(asked)}. Is a worker running?"
    elif live.lease_expires_at and is_forgotten(live.lease_expires_at, now=now):
        yield (
            f"The worker of {live} has been silent since before {_at(live.lease_expires_at)}, and nobody has "
            "taken the job over. Are the clock (Celery beat) and a worker running?"
        )


def _rule_sentences(rule_problems: int) -> Iterable[str]:
    if rule_problems == 1:
        yield "An access rule names something that cannot be managed."
    elif rule_problems:
        yield f"{rule_problems} times an access rule names something that cannot be managed."


def _at(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
