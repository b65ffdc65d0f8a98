"""Actions of all jobs: found by person, kind, state and situation."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from cakewalk.theme import (
    ChoicesDropdownFilter,
    DropdownFilter,
    InfinitePaginator,
    RelatedDropdownFilter,
    display,
)
from provisioning import wording
from provisioning.admin import job_plan
from provisioning.admin.history import RecordAdmin, label
from provisioning.admin.searching import address_begins
from provisioning.models import Action


class KindFilter(DropdownFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(code), str(name)) for code, name in wording.KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Action]) -> QuerySet[Action]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class SituationFilter(DropdownFilter):
    title = _("situation")
    parameter_name = "situation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(code), str(name)) for code, name in wording.SITUATIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Action]) -> QuerySet[Action]:
        return queryset.filter(situation=self.value()) if self.value() else queryset


@admin.register(Action)
class ActionAdmin(RecordAdmin):
    when_empty = _("What a job decides for one account is an action.")
    list_display = ("who", "what", "state_label", "situation_name", "rule_name", "job_link", "when")
    list_filter = (
        KindFilter,
        ("state", ChoicesDropdownFilter),
        SituationFilter,
        ("job__integration", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("job__integration",)
    search_fields = ("email",)
    search_help_text = _("An e-mail address, or how it begins")
    ordering = ("-pk",)
    # Counting a million rows for every page would cost more than the page itself.
    paginator = InfinitePaginator
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
        "account_id",
        "request_id",
        "started_at",
        "finished_at",
        "confirmed_at",
    )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        action = self.get_object(request, object_id)
        called = {"subtitle": f"{wording.what(action)}: {self.who(action)}"} if action else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **called})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Action], search_term: str
    ) -> tuple[QuerySet[Action], bool]:
        return (address_begins(queryset, search_term) if search_term else queryset), False

    @display(description=_("Who"), ordering="email")
    def who(self, action: Action) -> str:
        return action.who or "-"

    @display(description=_("What"), ordering="kind")
    def what(self, action: Action) -> str:
        return wording.what(action)

    @display(description=_("State"), ordering="state")
    def state_label(self, action: Action) -> str:
        line = job_plan.line(action)
        return label(line["group"], line["state"])

    @display(description=_("Situation"), ordering="situation")
    def situation_name(self, action: Action) -> str:
        return wording.situation(action.situation)

    @display(description=_("Rule"))
    def rule_name(self, action: Action) -> str:
        return action.rule or "-"

    @display(description=_("Job"), ordering="job")
    def job_link(self, action: Action) -> str:
        url = reverse("admin:provisioning_provisioningjob_change", args=[action.job_id])
        link = format_html('<a class="cw-link" href="{}">{}</a>', url, action.job)
        said = _("%(job)s of %(integration)s") % {"job": "{}", "integration": "{}"}
        return format_html(f"<span>{said}</span>", link, action.job.integration)

    @display(description=_("Finished"), ordering="finished_at")
    def when(self, action: Action) -> Any:
        return action.finished_at or "-"

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
