"""Jobs and the actions of their plans: what was decided, and what became of it."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Greatest, Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import together
from cakewalk.ledger.verbs import Verb
from directory.models import Person
from integrations.models import Integration
from provisioning import telling

LEASE = timedelta(minutes=3)
"""How long a worker may be silent before its job is taken over. Longer than one call with its retries."""


class JobLost(Exception):
    """The job was cancelled or taken over; this worker must stop at once and touch nothing more."""


class ProvisioningJobQuerySet(models.QuerySet["ProvisioningJob"]):
    def live(self) -> "ProvisioningJobQuerySet":
        return self.filter(state__in=ProvisioningJob.LIVE)

    def complete_reads(self) -> "ProvisioningJobQuerySet":
        """Those that have read everything, and proven it: only then a plan is made."""
        return self.filter(planned_at__isnull=False, scope=ProvisioningJob.Scope.EVERYONE)

    def syncs(self) -> "ProvisioningJobQuerySet":
        """Jobs about everyone that were more than previews: they alone say how the directory stood, and that
        everything was read and set right.
        """
        return self.following_rules().filter(preview=False, scope=ProvisioningJob.Scope.EVERYONE)

    def following_rules(self) -> "ProvisioningJobQuerySet":
        """Whose plan is what the directory and the rules ask for."""
        return self.filter(restores=None, reviews=None)

    def undelivered(self, *, older_than: datetime) -> "ProvisioningJobQuerySet":
        """Queued jobs whose last message to a worker may have been lost."""
        sent = [
            models.F("requested_at"),
            *(Coalesce(at, "requested_at") for at in ("approved_at", "sent_at")),
        ]
        queued = self.filter(state=ProvisioningJob.State.QUEUED)
        return queued.alias(told_at=Greatest(*sent)).filter(told_at__lt=older_than)


class ProvisioningJob(models.Model):
    """One reconciliation: read, match, plan, check, apply, verify. A preview stops before apply."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
        SUCCEEDED = "succeeded", _("Succeeded")
        PARTIAL = "partial", _("Partial")
        REFUSED = "refused", _("Refused")
        FAILED = "failed", _("Failed")
        INCONCLUSIVE = "inconclusive", _("Inconclusive")
        CANCELLED = "cancelled", _("Cancelled")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("On demand")
        SCHEDULE = "schedule", _("Schedule")
        DIRECTORY = "directory", _("Directory change")
        FIRST = "first", _("Just connected")

    class Scope(models.TextChoices):
        """Jobs about some people have a lane of their own, so that a leaver waits for no full sync."""

        EVERYONE = "everyone", _("Everyone")
        PEOPLE = "people", _("Some people")

    LIVE = (State.QUEUED, State.RUNNING)
    has_no_lines = False
    """Known only to the worker that has made the plan: see `lines`."""
    FREE: Mapping[str, Any] = {"holder": "", "held_since": None, "lease_expires_at": None}

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="jobs")
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.EVERYONE)
    people = models.ManyToManyField(
        Person, through="provisioning.PersonChange", related_name="jobs", blank=True
    )
    restores = models.ForeignKey(
        "self",
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="restorations",
        help_text=_("The job whose takings this one gives back."),
    )
    reviews = models.ForeignKey(
        "reviews.Campaign",
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="jobs",
        help_text=_("The access review whose revocations this one carries out."),
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED, db_index=True)
    preview = models.BooleanField(default=False)
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.MANUAL)
    mode = models.CharField(
        max_length=10,
        blank=True,
        help_text=_(
            "The mode that the plan is made for: the integration's then, or of a preview another one."
        ),
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="requested_jobs",
    )
    requested_at = models.DateTimeField(db_index=True)
    request_reason = models.CharField(max_length=500, blank=True)
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When a worker was told of it again, since nobody had taken it.")
    )
    started_at = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True, help_text=_("When applying began."))
    verified_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=200, blank=True)
    held_since = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    phase = models.CharField(max_length=20, blank=True)
    phases = models.JSONField(
        default=list, blank=True, help_text=_("Which phase it entered when, from its claim on.")
    )
    progress = models.CharField(max_length=200, blank=True)

    read = models.JSONField(default=dict, blank=True)
    directory = models.JSONField(default=dict, blank=True)
    swept = models.JSONField(
        null=True, blank=True, help_text=_("Which removed accounts' leavings were looked for, and how.")
    )
    corroborated = models.JSONField(
        null=True, blank=True, help_text=_("What the remote's audit log told of who changed what.")
    )
    outlook = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("How many accounts and owners the plan leaves, counted when made."),
    )
    digest = models.CharField(max_length=64, blank=True)
    refusal = models.JSONField(null=True, blank=True)
    holds = models.JSONField(default=list, blank=True)
    overrides = models.JSONField(
        default=list, blank=True, help_text=_("By whom which hold was overridden, when and why.")
    )
    error = models.JSONField(null=True, blank=True)
    releases = models.JSONField(
        default=list, blank=True, help_text=_("By whom it was taken from which worker, when and why.")
    )

    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="approved_jobs",
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approval_reason = models.CharField(max_length=500, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="cancelled_jobs",
    )
    cancel_reason = models.CharField(max_length=500, blank=True)
    rejected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rejected_jobs",
    )
    rejected_at = models.DateTimeField(null=True, blank=True)
    rejection_reason = models.CharField(max_length=500, blank=True)

    objects = ProvisioningJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        permissions = [
            ("run_job", "Can start syncs and previews"),
            ("approve_job", "Can approve held actions"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "scope"],
                condition=Q(state__in=("queued", "running")),
                name="one_live_job_per_integration_and_scope",
            ),
        ]
        indexes = [
            models.Index(fields=["integration", "-id"]),
            models.Index(fields=["requested_at", "state"], name="job_by_day"),
            models.Index(
                fields=["integration", "scope", "planned_at"],
                condition=Q(planned_at__isnull=False),
                name="job_whole_read",
            ),
        ]

    def __str__(self) -> str:
        return gettext("Job %(number)s") % {"number": self.pk}

    @property
    def about_everyone(self) -> bool:
        return self.scope == self.Scope.EVERYONE

    @property
    def follows_rules(self) -> bool:
        """Its plan is what the directory and the rules ask for, and not what a restore or a review does."""
        return self.restores_id is None and self.reviews_id is None

    @property
    def state_word(self) -> str:
        """For sentences of the record, which are English; its label is in the viewer's language."""
        return self.state.replace("_", " ")

    def planned_mode(self) -> str:
        """What the plan is to be made for. A preview may ask what another mode would do."""
        return self.mode or self.integration.mode

    def others_ahead(self) -> bool:
        """Whether people have a job of their own meanwhile, which a sync of everyone lets go first."""
        people = ProvisioningJob.Scope.PEOPLE
        live = ProvisioningJob.objects.live().filter(integration=self.integration_id, scope=people)
        return live.exists()

    def claim(self, *, holder: str, now: datetime) -> bool:
        """Take a queued job; False when another worker was first."""
        queued = ProvisioningJob.objects.filter(pk=self.pk, state=self.State.QUEUED)
        with together():
            taken = queued.update(
                state=self.State.RUNNING,
                holder=holder,
                held_since=now,
                started_at=Coalesce("started_at", models.Value(now)),
                lease_expires_at=now + LEASE,
            )
            if taken:
                with_integration = ProvisioningJob.objects.select_related("integration")
                self.refresh_from_db(from_queryset=with_integration)
                again = self.started_at != now
                telling.moved(Verb.JOB_CLAIMED, self, self.State.QUEUED, worker=holder, again=again)
        return taken == 1

    def _mine(self) -> "ProvisioningJobQuerySet":
        """Its row, as long as this worker holds it."""
        return ProvisioningJob.objects.filter(pk=self.pk, state=self.State.RUNNING, holder=self.holder)

    def renew_lease(self, *, progress: str, now: datetime) -> bool:
        """Say that the job is alive; False when it was cancelled or taken over, and the worker must stop."""
        said = {"progress": progress[:200], "phase": self.phase, "phases": self.phases}
        return self._mine().update(lease_expires_at=now + LEASE, **said) == 1

    def lock_if_live(self) -> bool:
        """Whether a worker may still be at it, which stays so until the end of the transaction."""
        this = ProvisioningJob.objects.select_for_update(no_key=True).filter(pk=self.pk)
        return this.values_list("state", flat=True).get() in self.LIVE

    @property
    def lines(self) -> "ActionQuerySet":
        """Its actions. Where this worker has just made a plan without any, nobody is asked for them."""
        return Action.objects.none() if self.has_no_lines else self.actions.all()

    def enter(self, phase: str, *, now: datetime, **written: Any) -> None:
        """A phase, and what is written down beside it. Nothing where another worker holds it by now."""
        self.turn_to(phase, now=now)
        self._mine().update(phase=self.phase, phases=self.phases, **written)

    def turn_to(self, phase: str, *, now: datetime) -> None:
        """Enter a phase that may be over in no time: written down with the next sign of life, or the end."""
        self.phase = phase
        self.phases = self.phases_and(phase, now=now)

    def phases_and(self, phase: str, *, now: datetime) -> list[list[str]]:
        return [*self.phases, [phase, now.isoformat()]]

    def remaining_holds(self) -> list[dict[str, str]]:
        """What nobody has overridden yet."""
        overridden = {override["code"] for override in self.overrides}
        return [hold for hold in self.holds if hold["code"] not in overridden]

    def plan_expires_at(self) -> datetime | None:
        """Until when the plan may be carried out: counted from its making, and anew from its approval."""
        made = self.approved_at or self.planned_at
        return made + timedelta(hours=self.integration.plan_valid_hours) if made else None

    def has_expired(self, *, now: datetime) -> bool:
        expires_at = self.plan_expires_at()
        return expires_at is not None and expires_at <= now

    def expiry(self) -> dict[str, str]:
        """What is written down of a plan that nobody approved, or carried out, for too long."""
        hours = self.integration.plan_valid_hours
        waited = f"{hours} hours" if hours > 1 else "an hour"
        detail = f"The plan waited longer than {waited} and must be made again."
        return {"code": "expired", "detail": detail}

    def expire(self, *, now: datetime) -> bool:
        """End a plan that has waited for an approver for too long; the next one asks anew."""
        expiry = self.expiry()
        return self.ask_no_more(Verb.JOB_EXPIRED, expiry, said=expiry["detail"], now=now, error=expiry)

    def ask_no_more(
        self, verb: Verb, why: Mapping[str, str], *, said: str, now: datetime, **outcome: Any
    ) -> bool:
        """End a job that awaits approval, unless an approver was first. `why`: of its held actions."""
        before = self.State.AWAITING_APPROVAL
        waiting = ProvisioningJob.objects.filter(pk=self.pk, state=before)
        with together():
            ended = waiting.update(state=self.State.CANCELLED, cancel_reason=said, finished_at=now, **outcome)
            if ended:
                self.actions.filter(state=Action.State.HELD).update(
                    state=Action.State.SKIPPED, error=why, finished_at=now
                )
                self.refresh_from_db()
                telling.came_to(verb, self, before, **self.decided())
        return ended == 1

    def decided(self) -> dict[str, Any]:
        """What its row says of its end, and who said so."""
        return {
            "finished_at": self.finished_at,
            "error": self.error,
            "refusal": self.refusal,
            "cancelled": self.cancel_reason,
            "cancelled_by": telling.who(self.cancelled_by),
            "rejected": self.rejection_reason,
            "rejected_by": telling.who(self.rejected_by),
        }

    def finish(self, state: str, *, now: datetime, **outcome: Any) -> bool:
        """End the job, if it is still this worker's to end. `outcome`: refusal, error or cancel_reason."""
        waits = state == self.State.AWAITING_APPROVAL
        outcome["phases"] = self.phases_and("awaiting_approval", now=now) if waits else self.phases
        with together(savepoint=False):
            ended = self._mine().update(
                state=state,
                finished_at=now,
                verified_at=self.verified_at,
                phase="",
                progress="",
                **self.FREE,
                **outcome,
            )
            if ended and not self.preview:
                self._leave_nothing_open(state, outcome.get("error"), now=now)
            self.refresh_from_db()
            if ended:
                verb = Verb.JOB_HELD if waits else Verb.JOB_ENDED
                telling.came_to(verb, self, self.State.RUNNING, **self.decided())
        return ended == 1

    def _leave_nothing_open(self, state: str, error: Mapping[str, str] | None, *, now: datetime) -> None:
        """What an ended job has not done, the next one plans anew; only held actions can still be done."""
        self.lines.answerless().close_unknown(now=now)
        waiting = [Action.State.PLANNED]
        if state != self.State.AWAITING_APPROVAL:
            waiting.append(Action.State.HELD)
        stopped = {"code": "stopped", "detail": "The job ended before this."}
        why = error if error and state == self.State.CANCELLED else stopped
        self.lines.filter(state__in=waiting).update(state=Action.State.SKIPPED, error=why, finished_at=now)

    def give_back(self) -> bool:
        """Queue the job again, because this worker is told to stop."""
        with together():
            if given := self._mine().update(state=self.State.QUEUED, **self.FREE):
                self.state = self.State.QUEUED
                telling.moved(Verb.JOB_GIVEN_BACK, self, self.State.RUNNING, worker=self.holder)
        return given == 1

    def requeue(self, verb: Verb = Verb.JOB_TAKEN_BACK, reason: str = "", **written: Any) -> bool:
        """Give up a silent worker's job, so that another takes it. Its `started` actions stay questions."""
        silent = ProvisioningJob.objects.filter(
            pk=self.pk, state=self.State.RUNNING, holder=self.holder, lease_expires_at=self.lease_expires_at
        )
        with together():
            if freed := silent.update(state=self.State.QUEUED, **self.FREE, **written):
                worker, self.state = self.holder, self.State.QUEUED
                telling.moved(verb, self, self.State.RUNNING, worker=worker, reason=reason)
        return freed == 1

    def close_questions(self, *, now: datetime) -> None:
        """Of a job that has ended, what a later complete look has answered: it shows no effect of these."""
        with together():
            self.lock_if_live()
            self.actions.answerless().close_unknown(now=now)
            telling.came_to(Verb.JOB_ANSWERED, self, self.state)


