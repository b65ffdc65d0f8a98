"""For how long each kind of history is kept, and what went by that."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from provisioning import recovering
from provisioning.retention.kinds import KINDS, Kind

EVIDENCE_DAYS = 400
"""A year under audit, and the weeks after it. Less takes a reason, and a permission of its own."""
FEWEST_DAYS = 100
"""Whatever the reason: syncs look 90 days back."""
MOST_DAYS = 36_500
LEASE = timedelta(minutes=10)
"""So long without a word from the process that prunes, and another one goes on."""


class Retention(models.Model):
    """For how long one kind of rows is kept."""

    kind = models.CharField(_("what"), max_length=20, unique=True, editable=False)
    days = models.PositiveIntegerField(
        _("kept for days"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_DAYS)],
    )
    reason = models.CharField(
        _("why it is shorter"),
        max_length=500,
        blank=True,
        help_text=_("Evidence that is kept for less than 400 days needs one, such as a law."),
    )

    class Meta:
        verbose_name = _("retention")
        verbose_name_plural = _("kinds of history")
        default_permissions = ("view", "change")
        permissions = [("shorten", "Can keep evidence for less than 400 days")]
        constraints = [
            models.CheckConstraint(
                condition=Q(days=None) | Q(days__gte=EVIDENCE_DAYS) | ~Q(reason="") | Q(kind="sessions"),
                name="retention_shorter_with_a_reason",
            )
        ]

    def __str__(self) -> str:
        return str(self.of.label)

    @property
    def of(self) -> Kind:
        return KINDS[self.kind]

    def is_shortened(self) -> bool:
        return self.of.is_evidence and self.days is not None and self.days < EVIDENCE_DAYS

    def clean(self) -> None:
        if self.of.is_evidence and self.days is not None and self.days < FEWEST_DAYS:
            raise ValidationError(
                {"days": _("At least %(days)s days: syncs look back that far.") % {"days": FEWEST_DAYS}}
            )
        if self.is_shortened() and not self.reason.strip():
            raise ValidationError({"reason": _("Say why this evidence is kept for less than 400 days.")})
        if problem := self._against_the_ledger():
            raise ValidationError({"days": problem})

    def _against_the_ledger(self) -> Any:
        """By its entries all other rows are proven."""
        days = {**days_of_all(), self.kind: self.days}
        ledger, jobs = days["ledger"], days["jobs"]
        if self.kind in ("ledger", "jobs") and ledger is not None and (jobs is None or jobs > ledger):
            return _("Ledger entries are kept at least as long as jobs, which they prove.")
        return None


def days_of_all() -> dict[str, int | None]:
    """Of every kind, whether somebody has said something of it or not."""
    said = dict(Retention.objects.values_list("kind", "days"))
    return {key: said.get(key, kind.days) for key, kind in KINDS.items()}


class PruningLost(Exception):
    """Another process prunes now; this one must stop at once and delete nothing more."""


class ArchiveQuerySet(models.QuerySet["Archive"]):
    def unfinished(self) -> "ArchiveQuerySet":
        return self.filter(state__in=Archive.UNFINISHED)


class Archive(models.Model):
    """A file into which old rows went before they were deleted. Nothing is deleted that it does not hold."""

    class State(models.TextChoices):
        WRITING = "writing", _("Being written; nothing is deleted yet")
        WRITTEN = "written", _("Written; what it holds is being deleted")
        DONE = "done", _("Done")
        GIVEN_UP = "given_up", _("Given up; nothing was deleted")

    UNFINISHED = (State.WRITING, State.WRITTEN)

    state = models.CharField(max_length=10, choices=State.choices, default=State.WRITING)
    path = models.CharField(_("file"), max_length=500)
    sha256 = models.CharField(max_length=64, blank=True)
    contents = models.JSONField(default=dict, help_text=_("By kind: older than when, and what it was."))
    note = models.TextField(blank=True, help_text=_("Why it stopped."))
    began_at = models.DateTimeField(_("began"))
    written_at = models.DateTimeField(_("written"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    holder = models.CharField(max_length=200, blank=True)
    lease_expires_at = models.DateTimeField(null=True)

    objects = ArchiveQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # they are on the pages of retention
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=("writing", "written")), name="one_pruning_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Of the file, without the folder."""
        return self.path.rpartition("/")[2]

    @classmethod
    def begin(cls, path: str, *, holder: str, now: datetime) -> "Archive":
        """Raises IntegrityError where another process was first."""
        cls.objects.filter(state=cls.State.GIVEN_UP).delete()
        return cls.objects.create(path=path, began_at=now, holder=holder, lease_expires_at=now + LEASE)

    def is_free(self, *, now: datetime) -> bool:
        """Whether nobody is at work on it, or whoever was is silent for too long, or no more."""
        return recovering.is_free(self.holder, self.lease_expires_at, now=now)

    def claim(self, *, holder: str, now: datetime) -> bool:
        """Go on with it; False when another process was first."""
        free = Archive.objects.unfinished().filter(pk=self.pk, holder=self.holder, state=self.state)
        if not free.update(holder=holder, lease_expires_at=now + LEASE):
            return False
        self.holder = holder
        return True

    def renew(self, *, now: datetime) -> None:
        """Raises PruningLost."""
        self._write(lease_expires_at=now + LEASE)

    def note_written(self, sha256: str, contents: dict[str, Any], *, now: datetime) -> None:
        """From here on the rows go. Raises PruningLost."""
        self._write(state=self.State.WRITTEN, sha256=sha256, contents=contents, written_at=now, note="")

    def finish(self, *, now: datetime) -> None:
        self._write(state=self.State.DONE, finished_at=now, holder="", lease_expires_at=None, note="")

    def give_up(self, note: str, *, now: datetime) -> None:
        self._write(state=self.State.GIVEN_UP, finished_at=now, holder="", lease_expires_at=None, note=note)

    def let_go(self, note: str) -> None:
        """Stop, so that whoever comes next goes on."""
        self._write(holder="", lease_expires_at=None, note=note)

    def _write(self, **values: Any) -> None:
        mine = Archive.objects.filter(pk=self.pk, holder=self.holder, state=self.state)
        if not mine.update(**values):
            raise PruningLost
        for name, value in values.items():
            setattr(self, name, value)
