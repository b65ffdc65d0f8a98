"""Actions of all jobs. Their list is the search of the history; one action has a page of its own."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from cakewalk.exporting import in_english
from cakewalk.site import signed_in
from cakewalk.theme import display
from provisioning import wording
from provisioning.admin import history_export, job_plan, saved_searches, search
from provisioning.admin.history import RecordAdmin, label
from provisioning.models import Action
from provisioning.search import finding
from provisioning.search.models import SavedSearch


@admin.register(Action)
class ActionAdmin(RecordAdmin):
    fields = (
        "job_link",
        "seq",
        "who",
        "what",
        "state_label",
        "situation_name",
        "rule_name",
        "detail",
        "before_text",
        "after_text",
        "problem",
        "held_for",
        "decided",
        "account_id",
        "request_id",
        "started_at",
        "finished_at",
        "confirmed_at",
    )

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            shown = self.admin_site.admin_view(view)
            found: URLPattern = path(route, shown, name=f"provisioning_action_{name}")
            return found

        return [
            page("export/csv/", require_safe(self.export_csv), "export_csv"),
            page("export/xlsx/", require_safe(self.export_xlsx), "export_xlsx"),
            page("export/jsonl/", require_safe(self.export_jsonl), "export_jsonl"),
            page("saved/", require_POST(self.save_search), "save"),
            page("saved/<int:pk>/delete/", require_POST(self.forget_search), "forget"),
            *super().get_urls(),
        ]

    # -- the search

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self._only_for_readers(request)
        form = search.QuestionForm(request.GET).show_to(signed_in(request), search.SEE)
        context = {
            **self.admin_site.each_context(request),
            "title": _("History"),
            "opts": self.opts,
            **search.what_it_shows(form, signed_in(request), request.GET.get("after", "")),
            "here": request.build_absolute_uri(search.address_of(form.query())),
            "saved": saved_searches.shown_to(signed_in(request), SavedSearch.Page.ACTIONS, search.SEE),
            "save_url": "admin:provisioning_action_save",
            "sees_ledger": request.user.has_perm("ledger.view_entry"),
        }
        return TemplateResponse(request, "provisioning/history.html", context)

    def _only_for_readers(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def export_csv(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.CSV)

    def export_xlsx(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.XLSX)

    def export_jsonl(self, request: HttpRequest) -> HttpResponseBase:
        return self._export(request, history_export.JSONL)

    def _export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        self._only_for_readers(request)
        form = search.QuestionForm(request.GET).show_to(signed_in(request), search.SEE)
        if not form.is_valid():
            return redirect(search.address_of(form.query()))
        question = form.question()
        rows = search.matching(question, finding.whom(question), signed_in(request))
        found = finding.one_by_one(question, rows)
        told = history_export.document if kind == history_export.JSONL else history_export.cells
        answer: HttpResponseBase = history_export.exported(
            in_english(found, told),
            kind,
            called="history",
            columns=history_export.COLUMNS,
            asked=question.as_json(),
        )
        return answer

    # -- kept questions

    def save_search(self, request: HttpRequest) -> HttpResponse:
        self._only_for_readers(request)
        form = search.QuestionForm(request.POST).show_to(signed_in(request), search.SEE)
        return saved_searches.save(request, SavedSearch.Page.ACTIONS, form.query(), search.address_of)

    def forget_search(self, request: HttpRequest, pk: int) -> HttpResponse:
        self._only_for_readers(request)
        return saved_searches.forget(request, pk, back=search.address_of(""))

    # -- one action

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        action = self.get_object(request, object_id)
        called = {"subtitle": f"{wording.what(action)}: {self.who(action)}"} if action else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **called})

    @display(description=_("Who"))
    def who(self, action: Action) -> str:
        return action.who or "-"

    @display(description=_("What"))
    def what(self, action: Action) -> str:
        return wording.what(action)

    @display(description=_("State"))
    def state_label(self, action: Action) -> str:
        line = job_plan.line(action)
        return label(line["group"], line["state"])

    @display(description=_("Situation"))
    def situation_name(self, action: Action) -> str:
        return wording.situation(action.situation)

    @display(description=_("Rule"))
    def rule_name(self, action: Action) -> str:
        return action.rule or "-"

    @display(description=_("Job"))
    def job_link(self, action: Action) -> str:
        url = reverse("admin:provisioning_provisioningjob_change", args=[action.job_id])
        link = format_html('<a class="cw-link" href="{}">{}</a>', url, action.job)
        said = _("%(job)s of %(integration)s") % {"job": "{}", "integration": "{}"}
        return format_html(f"<span>{said}</span>", link, action.job.integration)

    @display(description=_("Before"))
    def before_text(self, action: Action) -> str:
        return wording.picture(action.before) or "-"

    @display(description=_("After"))
    def after_text(self, action: Action) -> str:
        return wording.after(action) or "-"

    @display(description=_("What went wrong"))
    def problem(self, action: Action) -> str:
        return f"{action.error['detail']} ({action.error['code']})" if action.error else "-"

    @display(description=_("Held for"))
    def held_for(self, action: Action) -> str:
        return ", ".join(wording.hold(code) for code in action.holds) or "-"

    @display(description=_("Decided"))
    def decided(self, action: Action) -> str:
        """Who asked for its job, and who approved or stopped it, with their reasons."""
        return search.in_lines(action.job)
