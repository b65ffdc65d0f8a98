"""Access rules: which directory group gives which role and grants."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from cakewalk.theme import (
    ChoicesDropdownFilter,
    ModelAdmin,
    RelatedDropdownFilter,
    TabularInline,
    UnfoldAdminSelectWidget,
    action,
    display,
)
from integrations.catalog import connector_class, connector_classes
from integrations.connectors.base import Vocabulary
from provisioning import requesting
from provisioning.admin.history import label
from provisioning.models import AccessRule, RuleGrant


def _choices(words: list[str]) -> list[tuple[str, str]]:
    return [(word, word) for word in dict.fromkeys(words)]


def _vocabularies() -> list[Vocabulary]:
    return [connector.vocabulary for connector in connector_classes().values()]


def _roles() -> list[tuple[str, str]]:
    return _choices([role for vocabulary in _vocabularies() for role in vocabulary.roles])


def _kinds() -> list[tuple[str, str]]:
    return _choices([kind for vocabulary in _vocabularies() for kind in vocabulary.entitlement_roles])


def _grant_roles() -> list[tuple[str, str]]:
    held = [roles for vocabulary in _vocabularies() for roles in vocabulary.entitlement_roles.values()]
    return _choices([role for roles in held for role in roles])


class NamedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Of what has a name that is the only one in its integration, whatever its case."""

    taken = ""

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        name, integration = typed.get("name"), typed.get("integration")
        if name and integration:
            others = self._meta.model.objects.filter(integration=integration, name__iexact=name)
            if others.exclude(pk=self.instance.pk).exists():
                self.add_error("name", self.taken.format(integration=integration, name=name))
        return typed


class LineForm(forms.ModelForm):  # type: ignore[type-arg]
    """One line of a table, in which the head of a column names its fields for the eye only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = str(field.label)


class RuleForm(NamedForm):
    """The model says which role fits which integration; the choices are those of all connectors."""

    taken = "{integration} already has a rule named {name}."
    role = forms.ChoiceField(choices=_roles, widget=UnfoldAdminSelectWidget, help_text="Organization role.")

    class Meta:
        model = AccessRule
        fields = ("name", "integration", "group", "role", "state")


class GrantForm(LineForm):
    kind = forms.ChoiceField(choices=_kinds, widget=UnfoldAdminSelectWidget)
    role = forms.ChoiceField(choices=_grant_roles, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = RuleGrant
        fields = ("kind", "name", "role", "create")
        help_texts = {
            "name": "As it is called in the remote. A role of a project has the names of both, as in "
            "Search: Prompt editor."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """A row that is added in the browser starts as the model does, not with the first choice."""
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            for name, field in self.fields.items():
                field.initial = getattr(self.instance, name)

    def clean(self) -> dict[str, Any]:
        """A role that was left as the row began is the lowest of the kind, where the kind has none such."""
        typed = super().clean() or {}
        roles = [
            role for each in _vocabularies() for role in each.entitlement_roles.get(typed.get("kind", ""), ())
        ]
        if roles and "role" not in self.changed_data and typed.get("role") not in roles:
            typed["role"] = roles[0]
        return typed


class GrantFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Judges what a grant cannot see alone: the rule that is entered together with it, and its neighbours."""

    def clean(self) -> None:
        super().clean()
        if self.instance.integration_id is None:
            return
        vocabulary = connector_class(self.instance.integration.kind).vocabulary
        roles = vocabulary.entitlement_roles
        given: set[tuple[str, str]] = set()
        for form in self.forms:
            kind, name, role = (form.cleaned_data.get(field) for field in ("kind", "name", "role"))
            if not kind or not name or form.cleaned_data.get("DELETE"):
                continue
            if role and role not in roles.get(kind, ()):
                form.add_error("role", f"Choose one of: {', '.join(roles.get(kind, ()))}.")
            if form.cleaned_data.get("create") and kind in roles and kind not in vocabulary.creatable:
                form.add_error("create", f"A {kind} cannot be made here.")
            if (kind, name.lower()) in given:
                form.add_error("name", f"The rule gives the {kind} {name} twice.")
            given.add((kind, name.lower()))


class GrantInline(TabularInline):
    model = RuleGrant
    form = GrantForm
    formset = GrantFormSet
    extra = 0
    verbose_name = "grant"
    verbose_name_plural = "Grants besides the organization role"


class RuleAdmin(ModelAdmin):
    """What all rules have: a state, set for many at once, and a sync for everything that is changed."""

    actions = ("activate", "propose", "draft")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "integration":
            field.widget.can_add_related = False  # connecting one is no matter of a small window
        return field

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        requesting.directory_changed()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        requesting.directory_changed()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        requesting.directory_changed()

    @display(description="State", ordering="state")
    def state_label(self, rule: Any) -> str:
        return label(rule.state, rule.state.capitalize())

    @action(description="Activate: applied from the next sync", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_state(request, queryset, AccessRule.State.ACTIVE)

    @action(description="Propose: planned and shown, never applied", permissions=["change"])
    def propose(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_state(request, queryset, AccessRule.State.PROPOSED)

    @action(description="Draft: not looked at", permissions=["change"])
    def draft(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_state(request, queryset, AccessRule.State.DRAFT)

    def _set_state(self, request: HttpRequest, queryset: QuerySet[Any], state: str) -> None:
        changed = list(queryset.exclude(state=state))
        if not changed:
            messages.info(request, f"All of them are {state} already.")
            return
        with transaction.atomic():
            self.model.objects.filter(pk__in=[rule.pk for rule in changed]).update(state=state)
            LogEntry.objects.log_actions(int(request.user.pk or 0), changed, CHANGE, f"Now {state}.")
            requesting.directory_changed()
        rules = "1 rule is" if len(changed) == 1 else f"{len(changed)} rules are"
        messages.success(request, f"{rules} now {state}. A sync is due for every enabled integration.")


@admin.register(AccessRule)
class AccessRuleAdmin(RuleAdmin):
    form = RuleForm
    when_empty = "A rule says which group gets which role and which projects. No rule, no access."
    inlines = (GrantInline,)
    list_display = ("name", "integration", "who", "role", "gives", "state_label")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("integration", RelatedDropdownFilter),
        ("group", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("integration", "group")
    search_fields = ("name", "group__name", "grants__name")
    ordering = ("integration__name", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessRule]:
        rules: QuerySet[AccessRule] = super().get_queryset(request)
        return rules.prefetch_related(Prefetch("grants", RuleGrant.objects.order_by("kind", "name")))

    @display(description="Who", ordering="group__name")
    def who(self, rule: AccessRule) -> str:
        return rule.group.name if rule.group else "Every active person"

    @display(description="Also gives")
    def gives(self, rule: AccessRule) -> str:
        return ", ".join(f"{grant.name} ({grant.role})" for grant in rule.grants.all()) or "-"
