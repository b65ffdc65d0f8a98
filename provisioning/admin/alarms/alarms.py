"""Alarms: what is open, what is over, and how each was told."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from cakewalk.templatetags.cakewalk import duration
from cakewalk.theme import DropdownFilter, RelatedDropdownFilter, display
from provisioning.admin.alarms.words import english, standing
from provisioning.admin.history import RecordAdmin
from provisioning.alarms import wording
from provisioning.alarms.models import Alarm
from provisioning.alarms.wording import anchor_of

DELIVERIES_SHOWN = 50


class StandingFilter(DropdownFilter):
    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", pgettext("alarm", "Open")), ("over", gettext("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:
        closed = {"open": True, "over": False}.get(self.value() or "")
        return queryset if closed is None else queryset.filter(closed_at__isnull=closed)


@admin.register(Alarm)
class AlarmAdmin(RecordAdmin):
    when_empty = _("Nothing has gone wrong yet. What does is told by the channels.")
    list_display = ("told_as", "cause", "state", "opened_at", "took")
    list_display_links = ("told_as",)
    list_filter = (StandingFilter, "cause", ("integration", RelatedDropdownFilter))
    list_filter_submit = True
    search_fields = ("name", "what")
    ordering = (F("closed_at").desc(nulls_first=True), "-pk")  # open ones first
    fields = ("told_as", "cause", "integration", "opened_at", "closed_at", "took")
    change_form_outer_before_template = "alarms/alarm_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alarm]:
        alarms: QuerySet[Alarm] = super().get_queryset(request)
        return alarms.select_related("integration")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        alarm = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if alarm is not None and self.has_view_permission(request, alarm):
            told = alarm.deliveries.select_related("channel").defer(
                "body", "channel__address", "channel__signing_secret"
            )
            extra |= {
                "title": str(alarm),
                "alarm": alarm,
                "state": standing(alarm.closed_at),
                "advice": wording.advice(alarm.cause, alarm.code),
                "runbook": f"{reverse('docs:document', args=['runbook'])}#{anchor_of(alarm.cause)}",
                "deliveries": list(told.order_by("-pk")[:DELIVERIES_SHOWN]),
            }
        return super().change_view(request, object_id, form_url, extra)

    @display(description=_("Alarm"), ordering="name")
    def told_as(self, alarm: Alarm) -> str:
        return english(alarm.title)

    @display(description=_("State"), ordering="closed_at")
    def state(self, alarm: Alarm) -> str:
        return standing(alarm.closed_at)

    @display(description=_("Took"))
    def took(self, alarm: Alarm) -> str:
        return duration(alarm.closed_at - alarm.opened_at) if alarm.closed_at else "-"
