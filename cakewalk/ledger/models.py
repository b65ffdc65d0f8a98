"""The ledger's entries, and where its chain stands. Triggers refuse every change of what is written."""

import json
import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger import chain
from cakewalk.ledger.actors import Kind

KINDS = {
    Kind.PERSON: _("Person"),
    Kind.SCHEDULE: _("Schedule"),
    Kind.SOURCE: _("Source"),
    Kind.COMMAND: _("Command"),
}

LONGEST_NAME = 300


class EntryQuerySet(models.QuerySet["Entry"]):
    def about(self, row: models.Model) -> "EntryQuerySet":
        """What was written down of one row of a model, the newest first."""
        return self.filter(object_kind=row._meta.label_lower, object_id=str(row.pk)).order_by("-seq")


class Entry(models.Model):
    """One thing that happened. Nothing refers to rows of other tables, which may go while this stays."""

    seq = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(_("when"), db_index=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=10)
    actor = models.CharField(_("actor"), max_length=LONGEST_NAME, blank=True)
    address = models.CharField(_("network address"), max_length=45, blank=True)
    verb = models.CharField(_("what happened"), max_length=40)
    object_kind = models.CharField(_("kind"), max_length=80, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(_("of what"), max_length=LONGEST_NAME, blank=True)
    integration = models.BigIntegerField(_("integration"), null=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    body = models.TextField(help_text=_("JSON: what was before, what was after, and further facts."))
    previous = models.CharField(max_length=64, help_text=_("The hash of the entry before."))
    hash = models.CharField(max_length=64)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes = [
            models.Index(fields=["object_kind", "object_id", "-seq"], name="ledger_of_object"),
            models.Index(fields=["verb", "-seq"], name="ledger_by_verb"),
            models.Index(fields=["actor", "-seq"], name="ledger_by_actor"),
            models.Index(fields=["integration", "-seq"], name="ledger_of_integration"),
            models.Index(Lower("email"), name="ledger_by_email", condition=~models.Q(email="")),
        ]
        permissions = [("export_entry", "Can export the ledger")]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb} {self.object_name}".strip()

    def values(self) -> tuple[str | int | None, ...]:
        """What its hash is made of, in the order of chain.FIELDS."""
        return tuple(chain.moment(self.at) if name == "at" else getattr(self, name) for name in chain.FIELDS)

    def as_row(self) -> chain.Row:
        return chain.Row(self.seq, self.values(), self.previous, self.hash)

    def told(self) -> dict[str, Any]:
        """`before`, `after` and `facts`, as far as there are any."""
        body: dict[str, Any] = json.loads(self.body)
        return body


class Head(models.Model):
    """Where the chain stands: one row, locked by whoever appends."""

    installation = models.UUIDField(default=uuid.uuid4, editable=False)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=chain.GENESIS)

    def __str__(self) -> str:
        return f"Entry {self.seq}"

    @classmethod
    def locked(cls) -> "Head":
        """Until the running transaction ends."""
        head, _ = cls.objects.select_for_update().get_or_create(pk=1)
        return head

    @property
    def link(self) -> chain.Link:
        return chain.Link(self.seq, self.hash)

    def move_to(self, link: chain.Link) -> None:
        self.seq, self.hash = link
        self.save(update_fields=["seq", "hash"])


class Pruning(models.Model):
    """Entries that are no more: up to which, where the chain stood there, and what became of them.

    Written before they are deleted, which the database allows for no others.
    """

    seq = models.BigIntegerField(_("last entry pruned"), primary_key=True)
    hash = models.CharField(max_length=64)
    at = models.DateTimeField(_("when"))
    exported = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("SHA-256 of the file that the entries were exported to before."),
    )

    def __str__(self) -> str:
        return f"Entries up to {self.seq}"

    @property
    def link(self) -> chain.Link:
        return chain.Link(self.seq, self.hash)

    @classmethod
    def begin(cls) -> chain.Link:
        """After what the entries that remain begin."""
        last = cls.objects.order_by("-seq").first()
        return last.link if last else chain.START


class Verification(models.Model):
    """One look at the whole record: what was read, and where it is not what was written."""

    at = models.DateTimeField(_("when"), db_index=True)
    seconds = models.FloatField(_("took"))
    entries = models.BigIntegerField(_("entries"))
    seq = models.BigIntegerField(_("up to entry"))
    hash = models.CharField(max_length=64)
    checkpoints = models.PositiveIntegerField(_("checkpoints compared"), default=0)
    records = models.PositiveBigIntegerField(_("other records compared"), default=0)
    breaks = models.JSONField(_("breaks"), default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} up to entry {self.seq}"

    @property
    def is_intact(self) -> bool:
        return not self.breaks
