"""What Cakewalk is connected to: configured remotes and their secrets."""

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_domain_name
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import EncryptedTextField, Secret
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.opening import opened
from integrations.budgets import SharedBudgets
from integrations.catalog import connector_class
from integrations.connectors.base import Check, CheckReport, Connector, CredentialFacts
from integrations.pacing import REPEATED, wait_after, wait_with_change


class CredentialMissing(Exception):
    """The integration has no credential; staff must enter one before it can be used."""


class IntegrationQuerySet(models.QuerySet["Integration"]):
    def enabled(self) -> "IntegrationQuerySet":
        return self.filter(enabled=True)

    def due(self, now: datetime) -> "IntegrationQuerySet":
        """Enabled integrations whose next sync has come, and whose key has not been rejected."""
        return self.enabled().filter(next_sync_at__lte=now, rejected_at=None)

    def lock(self, pk: int) -> "Integration":
        """Until the end of the transaction, for what only one of its jobs may do at a time."""
        return self.select_for_update(no_key=True).get(pk=pk)


class Integration(models.Model):
    """One configured remote, with how far it may go and how careful it is."""

    class Mode(models.TextChoices):
        OBSERVE = "observe", _("Observe: read and report")
        EXTEND = "extend", _("Extend: invite, grant and raise; never take away")
        MANAGE = "manage", _("Manage: everything")

    class OverLimit(models.TextChoices):
        HOLD_TAKINGS = "hold_takings", _("Hold what takes away; give the rest")
        HOLD_ALL = "hold_all", _("Hold the whole plan")

    class FirstRemovals(models.TextChoices):
        HOLD = "hold", _("Hold for approval")
        ALLOW = "allow", _("Allow")

    class Orphans(models.TextChoices):
        REPORT = "report", _("Report")
        REMOVE = "remove", _("Remove (owners are only ever reported)")

    class LeaverKeys(models.TextChoices):
        REPORT = "report", _("Report")
        REVOKE = "revoke", _("Revoke")

    class FourEyes(models.TextChoices):
        UNLESS_ALONE = "unless_alone", _("Required, unless there is one approver only")
        REQUIRED = "required", _("Required, always")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=50, editable=False)
    name = models.CharField(max_length=100)
    base_url = models.URLField(_("API address"), max_length=300)
    enabled = models.BooleanField(default=False, editable=False)
    simulated = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    next_sync_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    next_sync_trigger = models.CharField(max_length=10, default="schedule", editable=False)
    watched_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("From when on its syncs are expected: since it was enabled, or its interval changed."),
    )
    failed_jobs = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("How many jobs in a row went wrong until now.")
    )
    last_failed_at = models.DateTimeField(null=True, editable=False)
    rejected_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Since when it is paused, because its key was rejected.")
    )
    keys_read_at = models.DateTimeField(
        null=True, editable=False, help_text=_("When its keys were last read to the end.")
    )
    keys_asked_at = models.DateTimeField(
        null=True, editable=False, help_text=_("When a job last tried to read its keys.")
    )
    keys_unread = models.JSONField(
        default=list, editable=False, help_text=_("What of its keys could not be read at that try, and why.")
    )

    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.OBSERVE)
    sync_every_minutes = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(10_080)]
    )
    removal_limit_count = models.PositiveIntegerField(
        default=3, help_text=_("Takings in 24 hours that need no approval, whatever the size.")
    )
    removal_limit_percent = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(100)],
        help_text=_("Takings in 24 hours that need no approval, as a share of the accounts."),
    )
    over_limit = models.CharField(max_length=12, choices=OverLimit.choices, default=OverLimit.HOLD_TAKINGS)
    first_removals = models.CharField(max_length=5, choices=FirstRemovals.choices, default=FirstRemovals.HOLD)
    orphans = models.CharField(max_length=6, choices=Orphans.choices, default=Orphans.REPORT)
    managed_domains = models.TextField(
        blank=True, help_text=_("E-mail domains, separated by commas or spaces. Empty: all.")
    )
    minimum_owners = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    vanished_percent = models.PositiveSmallIntegerField(
        default=20,
        validators=[MaxValueValidator(100)],
        help_text=_("Accounts that may be missing since the last complete read before everything is held."),
    )
    plan_valid_hours = models.PositiveSmallIntegerField(
        default=72,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
        help_text=_("How long a plan may wait for an approver before it must be made again."),
    )
    removal_target_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(8760)],
        help_text=_(
            "Within how many hours a leaver is to be seen gone. What took longer is told as a breach."
        ),
    )
    accounts_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When all its accounts were last read."""
    kinds_read_at = models.JSONField(null=True, blank=True, editable=False)
    """When all that can be held there was last read, by its kind."""
    silence_minutes = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(43_200)],
        help_text=_("So long without a complete sync is an alarm. 0: twice its interval."),
    )
    leaver_keys = models.CharField(max_length=6, choices=LeaverKeys.choices, default=LeaverKeys.REPORT)
    renew_invites = models.BooleanField(default=True)
    four_eyes = models.CharField(
        max_length=12,
        choices=FourEyes.choices,
        default=FourEyes.UNLESS_ALONE,
        db_default=FourEyes.UNLESS_ALONE,
        help_text=_("Whether somebody else than who asked for a job must approve its plan."),
    )
    separate_key_entry = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Whoever may enter the key, or entered it, approves nothing here."),
    )

    objects = IntegrationQuerySet.as_manager()

    class Meta:
        permissions = [("enter_credential", "Can enter credentials")]
        constraints = [models.UniqueConstraint(Lower("name"), name="integration_name_unique_without_case")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        for domain in sorted(self.domains()):
            try:
                validate_domain_name(domain)
            except ValidationError as error:
                sentence = f"{domain!r} is not an e-mail domain such as example.org."
                raise ValidationError({"managed_domains": sentence}) from error

    def domains(self) -> frozenset[str]:
        """The managed e-mail domains, without case."""
        return frozenset(
            domain.removeprefix("@").casefold()
            for domain in re.split(r"[\s,;]+", self.managed_domains)
            if domain
        )

    def connector(
        self,
        progress: Callable[[str], None] = lambda _: None,
        somebody_ahead: Callable[[], bool] | None = None,
        *,
        use: str,
    ) -> Connector:
        """The connector with this integration's credential, ready to call the remote. `somebody_ahead`:
        whether other work is to go first, which then finds half of each limit unused. `use`: what the
        credential is read for, which the ledger tells.
        """
        return connector_class(self.kind)(
            secret=self.opened_secret(use=use),
            base_url=self.base_url,
            progress=progress,
            budgets=SharedBudgets(self.pk, somebody_ahead=somebody_ahead),
        )

    def opened_secret(self, *, use: str) -> str:
        """Raises CredentialMissing or DecryptionError."""
        (text,) = opened(self.stored_secret(), of=self, use=use)
        return text

    def stored_secret(self) -> Secret:
        """To see whether there is one that can be read. Raises CredentialMissing or DecryptionError."""
        credential = Credential.objects.filter(integration=self).first()
        if credential is None or not credential.secret:
            raise CredentialMissing(f"{self.name} has no credential yet.")
        return credential.secret

    @sensitive_variables("secret")
    def store_credential(self, secret: str, *, by: User | None = None, now: datetime) -> "Credential":
        hint = connector_class(self.kind).secret_hint(secret)
        replaced = Credential.objects.filter(integration=self).values_list("hint", flat=True).first()
        with together():
            # Deferred: what is replaced need not be readable, and after the loss of a FERNET key it is not.
            credential, _created = Credential.objects.defer("secret").update_or_create(
                integration=self,
                defaults={
                    "secret": Secret(secret),
                    "hint": hint,
                    "entered_at": now,
                    "entered_by": by,
                    **Credential.nothing_known(),
                },
            )
            before = {"key": replaced} if replaced else None
            record(Verb.CREDENTIAL_ENTERED, self, before=before, after={"key": hint})
        return credential

    def record_check(self, report: CheckReport, *, now: datetime) -> None:
        """Keep what a successful connection test learned about the credential and the remote."""
        lacks = [{"name": check.name, "detail": check.detail} for check in report.lacks]
        Credential.objects.filter(integration=self).update(checked_at=now, lacks=lacks)
        for credential in Credential.objects.defer("secret").filter(integration=self):
            credential.learn(report.credential, now=now)
        self.simulated = report.simulated
        self.save(update_fields=["simulated"])

    def note_read(self, **written: Any) -> None:
        """What became of a read of it, and when."""
        for name, value in written.items():
            setattr(self, name, value)
        self.save(update_fields=list(written))

    def enable(self, *, now: datetime) -> None:
        """With a key that was found to work: what slowed it down or paused it is over."""
        was_enabled, self.enabled = self.enabled, True
        self.watched_since = now
        catches_up = (self.failing or self.paused) and self.change_waits
        with together():
            self._forgive()
            self.schedule_next_sync(now=now)
            if catches_up:
                self.await_change(now=now)
            self.save(update_fields=["enabled", "watched_since"])
            if not was_enabled:
                record(Verb.ENABLED, self, facts={"mode": self.mode})

    def disable(self) -> None:
        was_enabled, self.enabled = self.enabled, False
        self.next_sync_at = None
        with together():
            self.save(update_fields=["enabled", "next_sync_at"])
            if was_enabled:
                record(Verb.DISABLED, self)

    def goes_further_than(self, before: "Integration") -> bool:
        """Whether a sync may do more than it might before: the modes stand from the least to the most."""
        modes = list(self.Mode)
        return modes.index(self.Mode(self.mode)) > modes.index(self.Mode(before.mode))

    def reschedule_since(self, before: "Integration", *, now: datetime) -> None:
        """After a change of settings. A raised mode leaves a full interval to read its preview; a new
        interval counts from now, and does not put off what a change of the directory has asked for.
        """
        interval_changed = (
            self.sync_every_minutes != before.sync_every_minutes and before.next_sync_trigger == "schedule"
        )
        if self.enabled and not self.paused and (self.goes_further_than(before) or interval_changed):
            self.watched_since = now
            self.save(update_fields=["watched_since"])
            self.schedule_next_sync(now=now)

    # -- the schedule, and what jobs teach it

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=self.sync_every_minutes)

    @property
    def silence(self) -> timedelta | None:
        """After how long without a complete sync something is wrong, where staff have said so."""
        return timedelta(minutes=self.silence_minutes) if self.silence_minutes else None

    @property
    def failing(self) -> bool:
        return self.failed_jobs >= REPEATED

    @property
    def slowed(self) -> bool:
        return wait_after(self.failed_jobs, self.interval) > self.interval

    @property
    def paused(self) -> bool:
        return self.rejected_at is not None

    @property
    def change_waits(self) -> bool:
        """Whether the directory or a rule changed since the last sync began."""
        return self.next_sync_trigger == "directory"

    def schedule_next_sync(self, *, now: datetime) -> None:
        self._plan_next_sync(now + wait_after(self.failed_jobs, self.interval), "schedule")

    def await_change(self, *, now: datetime) -> None:
        """The directory or a rule changed: a sync at once. While jobs fail, some time after the last failure,
        so that many changes make no storm; while paused, as soon as a key works.
        """
        failed_at = self.last_failed_at if self.failing else None
        soonest = failed_at + wait_with_change(self.interval) if failed_at else now
        self._plan_next_sync(None if self.paused else max(soonest, now), "directory")

    def record_failure(self, *, changed: bool, now: datetime) -> None:
        """One more job in a row went wrong. `changed`: it was for a change of the directory, still waiting.

        A change is tried again soon, however slow the schedule: a leaver does not wait a day.
        """
        self.failed_jobs += 1
        self.last_failed_at = now
        self.save(update_fields=["failed_jobs", "last_failed_at"])
        if self.paused or not self.enabled or not (self.failing or changed):
            return
        if changed or self.change_waits:
            self._plan_next_sync(now + wait_with_change(self.interval), "directory")
        else:
            self.schedule_next_sync(now=now)

    def record_success(self, *, now: datetime) -> None:
        """One good job is enough: from here on it is as if nothing had been."""
        was_held_back = self.enabled and (self.failing or self.paused)
        if self.failed_jobs or self.paused:
            self._forgive()
        if was_held_back and self.change_waits:
            self.await_change(now=now)
        elif was_held_back:
            self.schedule_next_sync(now=now)

    def pause(self, *, now: datetime) -> None:
        """The key was rejected. Nothing starts by itself until one is found to work."""
        was_paused, self.rejected_at = self.paused, self.rejected_at or now
        with together():
            self.save(update_fields=["rejected_at"])
            self._plan_next_sync(None, self.next_sync_trigger)
            if not was_paused:
                record(Verb.PAUSED, self)

    def _forgive(self) -> None:
        was_paused = self.paused
        self.failed_jobs, self.last_failed_at, self.rejected_at = 0, None, None
        with together():
            self.save(update_fields=["failed_jobs", "last_failed_at", "rejected_at"])
            if was_paused:
                record(Verb.RESUMED, self)

    def _plan_next_sync(self, moment: datetime | None, trigger: str) -> None:
        self.next_sync_at, self.next_sync_trigger = moment, trigger
        self.save(update_fields=["next_sync_at", "next_sync_trigger"])


class Credential(models.Model):
    """The secret of an integration. Written in the admin, read by workers, shown to nobody.

    Beside it stands what the remote tells of it, as of `facts_at`.
    """

    USE_IS_OURS_WITHIN = timedelta(minutes=5)
    """What the remote's clock may differ from ours, or be late in counting a use."""
    EVENTS_ASKED_EVERY = timedelta(days=1)

    integration = models.OneToOneField(Integration, on_delete=models.CASCADE, related_name="credential")
    secret = EncryptedTextField()
    hint = models.CharField(
        max_length=60, help_text=_("What may be shown: the kind of key and its last four characters.")
    )
    entered_at = models.DateTimeField()
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    """Who entered it, or asked for the link or the rotation that it came by. Nobody: a command did."""
    checked_at = models.DateTimeField(null=True, blank=True)
    facts_at = models.DateTimeField(null=True, blank=True)
    unknown = models.TextField(blank=True, help_text=_("Why the remote did not tell, when last asked."))
    remote_id = models.CharField(max_length=200, blank=True)
    owner_id = models.CharField(
        max_length=200,
        blank=True,
        help_text=_("The remote account that owns this credential; never touched."),
    )
    owner_name = models.TextField(blank=True)
    owner_kind = models.TextField(blank=True)
    made_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    used_elsewhere_at = models.DateTimeField(
        null=True, blank=True, help_text=_("The last use that was none of ours.")
    )
    lacks = models.JSONField(
        default=list, blank=True, help_text=_("What it may not do, as of the last connection test.")
    )
    events_asked_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When a job last asked what the remote's audit log tells.")
    )
    wrote_at = models.DateTimeField(null=True, blank=True, help_text=_("When it last changed something."))
    write_refused = models.TextField(
        blank=True, help_text=_("What the remote said when it refused a change for lack of permission.")
    )

    def __str__(self) -> str:
        return self.hint

    @classmethod
    def nothing_known(cls) -> dict[str, Any]:
        """What is forgotten of the last credential when another one is entered."""
        stays = ("id", "integration", "secret", "hint", "entered_at", "entered_by")
        return {field.name: field.get_default() for field in cls._meta.fields if field.name not in stays}

    def learn(self, facts: CredentialFacts, *, now: datetime, **more: Any) -> None:
        """Keep what the remote tells, unless another credential was entered meanwhile. Where it tells
        nothing, what it told before of the same credential still holds.
        """
        told: dict[str, Any] = {"facts_at": now, "unknown": facts.unknown, **more}
        if not facts.unknown:
            told |= {
                "remote_id": facts.id,
                "owner_id": facts.owner_id,
                "owner_name": facts.owner_name,
                "owner_kind": facts.owner_kind,
                "made_at": facts.made_at,
                "last_used_at": facts.last_used_at,
                "expires_at": facts.expires_at,
            }
        for name, value in told.items():
            setattr(self, name, value)
        Credential.objects.filter(pk=self.pk, entered_at=self.entered_at).update(**told)

    def may_read_events(self, *, now: datetime) -> bool:
        """False while the remote was found to have none for it, which is asked again once a day."""
        asked = [moment for moment in (self.checked_at, self.events_asked_at) if moment]
        lacking = any(lack["name"] == Check.EVENTS for lack in self.lacks)
        return not lacking or not asked or now - max(asked) >= self.EVENTS_ASKED_EVERY

    def learn_of_events(self, refusal: str, *, now: datetime) -> None:
        """What a job was told when it asked for events; nothing when it got some. Said in one place only."""
        others = [lack for lack in self.lacks if lack["name"] != Check.EVENTS]
        self.lacks = [*others, {"name": Check.EVENTS, "detail": refusal}] if refusal else others
        self.events_asked_at = now
        same = Credential.objects.filter(pk=self.pk, entered_at=self.entered_at)
        same.update(lacks=self.lacks, events_asked_at=now)

    def is_used_elsewhere(self, last_used_at: datetime | None, *, ours: datetime, since: datetime) -> bool:
        """Whether somebody else used it between our last work, which ended at `ours`, and the present one,
        which began at `since`. Of what happens while we are at work, the remote's one time tells nothing.
        """
        if last_used_at is None:
            return False
        idle_from = max(ours, self.entered_at, self.checked_at or ours) + self.USE_IS_OURS_WITHIN
        return idle_from < last_used_at < since - self.USE_IS_OURS_WITHIN
