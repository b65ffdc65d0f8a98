"""Files of people that somebody wants to import, from the upload through the preview to the import."""

import zlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb

LEASE = timedelta(minutes=2)
"""So long without a word from the worker that has it, and another one takes it over."""
SHOWN_FOR = timedelta(hours=1)
"""So long what was shown can be imported. Then the file is forgotten."""
REMEMBERED = timedelta(days=1)
"""So long its page says what came of it."""


class TakenOver(Exception):
    """Another worker has the upload now, or it has ended: whatever was done here must not be committed."""


class UploadQuerySet(models.QuerySet["Upload"]):
    def live(self) -> "UploadQuerySet":
        """Those that a worker has, or must be told of."""
        return self.filter(state__in=Upload.LIVE)

    def forget_old(self, *, now: datetime) -> None:
        untouched = self.filter(state=Upload.State.SHOWN, stepped_at__lt=now - SHOWN_FOR)
        ended = self.filter(state__in=Upload.ENDED, stepped_at__lt=now - REMEMBERED)
        for old in (untouched, ended):
            if old.exists():  # for even an empty DELETE waits for whoever writes to SQLite
                old.delete()


class Upload(models.Model):
    """A file between its upload and its import. Any web process and any worker can take the next step."""

    class State(models.TextChoices):
        READING = "reading", _("Being read")
        SHOWN = "shown", _("Not imported yet")
        IMPORTING = "importing", _("Being imported")
        DONE = "done", _("Imported")
        FAILED = "failed", _("Failed")

    LIVE = (State.READING, State.IMPORTING)
    ENDED = (State.DONE, State.FAILED)

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("Who uploaded it, and then who had it imported."),
    )
    file = models.CharField(max_length=255)
    packed = models.BinaryField()
    source_name = models.CharField(max_length=100)
    replace = models.BooleanField()
    allow_drop = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READING)
    stepped_at = models.DateTimeField(help_text=_("When it came into this state."))
    note = models.TextField(blank=True, help_text=_("Why it is here again, or what went wrong."))
    digest = models.CharField(max_length=64, blank=True, help_text=_("Of the plan that is shown."))
    summary = models.JSONField(default=dict, help_text=_("The numbers and the warnings of the plan."))
    doing = models.CharField(max_length=100, blank=True)
    share = models.FloatField(default=0, help_text=_("How much of that is done."))
    holder = models.CharField(max_length=200, blank=True, help_text=_("The worker that has it."))
    lease_expires_at = models.DateTimeField(null=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        app_label = "directory"
        default_permissions = ()  # whoever may import sees their own

    def __str__(self) -> str:
        return self.file

    @staticmethod
    def pack(content: bytes) -> bytes:
        return zlib.compress(content, 1)

    @property
    def content(self) -> bytes:
        return zlib.decompress(self.packed)

    def ask(self, *, by: Any, digest: str, allow_drop: bool, now: datetime) -> bool:
        """Import what is shown; False when that is not `digest` any more, or somebody asked already."""
        shown = Upload.objects.filter(pk=self.pk, state=self.State.SHOWN, digest=digest)
        asked = {"state": self.State.IMPORTING, "asked_by": by, "allow_drop": allow_drop, "stepped_at": now}
        if not shown.update(**asked, doing="", share=0, note=""):
            return False
        into = {"source": self.source_name, "allow_drop": allow_drop, "plan": digest}
        record(Verb.IMPORT_ASKED, self, facts=into)
        return True

    # -- what a worker does

    def claim(self, *, holder: str, now: datetime, after: str = "") -> bool:
        """Let this worker have it, if it is still with the one `after`; False when another one was first."""
        mine = Upload.objects.live().filter(pk=self.pk, holder=after)
        if not mine.update(holder=holder, lease_expires_at=now + LEASE):
            return False
        self.refresh_from_db()
        return True

    def tell(self, doing: str, share: float, *, now: datetime) -> None:
        """How far it is. Raises TakenOver."""
        self._update(doing=doing, share=share, lease_expires_at=now + LEASE)

    def show(self, *, digest: str, summary: dict[str, Any], now: datetime) -> None:
        """Raises TakenOver."""
        self._step(self.State.SHOWN, now=now, digest=digest, summary=summary)

    def show_again(self, note: str, *, now: datetime) -> None:
        """The plan is not what was shown, so that another one must be. Raises TakenOver."""
        self._update(state=self.State.READING, note=note, stepped_at=now, allow_drop=False)

    def finish(self, summary: dict[str, Any], *, now: datetime) -> None:
        """In the transaction of the import. Raises TakenOver."""
        self._step(self.State.DONE, now=now, summary=summary, packed=b"")

    def fail(self, note: str, *, now: datetime) -> None:
        """Raises TakenOver."""
        self._step(self.State.FAILED, now=now, note=note, packed=b"")

    def _step(self, state: str, *, now: datetime, **values: Any) -> None:
        self._update(state=state, stepped_at=now, holder="", lease_expires_at=None, **values)

    def _update(self, **values: Any) -> None:
        if not Upload.objects.live().filter(pk=self.pk, holder=self.holder).update(**values):
            raise TakenOver
        for name, value in values.items():
            setattr(self, name, value)


class UploadPage(models.Model):
    """A page of what an upload would change, or of what is wrong with it."""

    class Part(models.TextChoices):
        ERRORS = "errors", _("What is wrong")
        ADDED = "added", _("Added")
        CHANGED = "changed", _("Changed")
        DEACTIVATED = "deactivated", _("Deactivated")

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="pages")
    part = models.CharField(max_length=12, choices=Part.choices)
    number = models.PositiveIntegerField()
    lines = models.JSONField()

    class Meta:
        app_label = "directory"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["upload", "part", "number"], name="upload_page_once")]

    def __str__(self) -> str:
        return f"{self.upload}, {self.part} {self.number}"
