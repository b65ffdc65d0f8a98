"""Group rules: which role a group of the remote has in which project."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cakewalk.theme import (
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
    TabularInline,
    UnfoldAdminTextInputWidget,
    display,
)
from provisioning import group_planning
from provisioning.admin import rule_editor
from provisioning.admin.forecasting import Version
from provisioning.admin.rule_pages import RuleAdmin
from provisioning.admin.rules import LineForm, NamedForm
from provisioning.models import AccessRule, GroupGrant, GroupRule


class GroupRuleForm(NamedForm):
    taken = gettext_lazy("%(integration)s already has a rule for the group %(name)s.")
    state = rule_editor.StateField()

    class Meta:
        model = GroupRule
        fields = ("name", "integration", "state")
        widgets = {
            "name": UnfoldAdminTextInputWidget(
                {"list": "cw-names", "autocomplete": "off", "data-names": "group"}
            )
        }


class GroupGrantForm(LineForm):
    class Meta:
        model = GroupGrant
        fields = ("name", "role")
        widgets = {
            "name": UnfoldAdminTextInputWidget(
                {"list": "cw-names", "autocomplete": "off", "data-names": "place"}
            )
        }


class GroupGrantFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Judges what a line cannot see alone: its neighbours."""

    def clean(self) -> None:
        super().clean()
        given: set[str] = set()
        for form in self.forms:
            name = form.cleaned_data.get("name")
            if not name or form.cleaned_data.get("DELETE"):
                continue
            if name.lower() in given:
                form.add_error("name", _("The rule names the project %(name)s twice.") % {"name": name})
            given.add(name.lower())


class GroupGrantInline(TabularInline):
    model = GroupGrant
    form = GroupGrantForm
    formset = GroupGrantFormSet
    extra = 0
    verbose_name = gettext_lazy("role in a project")
    verbose_name_plural = gettext_lazy("Roles in projects")


@admin.register(GroupRule)
class GroupRuleAdmin(RuleAdmin):
    form = GroupRuleForm
    when_empty = gettext_lazy(
        "A group rule gives a group of the remote its role in projects. Its members have it through it."
    )
    inlines = (GroupGrantInline,)
    list_display = ("name", "integration", "gives", "state_label")
    list_filter = (("state", ChoicesDropdownFilter), ("integration", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("integration",)
    search_fields = ("name", "grants__name", "grants__role")
    ordering = ("integration__name", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupRule]:
        rules: QuerySet[GroupRule] = super().get_queryset(request)
        return rules.prefetch_related(Prefetch("grants", GroupGrant.objects.order_by("name")))

    def version_of(self, rule: GroupRule) -> Version:
        return Version(rule.integration, rule.as_value(), rule.state)

    def version_typed(self, rule: GroupRule, lines: Sequence[dict[str, Any]]) -> Version:
        grants = tuple(group_planning.GroupGrant(one["name"], one["role"]) for one in lines)
        proposed = rule.state == AccessRule.State.PROPOSED
        return Version(rule.integration, group_planning.GroupRule(rule.name, grants, proposed), rule.state)

    @display(description=gettext_lazy("Roles in projects"))
    def gives(self, rule: GroupRule) -> str:
        return ", ".join(f"{grant.name} ({grant.role})" for grant in rule.grants.all()) or _("None")
