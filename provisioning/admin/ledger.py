"""The ledger: searched as the history of actions is, and one entry with its place in the chain."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from cakewalk.ledger import chain, exporting
from cakewalk.ledger.models import KINDS, Entry, Pruning, Verification
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.site import signed_in
from integrations import permitting
from provisioning.admin import history_export, saved_searches
from provisioning.admin.history import RecordAdmin
from provisioning.admin.search import (
    ANY,
    MOST_COUNTED,
    PER_PAGE,
    PeriodForm,
    any_of,
    choice,
    known,
    may_know_people,
    text,
)
from provisioning.search import entries
from provisioning.search.entries import Asked
from provisioning.search.models import SavedSearch
from provisioning.search.whom import Whom, meant_by

SEE, EXPORT = "ledger.view_entry", "ledger.export_entry"

NAMED = ("alarms", "auth", "cakewalk", "directory", "evidence", "integrations", "provisioning", "reviews")
"""The apps whose rows the ledger tells of."""


def _verbs() -> list[tuple[str, Any]]:
    return any_of(Verb.choices)


def _kinds() -> list[tuple[str, Any]]:
    """Of what entries may be, as the models are called."""
    named = [
        (model._meta.label_lower, str(capfirst(model._meta.verbose_name)))
        for model in admin.site._registry
        if model._meta.app_label in NAMED
    ]
    return any_of(sorted(named, key=lambda one: one[1].casefold()))


class EntryForm(PeriodForm):
    """Filled in from the address, so that a link is the question."""

    who = text(
        gettext_lazy("Whom it concerns"),
        help_text=gettext_lazy("An e-mail address, also a former one; a name; or the id of an account"),
    )
    actor = text(gettext_lazy("Who did it"), "actors-known", help_text=gettext_lazy("A username or a source"))
    actor_kind = choice(gettext_lazy("Kind of actor"), lambda: any_of(KINDS.items()))
    verb = choice(gettext_lazy("What happened"), _verbs)
    kind = choice(gettext_lazy("Of what"), _kinds)
    row = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    integration = choice(gettext_lazy("Integration"), [ANY])  # see show_to
    field_order = ("who", "since", "until", "actor", "actor_kind", "verb", "kind", "integration")

    def asked_for(self) -> Asked:
        typed = self.cleaned_data
        since, until = self.period()
        integration = int(typed["integration"]) if typed["integration"] else None
        names = ("who", "actor", "actor_kind", "verb", "kind", "row")
        return Asked(
            **{name: typed[name] for name in names}, since=since, until=until, integration=integration
        )


@admin.register(Entry)
class EntryAdmin(RecordAdmin):
    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            found: URLPattern = path(route, self.admin_site.admin_view(view), name=f"ledger_entry_{name}")
            return found

        return [
            page("export/csv/", require_safe(self.export_csv), "export_csv"),
            page("export/xlsx/", require_safe(self.export_xlsx), "export_xlsx"),
            page("export/jsonl/", require_safe(self.export_jsonl), "export_jsonl"),
            page("saved/", require_POST(self.save_search), "save"),
            *super().get_urls(),
        ]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return permitting.anywhere(request.user, EXPORT) and self.has_view_permission(request)

    # -- the search

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = EntryForm(request.GET).show_to(signed_in(request), SEE)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Ledger"),
            "opts": self.opts,
            **_what_it_shows(form, signed_in(request), request.GET.get("after", "")),
            "here": request.build_absolute_uri(address_of(form.query())),
            "saved": saved_searches.shown_to(signed_in(request), SavedSearch.Page.LEDGER, SEE),
            "save_url": "admin:ledger_entry_save",
            "offered": {"actors-known": User.objects.order_by("username").values_list("username", flat=True)},
            "verified": last_verification(),
            "may_export": self.has_export_permission(request),
            "sees_ledger": request.user.has_perm("provisioning.view_action"),
        }
        return TemplateResponse(request, "provisioning/ledger.html", context)

    def export_csv(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.CSV)

    def export_xlsx(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.XLSX)

    def export_jsonl(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.JSONL)

    def _export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = EntryForm(request.GET).show_to(signed_in(request), EXPORT)
        if not form.is_valid():
            return redirect(address_of(form.query()))
        asked = form.asked_for()
        found = entries.one_by_one(_matching(asked, signed_in(request), EXPORT))
        rows = map(_document if kind == history_export.JSONL else _cells, found)
        answer: HttpResponseBase = history_export.exported(
            rows, kind, called="ledger", columns=exporting.COLUMNS, asked=asked.as_json()
        )
        return answer

    def save_search(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return saved_searches.save(
            request,
            SavedSearch.Page.LEDGER,
            EntryForm(request.POST).show_to(signed_in(request), SEE).query(),
            address_of,
        )

    # -- one entry

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        entry = self.get_object(request, object_id)
        if entry is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": _("Entry %(number)s") % {"number": entry.seq},
            "subtitle": _("Entry %(number)s") % {"number": entry.seq},
            "opts": self.opts,
            "original": entry,
            "entry": entry,
            "verb": verb(entry),
            "actor_kind": KINDS.get(entry.actor_kind, entry.actor_kind),
            "object": _object(entry),
            "changes": changes(entry),
            "facts": _lines(entry.told().get("facts") or {}),
            "links": links(entry),
            "verified": last_verification(),
        }
        return TemplateResponse(request, "provisioning/entry.html", context)


def address_of(query: str) -> str:
    page = reverse("admin:ledger_entry_changelist")
    return f"{page}?{query}" if query else page


def last_verification() -> Verification | None:
    return Verification.objects.order_by("-at").first()


def _matching(asked: Asked, user: User, permission: str, about: Whom | None = None) -> Any:
    about = about or (meant_by(asked.who) if asked.who.strip() else None)
    return permitting.of_those_permitted(entries.matching(asked, about), user, permission)


def _what_it_shows(form: EntryForm, user: User, after: str) -> dict[str, Any]:
    shown = {"form": form, "query": form.query(), "asked_for": form.asked().items()}
    if not form.is_valid():
        return {**shown, "lines": [], "wrong": True}
    asked = form.asked_for()
    about = meant_by(asked.who) if asked.who.strip() else None
    before = int(after) if after.isdecimal() and len(after) < 19 else None
    number = PER_PAGE + 1 if before else MOST_COUNTED + 1
    found = list(_matching(asked, user, SEE, about).order_by("-pk").filter(**_before(before))[:number])
    page = found[:PER_PAGE]
    return {
        **shown,
        "lines": [{"entry": entry, "verb": verb(entry), "kind": _kind(entry)} for entry in page],
        "number": min(len(found), MOST_COUNTED),
        "more_than_counted": len(found) > MOST_COUNTED,
        "later": before is not None,
        "next": page[-1].seq if len(found) > PER_PAGE else "",
        "asked": form.query() != "",
        "known": known(about) if about and may_know_people(user) else None,
    }


def _before(seq: int | None) -> dict[str, int]:
    return {"pk__lt": seq} if seq else {}


def verb(entry: Entry) -> str:
    """By its code, where it is one of another version."""
    return str(dict(Verb.choices).get(entry.verb, entry.verb))


def _kind(entry: Entry) -> str:
    try:
        return str(capfirst(apps.get_model(entry.object_kind)._meta.verbose_name))
    except (LookupError, ValueError):
        return entry.object_kind


def _object(entry: Entry) -> dict[str, str]:
    """Of what it is, and all entries of it."""
    of_it = urlencode({"kind": entry.object_kind, "row": entry.object_id})
    return {"kind": _kind(entry), "entries": address_of(of_it) if entry.object_id else ""}


def changes(entry: Entry) -> list[dict[str, str]]:
    """Field by field, from what to what."""
    told = entry.told()
    before, after = told.get("before") or {}, told.get("after") or {}
    return [
        {
            "name": name,
            "before": _shown(before[name]) if name in before else "",
            "after": _shown(after[name]) if name in after else "",
        }
        for name in sorted({**before, **after})
    ]


def _lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _shown(value)) for name, value in facts.items()]


def _shown(value: Any) -> str:
    """As the record has it, which is English."""
    match value:
        case None | "" | []:
            return "-"
        case str():
            return value
        case list() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


def links(entry: Entry) -> dict[str, Any]:
    """Its neighbours, and whether it is what was written and follows from the one before it."""
    around = Entry.objects.in_bulk([entry.seq - 1, entry.seq + 1])
    before, after = around.get(entry.seq - 1), around.get(entry.seq + 1)
    begin = Pruning.begin()
    expected = before.hash if before else (begin.hash if begin.seq == entry.seq - 1 else None)
    return {
        "before": before,
        "after": after,
        "as_written": chain.hash_of(entry.previous, entry.values()) == entry.hash,
        "follows": entry.previous == expected,
        "followed": after is None or after.previous == entry.hash,
    }


def _values(entry: Entry) -> Iterable[Any]:
    return (*entry.values(), entry.previous, entry.hash)


def _cells(entry: Entry) -> Iterable[str]:
    return ["" if value is None else str(value) for value in _values(entry)]


def _document(entry: Entry) -> dict[str, Any]:
    return dict(zip(exporting.COLUMNS, _values(entry), strict=True))
