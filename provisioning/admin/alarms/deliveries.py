"""Messages: what was sent to which channel, what it answered, and the button that sends it again."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.site import signed_in
from cakewalk.theme import ChoicesDropdownFilter, RelatedDropdownFilter, display
from provisioning.admin.alarms.words import english, link, state_of
from provisioning.admin.history import RecordAdmin
from provisioning.alarms import sending
from provisioning.alarms.models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    when_empty = _("Each message to a channel is a delivery.")
    list_display = ("message", "event", "channel_link", "state_label", "answered", "attempts", "made_at")
    list_display_links = ("message",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("event", ChoicesDropdownFilter),
        ("channel", RelatedDropdownFilter),
    )
    list_filter_submit = True
    search_fields = ("subject", "message_id")
    ordering = ("-pk",)
    fields = (
        "message",
        "event",
        "channel_link",
        "alarm_link",
        "state_label",
        "answered",
        "attempts",
        "next_try_at",
        "made_at",
        "ended_at",
        "message_id",
        "replay_of",
        "asked_by",
    )
    change_form_outer_before_template = "alarms/delivery_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        secrets = ("channel__address", "channel__signing_secret")
        return rows.select_related("channel", "alarm", "replays", "asked_by").defer(*secrets)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if row is not None and self.has_view_permission(request, row):
            extra |= {"title": str(row), "delivery": row, "may_replay": _may_replay(request)}
        return super().change_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.replay))
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:pk>/replay/", view, name="alarms_delivery_replay"), *urls]

    def replay(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Tried at once, for somebody looks on."""
        if not _may_replay(request):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        with together():
            sent = row.again(by=signed_in(request), now=timezone.now())
            record(
                Verb.MESSAGE_REPLAYED, row.channel, facts={"message": row.message_id, "subject": row.subject}
            )
        sending.send(sent)
        sent.refresh_from_db()
        tell(request, sent)
        return redirect("admin:alarms_delivery_change", sent.pk)

    @display(description=_("Message"), ordering="subject")
    def message(self, row: Delivery) -> str:
        return english(row.subject)

    @display(description=_("Channel"), ordering="channel__name")
    def channel_link(self, row: Delivery) -> str:
        return link("admin:alarms_channel_change", row.channel)

    @display(description=_("Alarm"))
    def alarm_link(self, row: Delivery) -> str:
        return link("admin:alarms_alarm_change", row.alarm) if row.alarm else "-"

    @display(description=_("Sends again"))
    def replay_of(self, row: Delivery) -> str:
        return link("admin:alarms_delivery_change", row.replays) if row.replays else "-"

    @display(description=_("State"), ordering="state")
    def state_label(self, row: Delivery) -> str:
        return state_of(row)

    @display(description=_("Answer"), ordering="answer_status")
    def answered(self, row: Delivery) -> str:
        told = " ".join(filter(None, (str(row.answer_status or ""), row.answer)))
        return english(told) if told else "-"


def _may_replay(request: HttpRequest) -> bool:
    return request.user.has_perm("alarms.change_channel")


def tell(request: HttpRequest, sent: Delivery) -> None:
    """What came of an attempt that somebody asked for."""
    answer = " ".join(filter(None, (str(sent.answer_status or ""), sent.answer))) or "-"
    if sent.state == Delivery.State.SENT:
        said = gettext("Sent. %(channel)s answered: %(answer)s")
        messages.success(request, said % {"channel": sent.channel, "answer": answer})
    else:
        said = gettext("Not sent. %(channel)s: %(answer)s")
        messages.error(request, said % {"channel": sent.channel, "answer": answer})
