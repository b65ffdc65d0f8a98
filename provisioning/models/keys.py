"""Keys and service accounts, as the last complete read saw them."""

from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from integrations.models import Integration
from provisioning.models.accounts import Account


def _owner_has_left(today: date) -> Q:
    """They are no member any more, or known to the directory to have left."""
    no_member = Q(account=None) | Q(account__gone_at__isnull=False)
    left = Q(account__person__active=False) | Q(account__person__end_date__lt=today)
    return (no_member | left) & Q(of_machine=False) & ~Q(owner_id="")


class KeyQuerySet(models.QuerySet["Key"]):
    def present(self) -> "KeyQuerySet":
        return self.filter(gone_at=None)

    def of_leavers(self, today: date) -> "KeyQuerySet":
        return self.filter(_owner_has_left(today))

    def telling_who_left(self, today: date) -> "KeyQuerySet":
        """Each with `owner_has_left`."""
        return self.annotate(owner_has_left=ExpressionWrapper(_owner_has_left(today), models.BooleanField()))

    def changed(self) -> "KeyQuerySet":
        """What the last complete read saw for the first time, or missed for the first time."""
        last = F("integration__keys_read_at")
        return self.filter(Q(first_seen_at=last) | Q(gone_at=last))

    def unused_since(self, moment: datetime) -> "KeyQuerySet":
        """Made before it, and not used since. When a machine was last at work, the remote does not tell."""
        told = self.exclude(of_machine=True, owner_id="")
        return told.filter(Q(last_used_at__lt=moment) | Q(last_used_at=None, made_at__lt=moment))


class Key(models.Model):
    """A key in the remote, or a service account, which may hold some. Never its secret."""

    UNUSED_FOR = timedelta(days=90)
    EXPIRES_WITHIN = timedelta(days=30)

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=30)
    remote_id = models.CharField(max_length=401)
    name = models.CharField(max_length=300, blank=True)
    place = models.CharField(max_length=300, blank=True, help_text=_("Where it works."))
    shown = models.CharField(
        max_length=30,
        blank=True,
        help_text=_("The kind of key and its last four characters, where the remote shows them."),
    )
    owner_id = models.CharField(max_length=200, blank=True)
    owner_name = models.CharField(max_length=300, blank=True)
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="keys",
        help_text=_("The account of its owner, where one is known."),
    )
    of_machine = models.BooleanField(default=False, help_text=_("Whoever owns it is no person."))
    is_ours = models.BooleanField(default=False, help_text=_("The key that Cakewalk itself works with."))
    unattended = models.BooleanField(
        default=False,
        help_text=_("Of a machine in a project where nobody is left but owners of the organization."),
    )
    made_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = KeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("key")
        constraints = [models.UniqueConstraint(fields=["integration", "kind", "remote_id"], name="key_once")]
        indexes = [models.Index("integration", "kind", Lower("name"), name="key_by_name")]

    def __str__(self) -> str:
        return self.name or self.shown or self.remote_id
