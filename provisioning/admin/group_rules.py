"""Group rules: which role a group of the remote has in which project."""

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from cakewalk.theme import ChoicesDropdownFilter, RelatedDropdownFilter, TabularInline, display
from provisioning.admin.rules import LineForm, NamedForm, RuleAdmin
from provisioning.models import GroupGrant, GroupRule


class GroupRuleForm(NamedForm):
    taken = "{integration} already has a rule for the group {name}."

    class Meta:
        model = GroupRule
        fields = ("name", "integration", "state")


class GroupGrantForm(LineForm):
    class Meta:
        model = GroupGrant
        fields = ("name", "role")


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
                form.add_error("name", f"The rule names the project {name} twice.")
            given.add(name.lower())


class GroupGrantInline(TabularInline):
    model = GroupGrant
    form = GroupGrantForm
    formset = GroupGrantFormSet
    extra = 0
    verbose_name = "role in a project"
    verbose_name_plural = "Roles in projects"


@admin.register(GroupRule)
class GroupRuleAdmin(RuleAdmin):
    form = GroupRuleForm
    when_empty = (
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

    @display(description="Roles in projects")
    def gives(self, rule: GroupRule) -> str:
        return ", ".join(f"{grant.name} ({grant.role})" for grant in rule.grants.all()) or "None"
