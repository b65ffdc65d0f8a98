"""The connect page: a credential is entered beside its guide, tried on the live remote, and enabled."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters

from cakewalk.site import signed_in
from cakewalk.theme import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget
from integrations.admin.catalog import guide, logo
from integrations.catalog import connector_class
from integrations.connecting import Entry, Outcome, save_and_enable, save_only, test_connection
from integrations.connectors.base import Connector
from integrations.models import Credential, Integration
from provisioning import requesting
from provisioning.models import ProvisioningJob


class ConnectForm(forms.Form):
    """What staff type. Every judgement is the use case's, so that the command says the same sentences."""

    name = forms.CharField(required=False, max_length=100, widget=UnfoldAdminTextInputWidget())
    secret = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "off", "spellcheck": "false"}),
    )
    base_url = forms.CharField(
        required=False,
        label="API address",
        widget=UnfoldAdminTextInputWidget({"type": "url", "autocomplete": "off"}),
    )

    def __init__(self, connector: type[Connector], integration: Integration | None, data: Any = None) -> None:
        card = connector.card
        initial = {
            "name": integration.name if integration else card.title,
            "base_url": integration.base_url if integration else card.default_base_url,
        }
        super().__init__(data, initial=initial)
        self.connector, self.integration = connector, integration
        self.fields["secret"].label = card.secret_label
        self.fields["secret"].widget.attrs["placeholder"] = card.secret_placeholder

    def entry(self) -> Entry:
        typed = self.cleaned_data
        return Entry(
            kind=self.connector.card.kind,
            name=typed["name"],
            base_url=typed["base_url"] or self.connector.card.default_base_url,
            secret=typed["secret"] or None,
            integration=self.integration,
        )

    def tell(self, outcome: Outcome) -> None:
        for name, problem in outcome.problems.items():
            self.add_error(name if name in self.fields else None, problem)


@sensitive_post_parameters("secret")
def connect(request: HttpRequest, kind: str) -> HttpResponse:
    if not request.user.has_perm("integrations.add_integration"):
        raise PermissionDenied
    return _page(request, _connector_or_404(kind), None)


@sensitive_post_parameters("secret")
def replace_credential(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm("integrations.change_integration"):
        raise PermissionDenied
    integration = get_object_or_404(Integration, pk=pk)
    return _page(request, _connector_or_404(integration.kind), integration)


def _connector_or_404(kind: str) -> type[Connector]:
    try:
        return connector_class(kind)
    except LookupError as error:
        raise Http404(str(error)) from error


def _page(request: HttpRequest, connector: type[Connector], integration: Integration | None) -> HttpResponse:
    form = ConnectForm(connector, integration, request.POST if request.method == "POST" else None)
    outcome = None
    if form.is_bound and form.is_valid():
        entry = form.entry()
        outcome = _carry_out(request, entry)
        if outcome.integration:
            _log(request, entry, outcome.integration)
            return _stored(request, outcome, outcome.integration)
        form.tell(outcome)
    title = f"Replace the credential of {integration}" if integration else f"Connect {connector.card.title}"
    stored = (
        Credential.objects.defer("secret").filter(integration=integration).first() if integration else None
    )
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "outcome": outcome,
        "card": connector.card,
        "logo": logo(connector),
        "guide": guide(connector),
        "integration": integration,
        "stored": stored,
        "paste_again": form.is_bound and bool(request.POST.get("secret")),
    }
    return TemplateResponse(request, "integrations/connect.html", context)


def _carry_out(request: HttpRequest, entry: Entry) -> Outcome:
    if "_test" in request.POST:
        return test_connection(entry)
    if "_save" in request.POST:
        return save_only(entry, now=timezone.now())
    return save_and_enable(entry, now=timezone.now())


def _log(request: HttpRequest, entry: Entry, integration: Integration) -> None:
    """Who entered a key, and when; never which."""
    flag, what = (CHANGE, "Saved.") if entry.integration else (ADDITION, "Connected.")
    if entry.integration and entry.secret:
        what = "Credential replaced."
    LogEntry.objects.log_actions(signed_in(request).pk, [integration], flag, what)


def _stored(request: HttpRequest, outcome: Outcome, integration: Integration) -> HttpResponse:
    if outcome.report is None:
        state = "" if integration.enabled else " It is not enabled: its key has not been tried yet."
        messages.success(request, f"{integration} is saved.{state}")
    else:
        tried = ", ".join(f"{check.name.lower()} {check.answer}" for check in outcome.report.checks)
        messages.success(request, f"{integration} is enabled: the key works on the live API ({tried}).")
        preview_first(request, integration)
    return redirect("admin:integrations_integration_change", integration.pk)


def preview_first(request: HttpRequest, integration: Integration) -> None:
    """Queue the preview that shows what there is to do; a live job shows it as well."""
    try:
        job = requesting.request_job(
            integration, preview=True, trigger=ProvisioningJob.Trigger.FIRST, by=signed_in(request)
        )
    except requesting.Refused as refusal:
        messages.warning(request, f"No preview was queued: {refusal}")
    else:
        link = reverse("admin:provisioning_provisioningjob_change", args=[job.pk])
        said = '<a href="{}">{}</a>, a first preview, is queued. It reads everything and changes nothing.'
        messages.info(request, format_html(said, link, job))
