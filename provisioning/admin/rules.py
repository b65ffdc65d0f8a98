"""Access rules: which directory group gives which role and grants."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.theme import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
    TabularInline,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    display,
)
from cakewalk.words import called
from directory.models import Membership, Person
from integrations import permitting
from integrations.catalog import connector_class, connector_classes
from integrations.connectors.base import Vocabulary
from integrations.models import Integration
from provisioning.admin import rule_editor
from provisioning.admin.forecasting import Version
from provisioning.admin.rule_pages import RuleAdmin
from provisioning.models import AccessRule, RuleGrant
from provisioning.policy import Rule
from provisioning.policy import RuleGrant as GrantValue


def _choices(words: list[str]) -> list[tuple[str, str]]:
    return [(word, word) for word in dict.fromkeys(words)]


def _vocabularies() -> list[Vocabulary]:
    return [connector.vocabulary for connector in connector_classes().values()]


def _roles() -> list[tuple[str, str]]:
    return _choices([role for vocabulary in _vocabularies() for role in vocabulary.roles])


def _kinds() -> list[tuple[str, str]]:
    kinds = _choices([kind for vocabulary in _vocabularies() for kind in vocabulary.entitlement_roles])
    return [(kind, called(kind)) for kind, _name in kinds]


def _grant_roles() -> list[tuple[str, str]]:
    held = [roles for vocabulary in _vocabularies() for roles in vocabulary.entitlement_roles.values()]
    return _choices([role for roles in held for role in roles])


class NamedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Of what has a name that is the only one in its integration, whatever its case."""

    taken: Any = ""

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        name, integration = typed.get("name"), typed.get("integration")
        if name and integration:
            others = self._meta.model.objects.filter(integration=integration, name__iexact=name)
            if others.exclude(pk=self.instance.pk).exists():
                self.add_error("name", self.taken % {"integration": integration, "name": name})
        return typed