def took(of: str = "") -> Q:
    """Takings that were done, or may have been. `of`: the way to the actions, for rows that refer to them."""
    done = Q(**{f"{of}state__in": (Action.State.DONE, Action.State.STARTED)})
    unknown = Q(**{f"{of}state": Action.State.FAILED, f"{of}error__code": "outcome_unknown"})
    return Q(**{f"{of}taking": True}) & (done | unknown)


class ActionQuerySet(models.QuerySet["Action"]):
    def that_took(self) -> "ActionQuerySet":
        return self.filter(took())

    def writing(self) -> "ActionQuerySet":
        """Actions that change the remote; reports call nobody, and proposals are only shown."""
        return self.exclude(kind="report").exclude(proposed=True)

    def of_groups(self) -> "ActionQuerySet":
        """About what a group holds, and not an account."""
        return self.filter(holder__isnull=False)

    def answerless(self) -> "ActionQuerySet":
        """Sent, and nobody knows with what effect."""
        return self.filter(state=Action.State.STARTED)

    def close_unknown(self, *, now: datetime) -> None:
        unknown = (
            "The reply was lost, and the job ended before it could be looked for. The next sync decides."
        )
        self.update(
            state=Action.State.FAILED,
            error={"code": "outcome_unknown", "detail": unknown},
            finished_at=now,
        )


