"""Who should have what, and who is set apart: access rules with their grants, and marks."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences, said_of
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.words import called
from directory.emails import email_key
from directory.models import Group
from integrations.catalog import connector_class
from integrations.models import Integration
from provisioning import policy


class AccessRuleQuerySet(models.QuerySet["AccessRule"]):
    def planned(self) -> "AccessRuleQuerySet":
        """Rules that a plan looks at: active ones, and proposed ones, which are shown and never applied."""
        return self.exclude(state=AccessRule.State.DRAFT)

    def as_values(self) -> tuple[policy.Rule, ...]:
        """The rules as planning sees them, in the order of their names."""
        return tuple(rule.as_value() for rule in self.prefetch_related("grants").order_by("name"))


class AccessRule(models.Model):
    """Directory group → organization role and grants. Without a group it speaks of every active person."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PROPOSED = "proposed", _("Proposed: planned and shown, never applied")
        ACTIVE = "active", _("Active")

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=200)
    group = models.ForeignKey(
        Group,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rules",
        help_text=_("Leave empty for every active person."),
    )
    role = models.CharField(max_length=100, help_text=_("Organization role."))
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)

    objects = AccessRuleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("integration", Lower("name"), name="rule_name_unique_in_integration"),
            models.CheckConstraint(condition=~Q(role=""), name="rule_role_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    def as_value(self) -> policy.Rule:
        return policy.Rule(
            name=self.name,
            group=self.group_id,
            role=self.role,
            grants=tuple(grant.as_value() for grant in self.grants.all()),
            proposed=self.state == self.State.PROPOSED,
        )

    def clean(self) -> None:
        if self.integration_id is None or not self.role:
            return
        roles = connector_class(self.integration.kind).vocabulary.roles
        if self.role not in roles:
            raise ValidationError(
                {
                    "role": _("There is no role %(role)s here; choose one of: %(roles)s.")
                    % {"role": self.role, "roles": ", ".join(roles)}
                }
            )


class RuleGrant(models.Model):
    """One thing that a rule gives besides the organization role: a project or a group, by its name there."""

    rule = models.ForeignKey(AccessRule, on_delete=models.CASCADE, related_name="grants")
    kind = models.CharField(max_length=30, default="project")
    name = models.CharField(max_length=255, help_text=_("As it is called in the remote."))
    role = models.CharField(max_length=100, default="member")
    create = models.BooleanField(
        _("create"),
        default=False,
        help_text=_("Let a sync make it, under this name, where there is none. Projects and groups only."),
    )

    class Meta:
        constraints = [models.UniqueConstraint("rule", "kind", Lower("name"), name="rule_grant_once")]

    def __str__(self) -> str:
        said = gettext("%(kind)s %(name)s as %(role)s")
        if self.create:
            said = gettext("%(kind)s %(name)s as %(role)s, made where it is missing")
        return said % {"kind": called(self.kind), "name": self.name, "role": self.role}

    def as_value(self) -> policy.RuleGrant:
        return policy.RuleGrant(self.kind, self.name, self.role, self.create)

    def clean(self) -> None:
        if self.rule_id is None or self.rule.integration_id is None:
            return
        vocabulary = connector_class(self.rule.integration.kind).vocabulary
        kinds = vocabulary.entitlement_roles
        if self.create and self.kind not in vocabulary.creatable:
            raise ValidationError({"create": _("A %s cannot be made here.") % called(self.kind)})
        if self.kind not in kinds:
            raise ValidationError({"kind": _("Choose one of: %s.") % ", ".join(kinds)})
        if self.role not in kinds[self.kind]:
            raise ValidationError({"role": _("Choose one of: %s.") % ", ".join(kinds[self.kind])})


class MarkQuerySet(models.QuerySet["Mark"]):
    def in_force(self, day: date) -> Mapping[str, policy.Mark]:
        """The marks of the day as values, by e-mail key."""
        return {mark.key: mark.as_value() for mark in self.lasting(day)}

    def lasting(self, day: date) -> "MarkQuerySet":
        return self.filter(Q(until__isnull=True) | Q(until__gte=day))

    def set_apart(self, integration: Integration, key: str, said: Mapping[str, Any]) -> "Mark":
        """Mark an account, or change its mark."""
        with together():
            stored = self.filter(integration=integration, key=key).first()
            before = said_of(stored) if stored else {}
            mark, created = self.update_or_create(integration=integration, key=key, defaults=said)
            old, new = differences(before, said_of(mark))
            verb = Verb.ADDED if created else Verb.CHANGED
            record(verb, mark, before=old or None, after=new, email=mark.email)
        return mark

    def lift(self, integration: Integration, key: str) -> bool:
        """Take the mark off; False where there is none."""
        with together():
            marks = list(self.filter(integration=integration, key=key))
            for mark in marks:
                record(Verb.DELETED, mark, before=said_of(mark), email=mark.email)
                mark.delete()
        return bool(marks)

    def ignore(
        self, integration: Integration, emails: Iterable[str], *, reason: str, until: date, by: User
    ) -> None:
        """Let syncs leave these accounts alone. A mark that one of them has already stays as it is."""
        marks = [
            Mark(
                integration=integration,
                email=email,
                key=email_key(email),
                kind=Mark.Kind.IGNORED,
                reason=reason,
                until=until,
                made_by=by,
            )
            for email in emails
        ]
        with together():
            self.bulk_create(marks, ignore_conflicts=True)
            mine = self.filter(integration=integration, made_by=by, reason=reason, until=until)
            for mark in mine.filter(key__in=[mark.key for mark in marks]).order_by("email"):
                record(Verb.ADDED, mark, after=said_of(mark), email=mark.email)


class Mark(models.Model):
    """An account set apart by a person: protected (never touched) or ignored (not ours to manage)."""

    class Kind(models.TextChoices):
        PROTECTED = "protected", _("Protected: never touched")
        IGNORED = "ignored", _("Ignored: not ours to manage")

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="marks")
    email = models.EmailField()
    key = models.CharField(max_length=254, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.CharField(max_length=500)
    until = models.DateField(
        null=True, blank=True, help_text=_("The last day of the mark. Empty: until unmarked.")
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False
    )
    made_at = models.DateTimeField(auto_now_add=True)

    objects = MarkQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["integration", "key"], name="one_mark_per_account")]

    def __str__(self) -> str:
        return f"{self.email} {self.kind}"

    def as_value(self) -> policy.Mark:
        return policy.Mark(self.kind, self.reason)
