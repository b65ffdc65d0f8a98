"""What can be held in a remote, as the last complete read that asked for it saw it."""

from datetime import datetime

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.words import called
from integrations.connectors.base import Entitlement as Seen
from integrations.models import Integration


class Entitlement(models.Model):
    """A project, a group or a role of the remote. Kinds that no rule names are not read.

    As with accounts, what a read sees as it was is not written: what is not gone was seen when its kind was
    last read.
    """

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="entitlements")
    kind = models.CharField(max_length=30)
    remote_id = models.CharField(max_length=200)
    name = models.CharField(max_length=255)
    unmanageable = models.TextField(blank=True, help_text=_("Why it is left alone; empty where it is not."))
    within = models.JSONField(
        null=True,
        blank=True,
        help_text=_(
            "Kind and id of that which only its holders can hold this in; empty where it stands alone."
        ),
    )
    holders = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Members that hold it. Read only where a rule names it.")
    )
    group_roles = models.JSONField(
        null=True,
        blank=True,
        help_text=_(
            "Of a place, which groups hold roles there by themselves; of a group, where it does. Read only "
            "where a group rule names it."
        ),
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("entitlement")
        constraints = [
            models.UniqueConstraint(fields=["integration", "kind", "remote_id"], name="entitlement_once")
        ]
        indexes = [models.Index("integration", "kind", Lower("name"), name="entitlement_by_name")]

    def __str__(self) -> str:
        return f"{called(self.kind)} {self.name}"

    def as_value(self) -> Seen:
        within = (self.within[0], self.within[1]) if self.within else None
        return Seen(self.kind, self.remote_id, self.name, self.unmanageable, within)

    @property
    def seen_at(self) -> datetime:
        """When a read last saw it. Asks for its integration."""
        read_at = (self.integration.kinds_read_at or {}).get(self.kind)
        if self.gone_at or read_at is None:
            return self.last_seen_at
        return max(self.last_seen_at, datetime.fromisoformat(read_at))

    @property
    def treatment(self) -> str:
        """What jobs do with it, in words."""
        if self.gone_at:
            return gettext("Gone")
        if self.unmanageable:
            return gettext("Left alone: %(why)s") % {"why": self.unmanageable}
        named = self.holders is not None or self.group_roles is not None
        return gettext("Kept in step") if named else gettext("Named by no rule")
