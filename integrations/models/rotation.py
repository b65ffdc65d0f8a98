"""The replacement of a credential through the remote itself, as far as it is."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cakewalk.encryption import EncryptedTextField, Secret
from integrations.models.integration import Integration


class RotationQuerySet(models.QuerySet["Rotation"]):
    def unfinished(self) -> "RotationQuerySet":
        return self.filter(state__in=Rotation.UNFINISHED)


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
        """Go on with it; False while another process does."""
        free = models.Q(holder="") | models.Q(held_until__lte=now)
        taken = Rotation.objects.unfinished().filter(free, pk=self.pk)
        if not taken.update(holder=holder, held_until=now + self.HOLD):
            return False
        self.refresh_from_db()
        return True

    def advance(self, state: str, *, now: datetime, **written: Any) -> None:
        """Write the next state down, if it is still this process that goes on with it: RotationLost."""
        written |= {"state": state, "held_until": now + self.HOLD}
        self._write(written)

    def let_go(self, detail: str) -> None:
        """Stop, so that it can be gone on with at once."""
        self._write({"detail": detail, "holder": "", "held_until": None})

    def end(self, state: str, *, now: datetime, detail: str = "") -> None:
        free = {"holder": "", "held_until": None, "new_secret": Secret("")}
        self._write({"state": state, "detail": detail, "finished_at": now, **free})

    def _write(self, written: dict[str, Any]) -> None:
        mine = Rotation.objects.filter(pk=self.pk, holder=self.holder, state=self.state)
        if not mine.update(**written):
            raise RotationLost
        for name, value in written.items():
            setattr(self, name, value)
