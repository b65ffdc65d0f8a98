"""Accounts as the last complete read saw them."""

from datetime import datetime

from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory.models import Person
from integrations.connectors.base import AccountState
from integrations.models import Integration

SEEN_AT = Case(
    When(
        gone_at=None,
        missing_since=None,
        integration__accounts_read_at__gt=F("last_seen_at"),
        then=F("integration__accounts_read_at"),
    ),
    default=F("last_seen_at"),
)
"""`Account.seen_at` as SQL."""


class AccountQuerySet(models.QuerySet["Account"]):
    def present(self) -> "AccountQuerySet":
        """Those whose absence nobody has accepted, which may be missing from the last read."""
        return self.filter(gone_at=None)

    def seen_since(self, moment: datetime) -> "AccountQuerySet":
        """Present ones that a read has seen since then."""
        by_all = Q(missing_since=None, integration__accounts_read_at__gte=moment)
        return self.present().filter(by_all | Q(last_seen_at__gte=moment))


class Account(models.Model):
    """An account as the last complete read saw it, and whose it is.

    Most reads see all that they saw before, and then no row is written: whatever is present and not missing
    was seen when the integration's accounts were last read. `last_seen_at` tells of the others, and of those
    that a read about some people has seen since.
    """

    class Match(models.TextChoices):
        NONE = "", _("Nobody's")
        EMAIL = "email", _("By e-mail")
        MANUAL = "manual", _("Linked by hand")

    class State(models.TextChoices):
        ACTIVE = AccountState.ACTIVE, _("Active")
        INVITED = AccountState.INVITED, _("Invited")
        EXPIRED = AccountState.EXPIRED, _("Expired invite")

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="accounts")
    remote_id = models.CharField(max_length=200)
    email = models.CharField(max_length=320, blank=True)
    name = models.CharField(max_length=300, blank=True)
    role = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=State.choices)
    grants = models.JSONField(default=list, blank=True)
    left = models.JSONField(
        null=True, blank=True, help_text=_("Role and grants when we last left it as it should be.")
    )
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, blank=True, related_name="accounts"
    )
    match = models.CharField(max_length=10, choices=Match.choices, default=Match.NONE, blank=True)
    situation = models.CharField(max_length=30, blank=True)
    managed_elsewhere = models.BooleanField(
        default=False,
        help_text=_("The remote says that another system feeds it, such as its own SCIM: never written to."),
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Until when an invite is open."))
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    missing_since = models.DateTimeField(null=True, blank=True)
    """By the first complete read that did not see it, until another read sees it."""
    gone_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When we last changed something of it ourselves.")
    )
    swept_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When what it left behind was looked for, after it was removed.")
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["integration", "remote_id"], name="account_once")]
        indexes = [
            models.Index(
                fields=["integration", "gone_at", "state", "situation", "managed_elsewhere"],
                name="account_by_situation",
            ),
            models.Index(fields=["integration", "changed_at"], name="account_changed_at"),
            models.Index(Lower("email"), name="account_email_lower"),
        ]

    def __str__(self) -> str:
        return self.email or self.remote_id

    @property
    def seen_at(self) -> datetime:
        """When a read last saw it. Asks for its integration."""
        read_at = self.integration.accounts_read_at
        if self.gone_at or self.missing_since or read_at is None:
            return self.last_seen_at
        return max(self.last_seen_at, read_at)

    def link_by_hand(self, person: Person | None, *, job: int | None = None) -> None:
        """Whose it is, whatever the addresses say; nobody's: to be matched by them again. `job`: on whose
        page it was found.
        """
        before = Account.objects.select_related("person").get(pk=self.pk)
        self.person, self.match = person, self.Match.MANUAL if person else self.Match.NONE
        with together():
            self.save(update_fields=["person", "match"])
            record(
                Verb.LINKED if person else Verb.UNLINKED,
                self,
                before=before.whose(),
                after=self.whose(),
                facts={"account": self.remote_id, "job": job},
                email=self.email,
            )

    def whose(self) -> dict[str, str | None]:
        return {"person": self.person.email if self.person else None, "match": self.match}
