"""Evidence packs that were asked for: what for, by whom, how far they are, and what came of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models import Integration
from provisioning.evidence.ordering import LONGEST_SEED, SAMPLE, Order

LEASE = timedelta(minutes=2)
"""So long without a word from the worker that has it, and another one takes it over."""
KEPT_FOR = timedelta(days=30)
"""So long its file can be downloaded. The same order makes it again."""


class TakenOver(Exception):
    """Another worker has the pack now: whatever was done here must not be committed."""


class EvidencePackQuerySet(models.QuerySet["EvidencePack"]):
    def live(self) -> "EvidencePackQuerySet":
        return self.filter(state__in=EvidencePack.LIVE)

    def drop_old_files(self, *, now: datetime) -> None:
        """The rows stay: what was made, and its digest."""
        old = Piece.objects.filter(pack__stepped_at__lt=now - KEPT_FOR)
        if old.exists():  # for even an empty DELETE waits for whoever writes to SQLite
            old.delete()


class EvidencePack(models.Model):
    """An order of somebody's, and the file that was made of it. Any worker can make it."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        MAKING = "making", _("Being made")
        DONE = "done", _("Made")
        FAILED = "failed", _("Failed")

    LIVE = (State.QUEUED, State.MAKING)

    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="evidence_packs")
    since = models.DateField(_("since"))
    until = models.DateField(_("until"), help_text=_("That day included."))
    sample = models.PositiveSmallIntegerField(_("sample"), default=SAMPLE)
    seed = models.CharField(_("seed"), max_length=LONGEST_SEED, blank=True)
    through = models.BigIntegerField(
        null=True,
        blank=True,
        help_text=_("The last entry of the ledger that counts, of a period that was not over."),
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked at"))
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    stepped_at = models.DateTimeField(help_text=_("When it came into this state."))
    note = models.TextField(blank=True, help_text=_("What went wrong."))
    doing = models.CharField(max_length=100, blank=True)
    share = models.FloatField(default=0, help_text=_("How much of that is done."))
    holder = models.CharField(max_length=200, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True, help_text=_("SHA-256 of its manifest."))
    size = models.BigIntegerField(_("size"), default=0)
    said = models.JSONField(default=dict, blank=True, help_text=_("Its figures, as they stand in it."))

    objects = EvidencePackQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence pack")
        verbose_name_plural = _("evidence packs")
        default_permissions = ("add", "view")
        indexes = [models.Index(fields=["integration", "-id"], name="evidence_of_integration")]

    def __str__(self) -> str:
        return f"{self.integration}, {self.since} to {self.until}"

    def order(self) -> Order:
        return Order(self.integration, self.since, self.until, self.sample, self.seed, self.through)

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @property
    def kept_until(self) -> datetime:
        return self.stepped_at + KEPT_FOR

    def content(self) -> Iterator[bytes]:
        """Piece by piece, however large it is."""
        for number in self.pieces.order_by("number").values_list("number", flat=True):
            yield bytes(self.pieces.values_list("content", flat=True).get(number=number))

    # -- what a worker does

    def claim(self, *, holder: str, now: datetime, after: str = "") -> bool:
        """Let this worker have it, if it is still with the one `after`; False when another one was first."""
        free = EvidencePack.objects.live().filter(pk=self.pk, holder=after)
        taken = {"state": self.State.MAKING, "holder": holder, "lease_expires_at": now + LEASE}
        if not free.update(**taken, stepped_at=now, doing="", share=0):
            return False
        self.refresh_from_db()
        return True

    def tell(self, doing: str, share: float, *, now: datetime) -> None:
        """How far it is. Raises TakenOver."""
        self._update(doing=doing, share=share, lease_expires_at=now + LEASE)

    def finish(self, *, now: datetime, **written: Any) -> None:
        """In the transaction that stores its file. Raises TakenOver."""
        self._update(
            state=self.State.DONE, stepped_at=now, holder="", lease_expires_at=None, note="", **written
        )

    def fail(self, note: str, *, now: datetime) -> None:
        """Raises TakenOver."""
        self._update(state=self.State.FAILED, stepped_at=now, holder="", lease_expires_at=None, note=note)

    def _update(self, **values: Any) -> None:
        mine = EvidencePack.objects.live().filter(pk=self.pk, holder=self.holder)
        if not mine.update(**values):
            raise TakenOver
        for name, value in values.items():
            setattr(self, name, value)


class Piece(models.Model):
    """A part of a pack's file, so that no process ever holds all of it."""

    pack = models.ForeignKey(EvidencePack, on_delete=models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["pack", "number"], name="piece_once")]

    def __str__(self) -> str:
        return f"{self.pack_id}, {self.number}"
