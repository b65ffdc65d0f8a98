"""Alarms, the channels by which they are told, and each message with what became of it."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, validate_email
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import EncryptedTextField, Secret
from integrations.models import Integration
from provisioning.alarms import addresses, signing

LEASE = timedelta(minutes=2)
"""So long without an end, the process that sends is taken for dead. An attempt takes a quarter of it."""
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
)
"""Between the attempts: a receiver that is back within a day misses nothing."""
ATTEMPTS = len(PAUSES) + 1
UNTOLD = timedelta(days=7)
KEPT = timedelta(days=90)
"""How long a delivery is remembered after its alarm is over."""


class ChannelQuerySet(models.QuerySet["Channel"]):
    def without_secrets(self) -> "ChannelQuerySet":
        """Neither shown nor needed, and where a FERNET key is lost, not to be read."""
        return self.defer("address", "signing_secret")

    def enabled(self) -> "ChannelQuerySet":
        """With the integrations that each is about."""
        return self.without_secrets().filter(enabled=True).prefetch_related("integrations").order_by("pk")


class Channel(models.Model):
    """Where alarms are told, and which of them."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        WEBHOOK = "webhook", _("Webhook")
        SLACK = "slack", _("Slack, or what takes its messages")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, editable=False)
    enabled = models.BooleanField(default=True)
    recipients = models.TextField(blank=True, help_text=_("E-mail addresses, separated by commas or lines."))
    address = EncryptedTextField(blank=True, default="")
    shown_address = models.CharField(max_length=300, blank=True, editable=False)
    signing_secret = EncryptedTextField(blank=True, default="")
    causes = models.JSONField(default=list, blank=True)
    integrations = models.ManyToManyField(
        Integration,
        blank=True,
        related_name="+",
        help_text=_("Only alarms about these, and those about no integration. None: about all of them."),
    )
    remind_after_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MaxValueValidator(720)],
        help_text=_("While an alarm is open; each further reminder after twice as long. 0: never."),
    )

    objects = ChannelQuerySet.as_manager()

    class Meta:
        verbose_name = _("channel")
        constraints = [models.UniqueConstraint(Lower("name"), name="channel_name_unique_without_case")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        for address in self.people():
            try:
                validate_email(address)
            except ValidationError as error:
                said = _("%(address)s is no e-mail address.") % {"address": address}
                raise ValidationError({"recipients": said}) from error

    def people(self) -> list[str]:
        words = self.recipients.replace(";", ",").replace("\n", ",").split(",")
        return list(dict.fromkeys(word.strip() for word in words if word.strip()))

    @property
    def where(self) -> str:
        """What may be shown of where it leads."""
        return ", ".join(self.people()) if self.kind == self.Kind.EMAIL else self.shown_address

    @property
    def remind_after(self) -> timedelta:
        return timedelta(hours=self.remind_after_hours)

    def takes(self, cause: str, integration: int | None) -> bool:
        wanted = {row.pk for row in self.integrations.all()}
        return (not self.causes or cause in self.causes) and (
            not wanted or integration is None or integration in wanted
        )

    @sensitive_variables("address")
    def send_to(self, address: str) -> None:
        self.address, self.shown_address = Secret(address), addresses.shown(address)[:300]

    def renew_signing_secret(self) -> str:
        """The only time its text is known to a person."""
        secret = signing.new_secret()
        self.signing_secret = Secret(secret)
        return secret


class AlarmQuerySet(models.QuerySet["Alarm"]):
    def open(self) -> "AlarmQuerySet":
        return self.filter(closed_at=None)


class Alarm(models.Model):
    """One cause of one subject, from its opening to its all-clear. In English, as it was told."""

    class Cause(models.TextChoices):
        SYNC_FAILED = "sync_failed", _("Sync failed, refused or inconclusive")
        SYNC_PARTIAL = "sync_partial", _("Sync done only in part")
        HELD = "held", _("Plan held for approval")
        PAUSED = "paused", _("Paused: its key is rejected")
        NO_SYNC = "no_sync", _("No complete sync in time")
        CREDENTIAL = "credential", _("Credential expires, is old or unusable")
        SOURCE_QUIET = "source_quiet", _("Source gone quiet")
        LEDGER_BROKEN = "ledger_broken", _("Ledger broken")
        PART_SILENT = "part_silent", _("Clock or worker silent")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    cause = models.CharField(max_length=20, choices=Cause.choices)
    subject = models.CharField(max_length=100, help_text=_("Whose it is, as in: integration 3."))
    code = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=200)
    what = models.CharField(max_length=200)
    detail = models.TextField(blank=True)
    path = models.CharField(max_length=300, help_text=_("Where it is settled."))
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="alarms"
    )
    opened_at = models.DateTimeField(db_index=True)
    gone_since = models.DateTimeField(
        null=True, blank=True, help_text=_("Since when it is not found any more, and may be over.")
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        verbose_name = _("alarm")
        constraints = [
            models.UniqueConstraint(
                fields=["cause", "subject"], condition=Q(closed_at=None), name="alarm_open_once"
            )
        ]
        indexes = [models.Index(fields=["-closed_at"], name="alarm_closed_at")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        return f"{self.name}: {self.what}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def close(self, *, now: datetime) -> bool:
        """False when another process was first. It was over when it was found no more, not after the wait."""
        over = self.gone_since or now
        self.closed_at = over
        return Alarm.objects.filter(pk=self.pk, closed_at=None).update(closed_at=over) == 1


ASKED_FOR = Q(event="test") | Q(replays__isnull=False)


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> "DeliveryQuerySet":
        return self.filter(state=Delivery.State.WAITING)

    def due(self, now: datetime) -> "DeliveryQuerySet":
        """Those whose time has come and which nobody is sending; of one alarm to one channel the oldest, so
        that no all-clear comes before its alarm. What somebody asks for does not wait for that.
        """
        before = Delivery.objects.waiting().filter(
            channel=OuterRef("channel"), alarm=OuterRef("alarm"), pk__lt=OuterRef("pk")
        )
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        due = self.waiting().filter(free, next_try_at__lte=now, attempts__lt=ATTEMPTS)
        return due.filter(ASKED_FOR | Q(~Exists(before), channel__enabled=True))

    def give_up_hopeless(self, now: datetime) -> None:
        """Whose every attempt was interrupted, or whose channel was switched off meanwhile. Written only
        where there are some: SQLite lets one write at a time, and the clock comes often.
        """
        over = self.waiting().filter(Q(leased_until=None) | Q(leased_until__lt=now))
        end = {"state": Delivery.State.GIVEN_UP, "next_try_at": None, "leased_until": None}
        for rows, why in (
            (over.filter(attempts__gte=ATTEMPTS), "No attempt came to its end."),
            (over.filter(channel__enabled=False).exclude(ASKED_FOR), "The channel was disabled."),
        ):
            if rows.exists():
                rows.update(answer=why, **end)

    def untold(self, now: datetime) -> "DeliveryQuerySet":
        """Given up within a week, and not sent again since. Whoever tried a channel has seen the answer."""
        lately = self.filter(state=Delivery.State.GIVEN_UP, made_at__gt=now - UNTOLD)
        return lately.filter(replayed_by=None).exclude(event=Delivery.Event.TEST)

    def forget_old(self, now: datetime) -> None:
        closed = Q(alarm=None) | Q(alarm__closed_at__lt=now - KEPT)
        old = self.exclude(state=Delivery.State.WAITING).filter(closed, made_at__lt=now - KEPT)
        self.model.objects.filter(pk__in=old.values_list("pk", flat=True)[:1000]).delete()


class Delivery(models.Model):
    """One message to one channel. Written with what it tells of, sent afterwards, and again if need be."""

    class Event(models.TextChoices):
        OPENED = "opened", _("Alarm")
        REMINDER = "reminder", _("Reminder")
        CLOSED = "closed", _("All-clear")
        TEST = "test", _("Test")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        GIVEN_UP = "given_up", _("Given up")

    message_id = models.CharField(
        max_length=50, help_text=_("The same whenever it is sent again, so that a receiver knows it.")
    )
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    alarm = models.ForeignKey(
        Alarm, on_delete=models.CASCADE, null=True, blank=True, related_name="deliveries"
    )
    event = models.CharField(max_length=10, choices=Event.choices)
    number = models.PositiveSmallIntegerField(default=1, help_text=_("Of reminders, which one."))
    replays = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replayed_by"
    )
    subject = models.CharField(max_length=500)
    body = models.TextField(help_text=_("What is sent, to the letter."))
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    answer_status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    made_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["alarm", "channel", "event", "number"],
                condition=Q(replays=None),
                name="told_once_by_each_channel",
            )
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="delivery_waiting"),
            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
        ]

    def __str__(self) -> str:
        return self.subject

    def claim(self, *, now: datetime) -> bool:
        """Let this process send it; False when another one is at it, or was first."""
        until, attempts = now + LEASE, self.attempts + 1
        rows = Delivery.objects.due(now).filter(pk=self.pk, attempts=self.attempts)
        mine = Delivery.objects.filter(pk__in=rows.values("pk"), attempts=self.attempts)
        if not mine.update(leased_until=until, attempts=attempts):
            return False
        self.leased_until, self.attempts = until, attempts
        return True

    def settle(self, *, ok: bool, status: int | None, says: str, now: datetime, again: bool = True) -> None:
        """Write down what came of the attempt, unless its lease has run out and another process has it."""
        known: dict[str, Any] = {"answer_status": status, "answer": says[:500], "leased_until": None}
        if ok:
            known |= {"state": self.State.SENT, "next_try_at": None, "ended_at": now}
        elif again and self.attempts < ATTEMPTS:
            known |= {"next_try_at": now + PAUSES[self.attempts - 1]}
        else:
            known |= {"state": self.State.GIVEN_UP, "next_try_at": None, "ended_at": now}
        for name, value in known.items():
            setattr(self, name, value)
        mine = Delivery.objects.waiting().filter(pk=self.pk, attempts=self.attempts)
        mine.update(**known)

    def again(self, *, by: Any, now: datetime) -> "Delivery":
        """The same message once more: at once where it still waits for an attempt, else as a new delivery."""
        if self.state == self.State.WAITING:
            Delivery.objects.waiting().filter(pk=self.pk).update(next_try_at=now)
            return self
        return Delivery.objects.create(
            message_id=self.message_id,
            channel_id=self.channel_id,
            alarm_id=self.alarm_id,
            event=self.event,
            number=self.number,
            replays=self,
            subject=self.subject,
            body=self.body,
            made_at=now,
            next_try_at=now,
            asked_by=by,
        )
