"""Access reviews: who is asked about which access until when, what they said, and what keeps it so."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from cakewalk.models import User
from cakewalk.words import called
from directory.models import Group, Person
from integrations.models import Integration
from provisioning.models import Account, Action, Entitlement
from provisioning.models.jobs import took
from provisioning.policy import EVERYTHING, Excepted, Exceptions

LONGEST_REASON = 500
LEASE = timedelta(minutes=2)
"""So long without a word from the worker that has it, and another one takes it over."""
AT_ONCE = 1000
"""Lines in memory at a time."""


class TakenOver(Exception):
    """Another worker has the review now, or it was stopped: what was done here must not be committed."""


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def open(self) -> "CampaignQuerySet":
        return self.filter(state=Campaign.State.OPEN)

    def under_way(self) -> "CampaignQuerySet":
        """Those with something to do for a worker."""
        return self.filter(state__in=Campaign.UNDER_WAY)

    def shown_to_reviewers(self) -> "CampaignQuerySet":
        return self.exclude(state__in=Campaign.NOT_ASKED_YET)

    def awaiting_job(self) -> "CampaignQuerySet":
        """Whose revocations somebody wants carried out, and for which no job could be queued yet."""
        return self.filter(job_wanted_by__isnull=False)


class Campaign(models.Model):
    """One review: of whose access, until when. What it lists is frozen when it is opened."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OPEN = "open", pgettext_lazy("of a review", "Open")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")
        OPENING = "opening", _("Being opened")
        HANDING = "handing", _("Being handed over")
        FINISHING = "finishing", _("Being finished")
        CANCELLING = "cancelling", _("Being cancelled")

    UNDER_WAY: Mapping[str, str] = {
        State.OPENING: State.DRAFT,
        State.HANDING: State.OPEN,
        State.FINISHING: State.OPEN,
        State.CANCELLING: State.OPEN,
    }
    """What a worker does with it, and what it is again if nothing comes of that."""
    NOT_ASKED_YET = (State.DRAFT, State.OPENING)

    class Scope(models.TextChoices):
        """What the lines of a campaign, its assignments, mean to it."""

        EVERYTHING = "everything", _("Everything: the lines only say who reviews what")
        GROUPS = "groups", _("Only people of the directory groups that the lines name")
        ENTITLEMENTS = "entitlements", _("Only the projects and groups of the remote that the lines name")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="reviews")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=20, choices=Scope.choices, default=Scope.EVERYTHING)
    default_reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Decides on the rest, and on the accounts of the other reviewers themselves."),
    )
    due_on = models.DateField(_("due on"), help_text=_("The last day on which reviewers are to decide."))
    remind_days = models.PositiveSmallIntegerField(
        _("reminder, days before"),
        default=3,
        help_text=_("So many days before the due date, reviewers with open lines get an e-mail."),
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    close_reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    read_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When that was read of the remote what the review lists.")
    )
    not_covered = models.JSONField(
        default=list, blank=True, help_text=_("What the review cannot tell of: nobody has read who holds it.")
    )
    names = models.JSONField(
        default=dict, blank=True, help_text=_("How the users were called when it was closed, by their ids.")
    )
    digest = models.CharField(max_length=64, blank=True)
    job_wanted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )

    # What a worker was asked to do with it, and how far that is. Left as it was when it is over.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    asked_at = models.DateTimeField(null=True, editable=False)
    asked_with = models.JSONField(null=True, editable=False, help_text=_("The reason, or who and whom."))
    note = models.TextField(db_default="", default="", editable=False, help_text=_("Why nothing came of it."))
    share = models.FloatField(db_default=0, default=0, editable=False, help_text=_("How much of it is done."))
    holder = models.CharField(max_length=200, db_default="", default="", editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("access review")
        verbose_name_plural = _("access reviews")
        default_permissions = ("add", "change", "view")
        constraints = [
            models.UniqueConstraint("integration", Lower("name"), name="campaign_name_unique_in_integration")
        ]
        indexes = [models.Index(fields=["state", "due_on"], name="campaign_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_draft(self) -> bool:
        return self.state == self.State.DRAFT

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def is_finished(self) -> bool:
        return self.state == self.State.FINISHED

    @property
    def is_over(self) -> bool:
        """Or about to be."""
        over = (self.State.FINISHED, self.State.CANCELLED, self.State.FINISHING, self.State.CANCELLING)
        return self.state in over

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    def ask(self, state: str, *, by: User, now: datetime, **with_: Any) -> None:
        """Let a worker do it. To be called where the row is locked."""
        self.state, self.asked_by, self.asked_at, self.asked_with = state, by, now, with_
        self._begin_anew()
        self.save(update_fields=["state", "asked_by", "asked_at", "asked_with", *self._PROGRESS])

    def give_up(self, note: str = "") -> None:
        """Be again what it was before. To be called where the row is locked."""
        self.state = self.UNDER_WAY[self.state]
        self._begin_anew(note)
        self.save(update_fields=["state", *self._PROGRESS])

    _PROGRESS = ("note", "share", "holder", "lease_expires_at")

    def _begin_anew(self, note: str = "") -> None:
        self.note, self.share, self.holder, self.lease_expires_at = note, 0, "", None

    # -- what a worker does

    def claim(self, *, holder: str, now: datetime, after: str = "") -> bool:
        """Let this worker have it, if it is still with the one `after`; False when another one was first."""
        free = Campaign.objects.under_way().filter(pk=self.pk, holder=after)
        if not free.update(holder=holder, lease_expires_at=now + LEASE, share=0):
            return False
        self.refresh_from_db()
        return True

    def tell(self, share: float, *, now: datetime) -> None:
        """How far it is. Raises TakenOver."""
        self._update(share=share, lease_expires_at=now + LEASE)

    def come_to(self, state: str, **values: Any) -> None:
        """The end of what was asked for, in the transaction that does it. Raises TakenOver."""
        self._update(state=state, share=0, holder="", lease_expires_at=None, **values)

    def _update(self, **values: Any) -> None:
        """As long as it is with this worker."""
        mine = Campaign.objects.filter(pk=self.pk, state=self.state, holder=self.holder)
        if not mine.update(**values):
            raise TakenOver
        for name, value in values.items():
            setattr(self, name, value)


class Assignment(models.Model):
    """One line of a campaign: a directory group, or a project or group of the remote, and who reviews it."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("directory group")
    )
    entitlement = models.ForeignKey(
        Entitlement,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        verbose_name=_("or project or group"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reviewer"),
        help_text=_("Empty: the default reviewer."),
    )

    class Meta:
        verbose_name = _("line of the review")
        verbose_name_plural = _("lines of the review")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(group__isnull=True) ^ Q(entitlement__isnull=True), name="assignment_of_one_thing"
            ),
            models.UniqueConstraint(fields=["campaign", "group"], name="assignment_of_group_once"),
            models.UniqueConstraint(fields=["campaign", "entitlement"], name="assignment_of_held_once"),
        ]

    def __str__(self) -> str:
        return str(self.group or self.entitlement)


class ItemQuerySet(models.QuerySet["Item"]):
    def in_turn(self) -> Iterator[list["Item"]]:
        """All of one campaign by their numbers, some at a time. Each time it asks anew: SQLite takes nothing
        that is written while somebody reads on.
        """
        last = 0
        while rows := list(self.filter(seq__gt=last).order_by("seq")[:AT_ONCE]):
            yield rows
            last = rows[-1].seq

    def of(self, user: User) -> "ItemQuerySet":
        return self.filter(reviewer=user)

    def undecided(self) -> "ItemQuerySet":
        return self.filter(decision=Item.Decision.NONE)

    def revoked(self) -> "ItemQuerySet":
        return self.filter(decision=Item.Decision.REVOKE)

    def in_numbers(self) -> Mapping[str, int]:
        counted = self.order_by().values_list("decision").annotate(number=Count("pk"))
        found = dict.fromkeys((str(one) for one in Item.Decision), 0) | dict(counted)
        every = sum(found.values())
        return {"all": every, "decided": every - found[""], "undecided": found[""], **found}


class Item(models.Model):
    """One thing to decide: an account, or one grant of it, as the reviewer sees it, and what they said.

    Everything but the decision stays as it was when the campaign was opened.
    """

    class Decision(models.TextChoices):
        NONE = "", _("Not decided")
        KEEP = "keep", _("Keep")
        REVOKE = "revoke", pgettext_lazy("access", "Revoke")

    # Both begin an index below. One more would have each line written once more when a review is opened.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items", db_index=False)
    seq = models.PositiveIntegerField(_("number"))
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="+")
    account_ref = models.CharField(max_length=200, help_text=_("Its id in the remote."))
    email = models.CharField(max_length=320, blank=True)
    account_state = models.CharField(max_length=10, choices=Account.State.choices)
    account_role = models.CharField(max_length=100, blank=True)
    person = models.ForeignKey(Person, on_delete=models.SET_NULL, null=True, related_name="+")
    person_name = models.CharField(max_length=300, blank=True)
    groups = models.JSONField(default=list)
    kind = models.CharField(max_length=30, blank=True, help_text=_("Empty: the account itself."))
    entitlement_ref = models.CharField(max_length=200, blank=True)
    entitlement_name = models.CharField(max_length=255, blank=True)
    role = models.CharField(max_length=100, blank=True)
    given_by = models.JSONField(default=list, help_text=_("The rules that gave it."))
    standing = models.CharField(max_length=30, blank=True, help_text=_("What is special about it."))
    last_active_at = models.DateTimeField(null=True, help_text=_("When a key of theirs was last used."))

    decision = models.CharField(max_length=10, choices=Decision.choices, default=Decision.NONE, blank=True)
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    meanwhile = models.CharField(
        max_length=200, blank=True, help_text=_("What had changed when the review was finished.")
    )

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("line to review")
        verbose_name_plural = _("lines to review")
        default_permissions = ()
        permissions = [("review_access", "Can review access")]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "seq"], name="item_seq_once"),
            models.UniqueConstraint(
                fields=["campaign", "account_ref", "kind", "entitlement_ref"], name="item_of_access_once"
            ),
        ]
        indexes = [models.Index(fields=["reviewer", "campaign", "decision"], name="item_of_reviewer")]

    def __str__(self) -> str:
        return f"{self.email or self.account_ref}: {self.what}"

    @property
    def is_account(self) -> bool:
        return not self.kind

    @property
    def what_in_english(self) -> str:
        """For the record."""
        return f"{self.kind} {self.entitlement_name} ({self.role})" if self.kind else "account"

    @property
    def thing(self) -> str:
        return f"{called(self.kind)} {self.entitlement_name}"

    @property
    def what(self) -> str:
        """In words, for whoever looks."""
        if self.is_account:
            return gettext("Account (%(role)s)") % {"role": self.account_role or gettext("no role")}
        return f"{self.thing} ({self.role})"


class Reminder(models.Model):
    """One e-mail to one reviewer. Written before it is sent, so that none is sent twice and none is lost."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("The review was opened")
        SOON = "soon", _("Due soon")
        DUE = "due", _("Due today")
        OVERDUE = "overdue", _("Overdue")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reminders")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    claimed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["campaign", "reviewer", "kind"], name="reminder_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reviewer}"


class ExclusionQuerySet(models.QuerySet["Exclusion"]):
    def carried_out(self) -> "ExclusionQuerySet":
        """Of what was taken, or may have been. What was only planned excepts nobody from anything."""
        # From each to its action, and not by a query of actions: there may be a million others.
        gone_already = Q(action__state=Action.State.SKIPPED, action__error__code="already_so")
        return self.filter(Q(since__isnull=False) | took("action__") | gone_already)

    def note_since_when(self, now: datetime) -> None:
        """So that an exception outlives the record of the action that began it. The clock does so."""
        begun = self.filter(since=None).carried_out().values_list("pk", flat=True)
        self.filter(pk__in=list(begun)).update(since=now)

    def in_force(self) -> "ExclusionQuerySet":
        return self.carried_out().filter(lifted_at=None)

    def as_values(self) -> Exceptions:
        rows = self.select_related("review").order_by("pk")
        return {(row.person_id, row.key): row.as_value() for row in rows}


class Exclusion(models.Model):
    """An exception from the access rules: what one person is not given, not even by rule, since a review has
    revoked it. It comes into force with the taking, and lasts until an operator lifts it.
    """

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="exclusions")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="exclusions")
    kind = models.CharField(max_length=30, blank=True, help_text=_("Empty: all access."))
    entitlement_ref = models.CharField(max_length=200, blank=True)
    entitlement_name = models.CharField(max_length=255, blank=True)
    review = models.ForeignKey(Campaign, on_delete=models.RESTRICT, related_name="exclusions")
    action = models.OneToOneField(Action, on_delete=models.SET_NULL, null=True, related_name="exclusion")
    since = models.DateTimeField(null=True, editable=False)
    rules = models.TextField(help_text=_("The rules that would give it again."))
    reason = models.CharField(max_length=LONGEST_REASON)
    made_at = models.DateTimeField(auto_now_add=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    lift_reason = models.CharField(max_length=LONGEST_REASON, blank=True)

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exception")
        verbose_name_plural = _("exceptions")
        default_permissions = ("change", "view")

    def __str__(self) -> str:
        return f"{self.person}: {self.what}"

    @property
    def key(self) -> tuple[str, str]:
        return (self.kind, self.entitlement_ref) if self.kind else EVERYTHING

    def as_value(self) -> Excepted:
        return Excepted(self.review.name, self.reason)

    @property
    def what(self) -> str:
        return f"{called(self.kind)} {self.entitlement_name}" if self.kind else gettext("All access")

    def lift(self, *, by: User, reason: str, now: datetime) -> bool:
        """False when somebody was first."""
        standing = Exclusion.objects.filter(pk=self.pk, lifted_at=None)
        return standing.update(lifted_at=now, lifted_by=by, lift_reason=reason) == 1
