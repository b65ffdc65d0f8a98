"""The replacement of a credential through the remote itself, as far as it is."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cakewalk.encryption import EncryptedTextField, Secret
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from integrations.models.integration import Integration


class RotationQuerySet(models.QuerySet["Rotation"]):
    def unfinished(self) -> "RotationQuerySet":
        return self.filter(state__in=Rotation.UNFINISHED)

    def free(self, now: datetime) -> "RotationQuerySet":
        """Which no process holds, or one that has been silent for too long."""
        return self.filter(models.Q(holder="") | models.Q(held_until__lte=now))

    def due(self, now: datetime) -> "RotationQuerySet":
        """Which the clock should go on with."""
        turn = models.Q(next_try_at=None) | models.Q(next_try_at__lte=now)
        return (
            self.unfinished().free(now).filter(turn, tries__lt=Rotation.MOST_TRIES, integration__enabled=True)
        )


class RotationLost(Exception):
    """Another process goes on with the rotation; this one must stop at once and touch nothing more."""


class Rotation(models.Model):
    """The replacement of a credential through the remote itself: who asked, when, and how far it is.

    Each state is written down before the call that it is about, so that whoever finds the rotation unfinished
    knows what may have been done.
    """

    class State(models.TextChoices):
        BEGUN = "begun", _("Begun; nothing was made yet")
        MAKING = "making", _("A new key may have been made, and its secret lost")
        MADE = "made", _("The new key is stored, and not in use yet")
        SWAPPED = "swapped", _("The new key is in use; the old one is not revoked yet")
        DONE = "done", _("Done")
        GIVEN_UP = "given_up", _("Given up")

    UNFINISHED = (State.BEGUN, State.MAKING, State.MADE, State.SWAPPED)
    HOLD = timedelta(minutes=5)
    """How long a process may be silent before another goes on. Longer than any step takes."""

    MOST_TRIES = 24
    """By the clock, which is about a day. After that somebody must look."""
    FIRST_WAIT = timedelta(minutes=1)
    LONGEST_WAIT = timedelta(hours=1)

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="rotations")
    state = models.CharField(max_length=10, choices=State.choices, default=State.BEGUN)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    key_name = models.CharField(
        max_length=100, unique=True, help_text=_("By which the new key is found in the remote.")
    )
    old_hint = models.CharField(max_length=60)
    old_id = models.CharField(max_length=200, blank=True)
    old_entered_at = models.DateTimeField(help_text=_("Which entered credential it is that is replaced."))
    owner_id = models.CharField(max_length=200, blank=True)
    new_hint = models.CharField(max_length=60, blank=True)
    new_id = models.CharField(max_length=200, blank=True)
    new_secret = EncryptedTextField(default="", blank=True, help_text=_("Until it is put to use."))
    detail = models.TextField(blank=True, help_text=_("Why it stopped."))
    started_at = models.DateTimeField()
    swapped_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=32, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(
        default=0, help_text=_("How often the clock has gone on with it since somebody asked for it.")
    )
    next_try_at = models.DateTimeField(null=True, blank=True, help_text=_("When the clock goes on with it."))

    objects = RotationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration"],
                condition=models.Q(state__in=("begun", "making", "made", "swapped")),
                name="one_unfinished_rotation_per_integration",
            )
        ]

    def __str__(self) -> str:
        return self.key_name

    def take(self, holder: str, *, now: datetime) -> bool:
        """Go on with it because somebody asks for it; False while another process does."""
        mine = Rotation.objects.unfinished().free(now).filter(pk=self.pk)
        return self._take(mine, holder, now=now, tries=0, next_try_at=None)

    def take_in_turn(self, holder: str, *, now: datetime) -> bool:
        """Go on with it because it is time; False when it is not, or no longer."""
        mine = Rotation.objects.due(now).filter(pk=self.pk, tries=self.tries)
        tries = self.tries + 1
        return self._take(mine, holder, now=now, tries=tries, next_try_at=now + self._wait_after(tries))

    def _take(self, mine: RotationQuerySet, holder: str, *, now: datetime, **written: Any) -> bool:
        if not mine.update(holder=holder, held_until=now + self.HOLD, **written):
            return False
        self.refresh_from_db()
        return True

    def _wait_after(self, tries: int) -> timedelta:
        return min(self.FIRST_WAIT * (1 << tries), self.LONGEST_WAIT)

    def advance(self, state: str, *, now: datetime, **written: Any) -> None:
        """Write the next state down, if it is still this process that goes on with it: RotationLost."""
        written |= {"state": state, "held_until": now + self.HOLD}
        self._write(written)

    def let_go(self, detail: str, *, now: datetime) -> None:
        """Stop, so that whoever asks can go on with it at once, and the clock after a while."""
        later = {"next_try_at": now + self._wait_after(self.tries)}
        self._write({"detail": detail, "holder": "", "held_until": None} | later)

    def goes_on_at(self) -> datetime | None:
        """From when on the clock goes on with it; None where it does not."""
        if self.tries >= self.MOST_TRIES or not self.integration.enabled:
            return None
        return self.next_try_at or self.held_until

    def end(self, state: str, *, now: datetime, detail: str = "") -> None:
        free = {"holder": "", "held_until": None, "new_secret": Secret("")}
        self._write({"state": state, "detail": detail, "finished_at": now, **free})

    def _write(self, written: dict[str, Any]) -> None:
        mine = Rotation.objects.filter(pk=self.pk, holder=self.holder, state=self.state)
        before = self.state
        with together():
            if not mine.update(**written):
                raise RotationLost
            for name, value in written.items():
                setattr(self, name, value)
            self.record(before)

    def record(self, before: str | None = None) -> None:
        """A step of it, in the history of its integration. `before`: in which state it was."""
        said = {"rotation": self.pk, "key_name": self.key_name, "old_key": self.old_hint}
        told = {"new_key": self.new_hint, "why": self.detail, "asked_by": self.by and self.by.get_username()}
        record(
            Verb.CREDENTIAL_ROTATED,
            self.integration,
            before={"state": before} if before else None,
            after={"state": self.state},
            facts=said | {name: value for name, value in told.items() if value},
        )