class LineForm(forms.ModelForm):  # type: ignore[type-arg]
    """One line of a table, in which the head of a column names its fields for the eye only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = str(field.label)


class RuleForm(NamedForm):
    """The model says which role fits which integration; the choices are those of all connectors."""

    taken = gettext_lazy("%(integration)s already has a rule named %(name)s.")
    role = forms.ChoiceField(
        choices=_roles,
        widget=UnfoldAdminSelectWidget({"data-means": "role"}),
        label=gettext_lazy("Organization role"),
        help_text=gettext_lazy("Where several rules speak of somebody, the highest role counts."),
    )
    state = rule_editor.StateField()

    class Meta:
        model = AccessRule
        fields = ("name", "integration", "group", "role", "state")


class GrantForm(LineForm):
    kind = forms.ChoiceField(choices=_kinds, widget=UnfoldAdminSelectWidget, label=gettext_lazy("Kind"))
    role = forms.ChoiceField(choices=_grant_roles, widget=UnfoldAdminSelectWidget, label=gettext_lazy("Role"))

    class Meta:
        model = RuleGrant
        fields = ("kind", "name", "role", "create")
        help_texts = {
            "name": gettext_lazy(
                "As it is called in the remote. A role of a project has the names of both, as in "
                "Search: Prompt editor."
            )
        }
        widgets = {"name": UnfoldAdminTextInputWidget({"list": "cw-names", "autocomplete": "off"})}

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
                form.add_error("role", _("Choose one of: %s.") % ", ".join(roles.get(kind, ())))
            if form.cleaned_data.get("create") and kind in roles and kind not in vocabulary.creatable:
                form.add_error("create", _("A %s cannot be made here.") % called(kind))
            if (kind, name.lower()) in given:
                form.add_error(
                    "name",
                    _("The rule gives the %(kind)s %(name)s twice.") % {"kind": called(kind), "name": name},
                )
            given.add((kind, name.lower()))


class GrantInline(TabularInline):
    model = RuleGrant
    form = GrantForm
    formset = GrantFormSet
    extra = 0
    verbose_name = gettext_lazy("grant")
    verbose_name_plural = gettext_lazy("What it gives besides the organization role")


@admin.register(AccessRule)
class AccessRuleAdmin(RuleAdmin):
    form = RuleForm
    when_empty = gettext_lazy(
        "A rule says which group gets which role and which projects. No rule, no access. Add one as a draft: "
        "it tells whom it would touch before anything is done."
    )
    inlines = (GrantInline,)
    autocomplete_fields = ("group",)
    list_display = ("name", "integration", "who", "covers", "role", "gives", "problems", "state_label")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("integration", RelatedDropdownFilter),
        ("group", AutocompleteSelectFilter),
    )
    list_filter_submit = True
    list_select_related = ("integration", "group")
    search_fields = ("name", "group__name", "grants__name")
    ordering = ("integration__name", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessRule]:
        rules: QuerySet[AccessRule] = super().get_queryset(request)
        return rules.prefetch_related(Prefetch("grants", RuleGrant.objects.order_by("kind", "name")))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        _look_at(found.result_list)
        return found

    def get_urls(self) -> list[URLPattern]:
        names = self.admin_site.admin_view(self.names)
        return [path("names/", names, name="provisioning_accessrule_names"), *super().get_urls()]

    def names(self, request: HttpRequest) -> HttpResponse:
        """What may be typed as the name of something to give, as the last complete reads know it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.get("integration", "")
        seen = permitting.of_those_permitted(
            Integration.objects.all(), request.user, "provisioning.view_accessrule"
        )
        integration = seen.filter(pk=asked).first() if asked.isdecimal() else None
        if integration is None:
            return JsonResponse({"names": [], "exact": None, "known": False})
        kind, typed = request.GET.get("kind", ""), request.GET.get("q", "").strip()[:255]
        return JsonResponse(rule_editor.names_like(integration, kind, typed))

    def version_of(self, rule: AccessRule) -> Version:
        return Version(rule.integration, rule.as_value(), rule.state)

    def version_typed(self, rule: AccessRule, lines: Sequence[dict[str, Any]]) -> Version:
        grants = tuple(GrantValue(one["kind"], one["name"], one["role"], one["create"]) for one in lines)
        proposed = rule.state == AccessRule.State.PROPOSED
        return Version(
            rule.integration, Rule(rule.name, rule.group_id, rule.role, grants, proposed), rule.state
        )

    @display(description=gettext_lazy("Who"), ordering="group__name")
    def who(self, rule: AccessRule) -> str:
        return rule.group.name if rule.group else _("Every active person")

    @display(description=gettext_lazy("People"))
    def covers(self, rule: Any) -> int:
        return int(rule.covered)

    @display(description=gettext_lazy("Also gives"))
    def gives(self, rule: AccessRule) -> str:
        return ", ".join(f"{grant.name} ({grant.role})" for grant in rule.grants.all()) or "-"

    @display(description=gettext_lazy("Problems"))
    def problems(self, rule: Any) -> SafeString | str:
        if not rule.names_missing:
            return "-"
        told = ngettext("Not there: %(names)s", "Not there: %(names)s", len(rule.names_missing))
        text = told % {"names": ", ".join(rule.names_missing)}
        return format_html('<span class="cw-label cw-label--warning cw-label--long">{}</span>', text)


def _look_at(rules: Iterable[Any]) -> None:
    """How many active people each rule covers, and what it names that cannot be given."""
    rules = list(rules)
    active = Person.objects.active_on(timezone.now())
    held = Membership.objects.filter(
        group__in={rule.group_id for rule in rules}, person__in=active.values("pk")
    )
    by_group = dict(held.order_by().values_list("group").annotate(number=Count("pk")))
    everybody = active.count() if any(rule.group_id is None for rule in rules) else 0
    named: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for rule in rules:
        named[rule.integration_id] += [
            grant.as_value().key for grant in rule.grants.all() if not grant.create
        ]
    missing = rule_editor.missing(named)
    for rule in rules:
        rule.covered = by_group.get(rule.group_id, 0) if rule.group_id else everybody
        rule.names_missing = [
            grant.name for grant in rule.grants.all() if grant.as_value().key in missing[rule.integration_id]
        ]
