"""How integrations stand: what staff look at first, for all of them in a constant number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.encryption import fernet
from integrations.models import Credential, Integration, IntegrationQuerySet, Rotation
from provisioning import credentials
from provisioning.actions import Situation
from provisioning.credentials import Problem
from provisioning.idleness import is_forgotten, is_idle
from provisioning.models import Account, Action, ProvisioningJob, ProvisioningJobQuerySet
from provisioning.safety import Code

State, Mode = ProvisioningJob.State, Integration.Mode

TROUBLE: Mapping[str, Promise] = {
    State.FAILED: gettext_lazy("The last job failed."),
    State.REFUSED: gettext_lazy("The last job was refused, and nothing was changed."),
    State.INCONCLUSIVE: gettext_lazy(
        "The read of the last job could not be proven complete, and nothing was changed."
    ),
    State.PARTIAL: gettext_lazy("The last job did only a part of its plan."),
}
OF_A_SYNC: Mapping[str, Promise] = {
    State.FAILED: gettext_lazy("The last sync failed."),
    State.PARTIAL: gettext_lazy("The last sync did only a part of its plan."),
}

READ_TO_THE_END = (State.SUCCEEDED, State.PARTIAL, State.AWAITING_APPROVAL)


class SettledAt(Enum):
    """Where a person settles a trouble."""

    CREDENTIAL = "credential"
    JOB = "job"
    RULES = "rules"
    INTEGRATION = "integration"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code`: what sort it is, or of a job, how it ended."""

    code: str
    says: str
    settled_at: SettledAt
    job: ProvisioningJob | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How an integration is, in a line, and what there is to add."""

    tone: str
    says: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """One integration as it stands now. `last_sync`: that ended, and read everything, and was no preview.

    `beyond`: so many of its actions the mode does not allow. `changed_at`: when we last changed an account.
    """

    integration: Integration
    credential: Credential | None
    key_owner: credentials.Owner | None
    rotation: Rotation | None
    last_job: ProvisioningJob | None
    last_complete: ProvisioningJob | None
    last_sync: ProvisioningJob | None
    live: ProvisioningJob | None
    awaiting: tuple[ProvisioningJob, ...]
    troubles: tuple[Trouble, ...]
    accounts: int
    beyond: int
    changed_at: datetime | None

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(trouble.says for trouble in self.troubles)

    @property
    def label(self) -> str:
        if self.troubles:
            return _("Needs attention")
        if not self.integration.enabled:
            return _("Not enabled")
        return str(DOING[self.integration.mode])

    @property
    def tone(self) -> str:
        if self.troubles:
            return "danger"
        if not self.integration.enabled:
            return ""
        return "success" if self.integration.mode == Mode.MANAGE else "info"

    @property
    def health(self) -> Health:
        if self.troubles:
            return _in_trouble(self.troubles)
        if not self.integration.enabled:
            return Health("", _("Not enabled: nothing is read, and nothing is changed."))
        if held := sum(getattr(job, "held", 0) for job in self.awaiting):
            return Health("warning", _waits(held), _("What is not held has been done."))
        if self.last_sync is None or self.last_sync.finished_at is None:
            return Health("info", _("No sync has read everything yet."))
        return self._in_step(self.last_sync.finished_at)

    def _in_step(self, ended: datetime) -> Health:
        proven = _("The last complete sync ended on %(when)s.") % {"when": _at(ended)}
        if self.beyond:
            return Health("info", _out_of_step(self.beyond, self.integration.mode), proven)
        if self.integration.change_waits:
            return Health("info", _("A change in the directory waits for the next sync."), proven)
        if self.changed_at:
            since = _("In step since %(when)s: nothing has had to be changed after that.")
            return Health("success", since % {"when": _at(self.changed_at)}, proven)
        return Health("success", _("In step: nothing has had to be changed yet."), proven)


DOING: dict[str, str | Promise] = {
    Mode.OBSERVE: gettext_lazy("Observing"),
    Mode.EXTEND: gettext_lazy("Extending"),
    Mode.MANAGE: gettext_lazy("Managing"),
}


def _in_trouble(troubles: Sequence[Trouble]) -> Health:
    if len(troubles) == 1:
        return Health("danger", troubles[0].says)
    number = len(troubles)
    said = ngettext("%(number)d thing needs attention.", "%(number)d things need attention.", number)
    return Health("danger", said % {"number": number})


def _waits(held: int) -> str:
    said = ngettext(
        "%(number)d action waits for an approver.", "%(number)d actions wait for an approver.", held
    )
    return said % {"number": held}


def _out_of_step(number: int, mode: str) -> str:
    if mode == Mode.OBSERVE:
        said = ngettext(
            "%(number)d change would bring it in step. Mode observe changes nothing.",
            "%(number)d changes would bring it in step. Mode observe changes nothing.",
            number,
        )
    else:
        said = ngettext(
            "%(number)d more change would bring it in step. Mode extend takes nothing away.",
            "%(number)d more changes would bring it in step. Mode extend takes nothing away.",
            number,
        )
    return said % {"number": number}


def standings(integrations: Iterable[Integration] | None = None) -> list[Standing]:
    """Every integration, or these, in the order of their names: seven queries, however many there are."""
    wanted: IntegrationQuerySet = Integration.objects.all()
    if integrations is not None:
        those = integrations if isinstance(integrations, QuerySet) else [one.pk for one in integrations]
        wanted = wanted.filter(pk__in=those)
    rows = list(_with_landmarks(wanted).order_by("name"))
    jobs = ProvisioningJob.objects.in_bulk({pk for row in rows for pk in _landmarks(row) if pk})
    keys = {key.integration_id: key for key in _credentials(rows)}
    owners = credentials.owners(rows)
    rotations = {rotation.integration_id: rotation for rotation in _last_rotations(rows)}
    findings = _findings({pk for row in rows for pk in (row.last_ended_id, row.last_whole_id) if pk})
    awaiting = list(awaiting_approval(rows))
    now = timezone.now()
    return [
        Standing(
            integration=row,
            credential=keys.get(row.pk),
            key_owner=owners.get(row.pk),
            rotation=rotations.get(row.pk),
            last_job=jobs.get(row.last_job_id),
            last_complete=jobs.get(row.last_complete_id),
            last_sync=jobs.get(row.last_whole_id),
            live=jobs.get(row.live_id),
            awaiting=tuple(job for job in awaiting if job.integration_id == row.pk),
            troubles=(
                *_of(
                    SettledAt.CREDENTIAL,
                    _credential_problems(keys.get(row.pk), owners.get(row.pk), now),
                ),
                *_of(SettledAt.INTEGRATION, _rotation_problems(rotations.get(row.pk), now)),
                *_schedule_troubles(row),
                *_job_troubles(jobs.get(row.last_ended_id), jobs.get(row.last_sync_id)),
                *_of(
                    SettledAt.INTEGRATION,
                    _idleness_problems(row, jobs.get(row.live_id), jobs.get(row.last_whole_id), now),
                ),
                *_of(SettledAt.RULES, _rule_problems(findings.rule_problems.get(row.last_ended_id, 0))),
            ),
            accounts=row.present_accounts,
            beyond=findings.beyond_mode.get(row.last_whole_id, 0),
            changed_at=row.last_changed_at,
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
    # A maximum beside the count would read every account, and not only an index.
    changed = Account.objects.filter(integration=OuterRef("pk"), changed_at__isnull=False)
    return integrations.annotate(
        last_job_id=_newest(jobs),
        live_id=_newest(jobs.live()),
        last_ended_id=_newest(ended),
        last_sync_id=_newest(ended.syncs()),
        last_complete_id=_newest(complete),
        last_whole_id=_newest(complete.syncs()),
        present_accounts=Count("accounts", filter=Q(accounts__gone_at=None)),
        last_changed_at=Subquery(changed.order_by("-changed_at").values("changed_at")[:1]),
    )


def _newest(jobs: ProvisioningJobQuerySet) -> Subquery:
    return Subquery(jobs.values("pk")[:1])


def _landmarks(row: Any) -> Iterable[int | None]:
    yield from (row.last_job_id, row.live_id, row.last_ended_id)
    yield from (row.last_sync_id, row.last_complete_id, row.last_whole_id)


def _credentials(integrations: Sequence[Integration]) -> QuerySet[Credential]:
    """With what is stored, not what it means: a secret that no FERNET key opens must not hide the rest."""
    stored = Credential.objects.defer("secret").filter(integration__in=integrations)
    return stored.annotate(token=Cast("secret", output_field=TextField()))


def _last_rotations(integrations: Sequence[Integration]) -> QuerySet[Rotation]:
    """A new one begins only when the one before is finished."""
    last = Rotation.objects.filter(integration__in=integrations).order_by().values("integration")
    found = Rotation.objects.filter(pk__in=last.annotate(last=Max("pk")).values("last"))
    return found.select_related("integration", "by").defer("new_secret")


def _opens(token: str) -> bool:
    try:
        fernet().decrypt(token)
    except InvalidToken:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Findings:
    """What jobs found, by their ids: problems of rules, and changes that the mode does not allow."""

    rule_problems: dict[int, int]
    beyond_mode: dict[int, int]


def _findings(jobs: Iterable[int]) -> Findings:
    problems, beyond = (
        Q(situation=Situation.RULE_PROBLEM),
        Q(state=Action.State.SKIPPED, error__code=Code.MODE),
    )
    found = Action.objects.filter(problems | beyond, job__in=list(jobs)).order_by().values_list("job_id")
    counted = list(found.annotate(problems=Count("pk", filter=problems), beyond=Count("pk", filter=beyond)))
    return Findings({job: number for job, number, _ in counted}, {job: number for job, _, number in counted})


def _of(settled_at: SettledAt, problems: Iterable[Problem]) -> Iterable[Trouble]:
    return (Trouble(problem.code, problem.says, settled_at) for problem in problems)


def _credential_problems(
    credential: Any, owner: credentials.Owner | None, now: datetime
) -> Iterable[Problem]:
    if credential is None:
        yield Problem("credential_missing", _("It has no credential. Enter one with Replace credential."))
    else:
        yield from credentials.problems(credential, owner, now=now)
    if credential and not _opens(credential.token):
        said = _(
            "Its credential cannot be decrypted with the present FERNET_KEYS. Restore the key that wrote it, "
            "or enter the credential again."
        )
        yield Problem("credential_unreadable", said)


def _rotation_problems(rotation: Rotation | None, now: datetime) -> Iterable[Problem]:
    if (
        rotation
        and rotation.state in Rotation.UNFINISHED
        and (problem := credentials.rotation_problem(rotation, now=now))
    ):
        yield Problem("rotation_stopped", problem)


def _schedule_troubles(integration: Integration) -> Iterable[Trouble]:
    if not integration.enabled:
        return
    if integration.rejected_at:
        yield Trouble(
            "paused",
            _(
                "Paused since %(since)s: its key is rejected, and was so when it was tried once more. No "
                "sync starts by itself until another key is entered with Replace credential, or a sync on "
                "demand goes well."
            )
            % {"since": _at(integration.rejected_at)},
            SettledAt.CREDENTIAL,
        )
    elif integration.slowed and integration.next_sync_at:
        yield Trouble(
            "slowed",
            _(
                "Slowed down: %(number)d jobs in a row failed, the next try is at %(when)s. One good job "
                "brings back its own interval."
            )
            % {"number": integration.failed_jobs, "when": _at(integration.next_sync_at)},
            SettledAt.INTEGRATION,
        )


def _job_troubles(ended: ProvisioningJob | None, sync: ProvisioningJob | None) -> Iterable[Trouble]:
    """What the last job ran into, and what the last sync left undone of its plan: a preview or one person's
    job that went well after it has proven that the remote answers, and has not carried that plan out.
    """
    if ended and ended.state in TROUBLE:
        yield Trouble(ended.state, in_trouble(ended), SettledAt.JOB, ended)
    elif sync and sync.planned_at and sync.state in (State.FAILED, State.PARTIAL):
        yield Trouble(sync.state, in_trouble(sync, OF_A_SYNC), SettledAt.JOB, sync)


def in_trouble(job: ProvisioningJob, told: Mapping[str, Promise] = TROUBLE) -> str:
    """What a job of such a state ran into."""
    said = job.error or job.refusal or {}
    return f"{told[job.state]} {said.get('detail', '')}".strip()


def _idleness_problems(
    integration: Integration, live: ProvisioningJob | None, whole: ProvisioningJob | None, now: datetime
) -> Iterable[Problem]:
    """`whole`: the last sync that read everything. What it left undone is told elsewhere."""
    if not integration.enabled:
        return
    expected = integration.watched_since or integration.created_at
    ended = whole.finished_at if whole and whole.finished_at else None
    since = max(expected, ended) if ended else expected
    agreed, took = integration.silence, _took(whole)
    if is_idle(since=since, interval=integration.interval, took=took, now=now, agreed=agreed):
        said = _silent(integration.silence_minutes) if agreed else _overdue(integration.sync_every_minutes)
        yield Problem("no_sync", f"{said} {_last_one(ended)}")
    yield from _clock_problems(integration, live, now)


def _silent(minutes: int) -> str:
    said = ngettext(
        "No sync has read everything for more than a minute.",
        "No sync has read everything for more than %(number)d minutes.",
        minutes,
    )
    return said % {"number": minutes}


def _overdue(minutes: int) -> str:
    said = ngettext(
        "No sync has read everything for more than twice its interval (every minute).",
        "No sync has read everything for more than twice its interval (every %(number)d minutes).",
        minutes,
    )
    return said % {"number": minutes}


def _last_one(ended: datetime | None) -> str:
    return (
        _("The last one ended at %(when)s.") % {"when": _at(ended)}
        if ended
        else _("There has been none yet.")
    )


def _took(job: ProvisioningJob | None) -> timedelta:
    """How long a job was at work. One that waited for an approver in between does not tell."""
    if job is None or job.approved_at or not job.started_at or not job.finished_at:
        return timedelta()
    return job.finished_at - job.started_at


def _clock_problems(
    integration: Integration, live: ProvisioningJob | None, now: datetime
) -> Iterable[Problem]:
    if live is None:
        due = None if integration.paused else integration.next_sync_at
        if due and is_forgotten(due, now=now):
            said = _("A sync was due at %(when)s and has not begun. Is the clock (Celery beat) running?")
            yield Problem("not_begun", said % {"when": _at(due)})
    elif live.state == State.QUEUED:
        asked = live.approved_at or live.requested_at
        if is_forgotten(asked, now=now):
            said = _("%(job)s has waited for a worker since %(when)s. Is a worker running?")
            yield Problem("no_worker", said % {"job": live, "when": _at(asked)})
    elif live.lease_expires_at and is_forgotten(live.lease_expires_at, now=now):
        said = _(
            "The worker of %(job)s has been silent since before %(when)s, and nobody has taken the job over. "
            "Are the clock (Celery beat) and a worker running?"
        )
        yield Problem("worker_silent", said % {"job": live, "when": _at(live.lease_expires_at)})


def _rule_problems(rule_problems: int) -> Iterable[Problem]:
    if rule_problems:
        said = ngettext(
            "An access rule names something that cannot be managed.",
            "%(number)d times an access rule names something that cannot be managed.",
            rule_problems,
        )
        yield Problem("rule_problem", said % {"number": rule_problems})


def _at(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
