"""Evidence packs: asked for with a period, watched while a worker makes them, downloaded."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.site import signed_in
from cakewalk.templatetags.cakewalk import moment
from cakewalk.theme import (
    RelatedDropdownFilter,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    display,
)
from directory.time_zones import today
from integrations import permitting
from integrations.models import Integration
from provisioning.admin.history import RecordAdmin, label
from provisioning.evidence import making
from provisioning.evidence.building import folder_of
from provisioning.evidence.models import EvidencePack
from provisioning.evidence.ordering import LONGEST_SEED, MOST_SAMPLED, SAMPLE, BadOrder, Order, order

ADD = "evidence.add_evidencepack"

TONES = {
    EvidencePack.State.QUEUED: "queued",
    EvidencePack.State.MAKING: "running",
    EvidencePack.State.DONE: "succeeded",
    EvidencePack.State.FAILED: "failed",
}
"""By the states of jobs, which have tones already."""


class OrderForm(forms.Form):
    integration = forms.ModelChoiceField(
        Integration.objects.order_by("name"),
        label=gettext_lazy("Integration"),
        widget=UnfoldAdminSelectWidget,
    )
    since = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(
        label=gettext_lazy("To, that day included"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    sample = forms.IntegerField(
        label=gettext_lazy("Sample"),
        initial=SAMPLE,
        min_value=0,
        max_value=MOST_SAMPLED,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy("So many items are drawn, and told with all that is known of them."),
    )
    seed = forms.CharField(
        label=gettext_lazy("Seed"),
        required=False,
        max_length=LONGEST_SEED,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy(
            "A text of your choice, by which the sample is drawn. Empty: the ledger's hash at the end of the "
            "period, which nobody can choose."
        ),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                given["order"] = self._order(given)
            except BadOrder as problem:
                self.add_error("until", str(problem))
        return given

    def _order(self, given: dict[str, Any]) -> Order:
        return order(
            given["integration"],
            given["since"],
            given["until"],
            sample=given["sample"],
            seed=given["seed"],
            now=timezone.now(),
        )


def quick_periods(day: date) -> Iterable[tuple[str, date, date]]:
    """What is asked for most."""
    month = day.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    quarter = month.replace(month=month.month - (month.month - 1) % 3)
    last_quarter = _months_before(quarter, 3)
    yield _("Last month"), last_month, month - timedelta(days=1)
    yield _("This month"), month, day
    yield _("Last quarter"), last_quarter, quarter - timedelta(days=1)
    yield _("This quarter"), quarter, day
    yield _("Last 12 months"), _months_before(month, 12), month - timedelta(days=1)


def _months_before(first: date, number: int) -> date:
    months = first.year * 12 + first.month - 1 - number
    return date(months // 12, months % 12 + 1, 1)


@admin.register(EvidencePack)
class EvidencePackAdmin(RecordAdmin):
    when_empty = gettext_lazy("A pack is one zip with all that an auditor asks for. Make the first.")
    list_display = ("what", "state_label", "items", "breaches", "asked")
    list_display_links = ("what",)
    list_filter = (("integration", RelatedDropdownFilter),)
    list_filter_submit = True
    list_select_related = ("integration", "asked_by")
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return permitting.anywhere(request.user, ADD)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EvidencePack]:
        found: QuerySet[EvidencePack] = super().get_queryset(request)
        return found.select_related("integration", "asked_by")

    def get_urls(self) -> list[URLPattern]:
        pressed = self.admin_site.admin_view(require_POST(self.download))
        button = path("<int:pk>/download/", pressed, name="evidence_evidencepack_download")
        return [button, *super().get_urls()]

    # -- the list

    @display(description=gettext_lazy("Pack"), ordering="pk")
    def what(self, pack: EvidencePack) -> str:
        return str(pack)

    @display(description=gettext_lazy("State"), ordering="state")
    def state_label(self, pack: EvidencePack) -> str:
        return label(TONES[EvidencePack.State(pack.state)], pack.get_state_display())

    @display(description=gettext_lazy("Items"))
    def items(self, pack: EvidencePack) -> str:
        return str(pack.said["population"]["items"]) if pack.said else "-"

    @display(description=gettext_lazy("Breaches"))
    def breaches(self, pack: EvidencePack) -> str:
        return str(pack.said["removal_after_departure"]["breaches"]) if pack.said else "-"

    @display(description=gettext_lazy("Asked for"), ordering="asked_at")
    def asked(self, pack: EvidencePack) -> str:
        by = pack.asked_by.get_username() if pack.asked_by else _("a command")
        return format_html(_("%(when)s by %(by)s") % {"when": "{}", "by": "{}"}, moment(pack.asked_at), by)

    # -- pages

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        sent, first = (request.POST, None) if request.method == "POST" else (None, _first(request))
        form = OrderForm(sent, initial=first)
        form.fields["integration"].queryset = _theirs(request)  # type: ignore[attr-defined]  # it has one
        if form.is_valid():
            pack = making.ask(form.cleaned_data["order"], by=signed_in(request), now=timezone.now())
            return redirect("admin:evidence_evidencepack_change", pack.pk)
        chosen = request.GET.get("integration", "")
        periods = [
            {
                "name": name,
                "query": urlencode({"integration": chosen, "since": str(since), "until": str(until)}),
                "is_chosen": (str(since), str(until)) == (request.GET.get("since"), request.GET.get("until")),
            }
            for name, since, until in quick_periods(today())
        ]
        context = {"form": form, "periods": periods, "title": _("Make an evidence pack")}
        return self._page(request, "evidence/order.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        number = int(object_id) if object_id.isdecimal() else 0
        pack = get_object_or_404(self.get_queryset(request), pk=number)
        context = {
            "title": str(pack),
            "original": pack,
            "pack": pack,
            "tone": TONES[EvidencePack.State(pack.state)],
            "percent": round(pack.share * 100),
            "may_add": request.user.has_perm(ADD, pack),
            "has_file": pack.state == EvidencePack.State.DONE and pack.pieces.exists(),
            "again": urlencode(_query(pack)),
        }
        return self._page(request, "evidence/pack.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        site = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**site, "opts": self.opts, **context})

    def download(self, request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
        """A form and no link, as that it left is written down."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pack = get_object_or_404(self.get_queryset(request), pk=pk)
        if not pack.pieces.exists():
            messages.warning(request, _("Its file is not here. Make the pack again: it will be the same."))
            return redirect("admin:evidence_evidencepack_change", pk)
        with together(), override("en"):
            record(Verb.EVIDENCE_TAKEN, pack, facts={"manifest_sha256": pack.digest})
        answer = StreamingHttpResponse(pack.content(), content_type="application/zip")
        answer["Content-Length"] = str(pack.size)
        answer["Content-Disposition"] = f'attachment; filename="{folder_of(pack.order())}.zip"'
        return answer


def _theirs(request: HttpRequest) -> QuerySet[Integration]:
    return permitting.of_those_permitted(Integration.objects.order_by("name"), request.user, ADD)


def _first(request: HttpRequest) -> dict[str, Any]:
    """What the address says, or the last month of the only integration."""
    _name, since, until = next(iter(quick_periods(today())))
    only = list(_theirs(request).values_list("pk", flat=True)[:2])
    first = {"since": since, "until": until, "integration": only[0] if len(only) == 1 else ""}
    asked = {
        name: request.GET[name] for name in ("integration", "since", "until", "seed") if request.GET.get(name)
    }
    return first | asked


def _query(pack: EvidencePack) -> dict[str, str]:
    """What the form is filled with to make it again."""
    period = {"since": str(pack.since), "until": str(pack.until)}
    return {"integration": str(pack.integration_id), **period, "seed": pack.seed}