class Action(models.Model):
    """One decision of a job's plan, and what became of it. Written before and after each call."""

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        HELD = "held", _("Held")
        STARTED = "started", _("Started")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REFUSED = "refused", _("Refused")
        STALE = "stale", _("Stale")
        SKIPPED = "skipped", _("Skipped")

    job = models.ForeignKey(ProvisioningJob, on_delete=models.CASCADE, related_name="actions")
    seq = models.PositiveIntegerField(_("number"))
    kind = models.CharField(max_length=20)
    email = models.CharField(max_length=320, blank=True)
    account_id = models.CharField(max_length=200, null=True, blank=True)
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, blank=True, related_name="actions"
    )
    role = models.CharField(max_length=100, null=True, blank=True)
    entitlement = models.JSONField(null=True, blank=True)
    grants = models.JSONField(default=list, blank=True, help_text=_("What an invite carries."))
    new_account_id = models.CharField(max_length=200, null=True, blank=True)
    holder = models.JSONField(
        null=True, blank=True, help_text=_("The group that it is given to or taken from.")
    )
    members = models.JSONField(
        default=list, blank=True, help_text=_("The accounts that lose it with the group.")
    )
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    situation = models.CharField(max_length=30)
    rule = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    reasons = models.JSONField(
        default=list,
        blank=True,
        help_text=_("What the directory's history told of it when it was planned: codes with their facts."),
    )
    taking = models.BooleanField(default=False)
    proposed = models.BooleanField(
        default=False, help_text=_("Would be done if the proposed rules were active.")
    )
    needs = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("The seq of the action that must be done first.")
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED, db_index=True)
    error = models.JSONField(null=True, blank=True)
    holds = models.JSONField(
        default=list, blank=True, help_text=_("Codes of the job's holds that all must be overridden first.")
    )
    request_id = models.CharField(max_length=200, null=True, blank=True)
    known_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the directory knew of the change that asks for it.")
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text=_("When a read showed the effect."))

    corroboration = models.JSONField(
        null=True, blank=True, help_text=_("The event of the remote's audit log that tells of this.")
    )
    caused_by = models.JSONField(
        null=True, blank=True, help_text=_("The event that tells who made this necessary in the remote.")
    )

    objects = ActionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="action_seq_once")]
        indexes = [
            models.Index(Lower("email"), name="action_email_lower"),
            models.Index(fields=["account_id"], name="action_account"),
            # What most searches of the history walk through, newest first, without reading a row.
            models.Index(
                fields=["finished_at", "id", "kind", "situation", "state", "proposed", "job"],
                name="action_by_time",
            ),
            # Counts a plan without reading its rows, and pages through what is of one situation.
            models.Index(
                fields=["job", "situation", "kind", "state", "proposed", "seq"], name="action_of_situation"
            ),
            models.Index(fields=["job"], condition=Q(holder__isnull=False), name="action_of_group"),
            models.Index(
                fields=["situation", "state", "known_at", "kind", "confirmed_at", "job"],
                condition=Q(known_at__isnull=False),
                name="action_known_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.who}".strip()

    @property
    def integration_id(self) -> int:
        return self.job.integration_id

    @property
    def who(self) -> str:
        """Whom it is about, in words."""
        if self.holder:
            return f"{self.holder['kind']} {self.holder['name']}"
        return self.email or self.account_id or ""

    def settle(self, state: str, *, now: datetime, error: Mapping[str, str] | None = None) -> None:
        """Write down what became of it, unless another worker has the job by now: JobLost."""
        with self._written():
            self._settle(state, now=now, error=error)

    def _settle(self, state: str, *, now: datetime, error: Mapping[str, str] | None = None) -> None:
        mine, before = self._mine(), self.state
        self.state, self.error = state, dict(error) if error else None
        self.finished_at = None if state == self.State.PLANNED else now
        written = ("state", "error", "finished_at", "request_id", "new_account_id")
        if not mine.update(**{name: getattr(self, name) for name in written}):
            raise JobLost
        telling.settled(self, before)

    def leave_open(self, request_id: str | None) -> None:
        """Sent, and no reply came: whether it was done is looked for later."""
        self.request_id = request_id
        with self._written():
            if not self._mine().update(request_id=request_id):
                raise JobLost
            telling.unanswered(self)

    def _mine(self) -> "ActionQuerySet":
        return Action.objects.filter(pk=self.pk, state=self.state, job__holder=self.job.holder)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """A transaction that writes down what became of a line. If the job was cancelled meanwhile, what all
        its lines came to, which was told with its end, is told anew.
        """
        with together():
            live = self.job.lock_if_live()
            yield
            if not live:
                self.job.refresh_from_db(fields=["state"])
                telling.came_to(Verb.JOB_ANSWERED, self.job, self.job.state)

    def start(self, *, now: datetime) -> None:
        """Written before the call, so that a crash leaves a question and not a hole.

        The last moment at which a worker that has slept learns that its job is no longer its own: JobLost.
        """
        mine = Action.objects.filter(
            pk=self.pk,
            state=self.State.PLANNED,
            job__state=ProvisioningJob.State.RUNNING,
            job__holder=self.job.holder,
        )
        with together():
            if not mine.update(state=self.State.STARTED, started_at=now, error=None):
                raise JobLost
            self.state, self.started_at, self.error = self.State.STARTED, now, None
            telling.started(self)

    def confirm(self, *, now: datetime) -> None:
        """A read has shown the effect, whatever was known of it before."""
        with self._written():
            if self.state != self.State.DONE:
                self._settle(self.State.DONE, now=self.finished_at or now)
            if not self._mine().update(confirmed_at=now, error=None):
                raise JobLost
            self.confirmed_at, self.error = now, None
            telling.confirmed(self)
