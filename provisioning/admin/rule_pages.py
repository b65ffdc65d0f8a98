"""What the pages of all rules do: foretell whom a change touches, ask before it is done, and set states."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from django.contrib import messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.theme import ModelAdmin, action, display
from integrations.catalog import connector_classes
from provisioning import requesting
from provisioning.admin import rule_editor
from provisioning.admin.forecasting import Edit, Version, context_of
from provisioning.admin.history import label
from provisioning.models import AccessRule

State = AccessRule.State

ASKS, AGREED = "_foresee", "_agreed"
"""What a form sends that only wants to know, and one whose sender has seen what will happen."""
COUNTS = "counts"
"""Asks a question once more, with its forecast. That looks at everybody, which takes seconds where there are
many: the question comes at once, and can be agreed to when the forecast is there.
"""


class RuleAdmin(ModelAdmin):
    """What all rules have: a state, set for many at once, and a sync for everything that is changed."""

    actions = ("activate", "propose", "draft", "delete_selected")
    change_form_outer_after_template = "provisioning/rule_panel.html"
    delete_confirmation_template = "provisioning/rule_delete.html"
    delete_selected_confirmation_template = "provisioning/rules_delete.html"

    def version_of(self, rule: Any) -> Version:
        """The rule as it is stored."""
        raise NotImplementedError

    def version_typed(self, rule: Any, lines: Sequence[dict[str, Any]]) -> Version:
        """The rule as the form would store it, with the lines of its table."""
        raise NotImplementedError

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "integration":
            field.widget.can_add_related = False  # connecting one is no matter of a small window
        return field

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The integration, where there is only one."""
        given = super().get_changeform_initial_data(request)
        known = list(self.model._meta.get_field("integration").remote_field.model.objects.values("pk")[:2])
        return {"integration": known[0]["pk"], **given} if len(known) == 1 else given

    # -- before something is saved

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method == "POST" and AGREED not in request.POST:
            answer = self._answer_before(request, object_id)
            if answer is not None:
                return answer
        extra = {
            "vocabularies": rule_editor.vocabularies(),
            "sayings": rule_editor.words(),
            "meanings": rule_editor.meanings([one.vocabulary for one in connector_classes().values()]),
        }
        may_write = self.has_change_permission(request) or self.has_add_permission(request)
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **(extra if may_write else {})}
        )

    def _answer_before(self, request: HttpRequest, object_id: Any) -> HttpResponse | None:
        """The forecast, where the form asks for it, or the question whether it is wanted. None: go on."""
        rule = self.get_object(request, unquote(object_id)) if object_id else None
        allowed = self.has_change_permission(request, rule) if object_id else self.has_add_permission(request)
        if not allowed or bool(object_id) != bool(rule):
            return None
        before = self.version_of(rule) if rule else None
        form, tables = self._typed(request, rule)
        valid = all([form.is_valid(), *(table.is_valid() for table in tables)])
        if not valid:
            return self._incomplete(request, form, tables) if ASKS in request.POST else None
        lines = [
            one.cleaned_data
            for table in tables
            for one in table.forms
            if one.cleaned_data.get("name") and not one.cleaned_data.get("DELETE")
        ]
        edit = Edit(before, self.version_typed(form.instance, lines))
        if ASKS in request.POST:
            return self._shown(request, context_of([edit], by_name=_sees_people(request)))
        unchanged = not form.has_changed() and not any(table.has_changed() for table in tables)
        if (not edit.matters or unchanged) and COUNTS not in request.POST:
            return None
        return self._ask(request, [edit], **_question(edit))

    def _typed(self, request: HttpRequest, rule: Any) -> tuple[Any, list[Any]]:
        """The form and its tables, as they were sent, over a copy of the rule."""
        of = self.get_form(request, rule, change=rule is not None, fields=None)
        form = of(request.POST, request.FILES, instance=copy(rule))
        form.is_valid()
        tables, _inlines = self._create_formsets(  # type: ignore[attr-defined]  # Django's own
            request, form.instance, change=rule is not None
        )
        return form, tables

    def _incomplete(self, request: HttpRequest, form: Any, tables: Sequence[Any]) -> HttpResponse:
        wrong = [
            f"{one.fields[name].label or name}: {told}"
            for one in (form, *(line for table in tables for line in table.forms))
            for name, sentences in one.errors.items()
            if name in one.fields
            for told in sentences
        ]
        return self._shown(request, {"forecasts": [], "incomplete": wrong})

    def _shown(self, request: HttpRequest, told: dict[str, Any]) -> HttpResponse:
        if request.POST.get(ASKS) == "part":
            return render(request, "provisioning/forecast.html", told)
        heading = {"question": _("Who would this touch"), "consequence": _("Nothing was saved.")}
        return self._page(request, told | heading)

    def _ask(self, request: HttpRequest, edits: Sequence[Edit], **words: Any) -> HttpResponse:
        told = context_of(edits, by_name=_sees_people(request)) if COUNTS in request.POST else {}
        sent = [(name, value) for name in request.POST for value in request.POST.getlist(name)]
        ours = ("csrfmiddlewaretoken", AGREED, COUNTS)
        hidden = [(name, value) for name, value in sent if name not in ours]
        return self._page(request, told | words | {"typed": hidden, "agrees": AGREED})

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": context["question"]}
        return TemplateResponse(
            request, "provisioning/rule_question.html", page | {"action": request.get_full_path()} | context
        )

    # -- saving and deleting

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        requesting.directory_changed()

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        rule = self.get_object(request, unquote(object_id)) if COUNTS in request.GET else None
        told: dict[str, Any] = {}
        if rule is not None and request.method == "GET" and self.has_delete_permission(request, rule):
            told = context_of([Edit(self.version_of(rule), None)], by_name=_sees_people(request))
        return super().delete_view(request, object_id, {**(extra_context or {}), **told})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        requesting.directory_changed()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        requesting.directory_changed()

    @action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        answer = delete_selected(self, request, queryset)
        if (
            COUNTS in request.POST
            and isinstance(answer, TemplateResponse)
            and answer.context_data is not None
        ):
            edits = [Edit(self.version_of(rule), None) for rule in queryset]
            answer.context_data |= context_of(edits, by_name=_sees_people(request))
        return answer

    # -- states

    @display(description=gettext_lazy("State"), ordering="state")
    def state_label(self, rule: Any) -> str:
        return label(rule.state, str(rule_editor.STEPS[rule.state][0]))

    @action(description=gettext_lazy("Activate: applied from the next sync"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._set_state(request, queryset, State.ACTIVE)

    @action(description=gettext_lazy("Propose: planned and shown, never applied"), permissions=["change"])
    def propose(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._set_state(request, queryset, State.PROPOSED)

    @action(description=gettext_lazy("Draft: not looked at"), permissions=["change"])
    def draft(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._set_state(request, queryset, State.DRAFT)

    def _set_state(self, request: HttpRequest, queryset: QuerySet[Any], state: State) -> HttpResponse | None:
        changed = list(queryset.exclude(state=state))
        name = str(rule_editor.STEPS[state][0]).lower()
        if not changed:
            messages.info(request, _("All of them are %(state)s already.") % {"state": name})
            return None
        edits = [self._moved(rule, state) for rule in changed]
        asks = COUNTS in request.POST or any(edit.matters for edit in edits)
        if asks and AGREED not in request.POST:
            return self._ask(request, edits, **_question_of_many(edits, state))
        with together():
            self.model.objects.filter(pk__in=[rule.pk for rule in changed]).update(state=state)
            for rule in changed:
                record(Verb.CHANGED, rule, before={"state": rule.state}, after={"state": state})
            requesting.directory_changed()
        said = ngettext(
            "%(number)d rule is now %(state)s. A sync is due for every enabled integration.",
            "%(number)d rules are now %(state)s. A sync is due for every enabled integration.",
            len(changed),
        )
        messages.success(request, said % {"number": len(changed), "state": name})
        return None

    def _moved(self, rule: Any, state: State) -> Edit:
        before = self.version_of(rule)
        moved = copy(rule)
        moved.state = state
        return Edit(before, self.version_of(moved))


def _sees_people(request: HttpRequest) -> bool:
    return request.user.has_perms(("directory.view_person", "provisioning.view_account"))


def _question(edit: Edit) -> dict[str, Any]:
    """What is asked before one rule is saved, by what becomes of it."""
    was = edit.before is not None and edit.before.is_active
    comes = edit.after is not None and edit.after.is_active
    name = {"name": (edit.after or edit.before).rule.name}  # type: ignore[union-attr]  # one of them is there
    if comes and not was:
        return {
            "question": _("Activate the rule %(name)s?") % name,
            "consequence": _("From the next sync on, this is carried out:"),
            "button": _("Activate it"),
        }
    if comes:
        return {
            "question": _("Change the active rule %(name)s?") % name,
            "consequence": _("From the next sync on, this is what changes:"),
            "button": _("Save it"),
        }
    return {
        "question": _("Take the rule %(name)s out of force?") % name,
        "consequence": _("From the next sync on, nobody has anything by it any more:"),
        "button": _("Save it"),
        "dangerous": True,
    }


def _question_of_many(edits: Sequence[Edit], state: State) -> dict[str, Any]:
    number = {"number": len(edits)}
    if state == State.ACTIVE:
        return {
            "question": ngettext("Activate %(number)d rule?", "Activate %(number)d rules?", len(edits))
            % number,
            "consequence": _("From the next sync on, this is carried out:"),
            "button": _("Activate"),
        }
    asked = ngettext("Take %(number)d rule out of force?", "Take %(number)d rules out of force?", len(edits))
    return {
        "question": asked % number,
        "consequence": _("From the next sync on, nobody has anything by what was active:"),
        "button": _("Take out of force"),
        "dangerous": True,
    }
