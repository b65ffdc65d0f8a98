"""Which roles groups of the remote hold in its projects: rules about the groups themselves."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.catalog import connector_class
from integrations.models import Integration
from provisioning import group_planning
from provisioning.models.access import AccessRule


class GroupRuleQuerySet(models.QuerySet["GroupRule"]):
    def planned(self) -> "GroupRuleQuerySet":
        """Rules that a plan looks at: active ones, and proposed ones, which are shown and never applied."""
        return self.exclude(state=AccessRule.State.DRAFT)

    def as_values(self) -> tuple[group_planning.GroupRule, ...]:
        """The rules as planning sees them, in the order of their names."""
        return tuple(rule.as_value() for rule in self.prefetch_related("grants").order_by("name"))


class GroupRule(models.Model):
    """A group of the remote → its one role in each project. It has none in others that such rules name."""

    State = AccessRule.State

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="group_rules")
    name = models.CharField(
        max_length=255,
        verbose_name=_("group"),
        help_text=_("A group of the remote, as it is called there."),
    )
    state = models.CharField(max_length=10, choices=AccessRule.State.choices, default=AccessRule.State.DRAFT)

    objects = GroupRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("group rule")
        constraints = [
            models.UniqueConstraint("integration", Lower("name"), name="group_rule_once_in_integration")
        ]

    def __str__(self) -> str:
        return self.name

    def as_value(self) -> group_planning.GroupRule:
        grants = sorted(self.grants.all(), key=lambda grant: grant.name)
        return group_planning.GroupRule(
            name=self.name,
            grants=tuple(group_planning.GroupGrant(grant.name, grant.role) for grant in grants),
            proposed=self.state == self.State.PROPOSED,
        )

    def clean(self) -> None:
        if self.integration_id and connector_class(self.integration.kind).vocabulary.groups_hold is None:
            raise ValidationError({"integration": _("Groups hold nothing here.")})


class GroupGrant(models.Model):
    """The role that a group has in one project, by the names of both there."""

    rule = models.ForeignKey(GroupRule, on_delete=models.CASCADE, related_name="grants")
    name = models.CharField(
        max_length=255, verbose_name=_("project"), help_text=_("As it is called in the remote.")
    )
    role = models.CharField(
        max_length=100,
        help_text=_("viewer, member or owner, or a custom role of the project by its name."),
    )

    class Meta:
        constraints = [models.UniqueConstraint("rule", Lower("name"), name="group_grant_once")]

    def __str__(self) -> str:
        return gettext("%(name)s as %(role)s") % {"name": self.name, "role": self.role}
