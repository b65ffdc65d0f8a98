"""The connect page: a credential is entered beside its guide, tried on the live remote, and enabled."""

import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from cakewalk.documents.guide import guide_of
from cakewalk.ledger.recording import together
from cakewalk.models import User
from cakewalk.signing_in import recently
from cakewalk.site import signed_in
from cakewalk.theme import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget
from cakewalk.words import called
from integrations import in_words, permitting
from integrations.admin import key_links, telling
from integrations.admin.catalog import logo
from integrations.catalog import connector_class
from integrations.connecting import (
    Entry,
    Outcome,
    Trying,
    prepare,
    problems_before_the_key,
    save_only,
    store_tried,
    trying,
)
from integrations.connectors.base import Connector, ended
from integrations.models import Credential, Integration
from provisioning import requesting
from provisioning.models import ProvisioningJob


class ConnectForm(forms.Form):
    """What staff type. Every judgement is the use case's, so that the command says the same sentences."""

    name = forms.CharField(
        required=False, label=gettext_lazy("Name"), max_length=100, widget=UnfoldAdminTextInputWidget()
    )
    # Of no greatest length: a browser would cut off the rest of what is pasted, without a word.
    secret = forms.CharField(
        required=False, widget=UnfoldAdminPasswordWidget({"autocomplete": "off", "spellcheck": "false"})
    )
    base_url = forms.CharField(
        required=False,
        label=gettext_lazy("API address"),
        widget=UnfoldAdminTextInputWidget({"type": "url", "autocomplete": "off"}),
    )

    def __init__(
        self, connector: type[Connector], integration: Integration | None, rights: "Rights", data: Any = None
    ) -> None:
        card = connector.card
        initial = {
            "name": integration.name if integration else card.title,
            "base_url": integration.base_url if integration else card.default_base_url,
        }
        super().__init__(data, initial=initial)
        self.connector, self.integration, self.rights = connector, integration, rights
        for name in ("name", "base_url"):
            self.fields[name].disabled = not rights.settles
        self.fields["secret"].disabled = not rights.enters
        self.fields["secret"].label = called(card.secret_label)
        self.fields["secret"].widget.attrs["placeholder"] = card.secret_placeholder
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"{name}-problem"

    def entry(self, *, by: User) -> Entry:
        typed = self.cleaned_data
        return Entry(
            kind=self.connector.card.kind,
            name=typed["name"],
            base_url=typed["base_url"] or self.connector.card.default_base_url,
            secret=typed["secret"] or None,
            integration=self.integration,
            by=by,
        )

    def tell(self, outcome: Outcome) -> None:
        for name, problem in outcome.problems.items():
            self.add_error(name if name in self.fields else None, problem)


@dataclass(frozen=True, slots=True)
class Rights:
    """`settles`: may say what is connected, and enable it. `enters`: may enter its key."""

    settles: bool
    enters: bool

    @property
    def buttons(self) -> frozenset[str]:
        """Without trying, a key is saved by whoever may disable: that is what it does to what is enabled."""
        if not self.enters:
            return frozenset({"_save"})
        return frozenset({"_enable", "_test", "_link", *(["_save"] if self.settles else [])})


@sensitive_post_parameters("secret")
def connect(request: HttpRequest, kind: str) -> HttpResponseBase:
    may = request.user.has_perm
    if not may("integrations.add_integration"):
        raise PermissionDenied
    rights = Rights(settles=True, enters=may("integrations.enter_credential"))
    return _page(request, connector_or_404(kind), None, rights)


@sensitive_post_parameters("secret")
def replace_credential(request: HttpRequest, pk: int) -> HttpResponseBase:
    integration = get_object_or_404(Integration, pk=pk)
    may = permitting.on(integration, request.user)
    if not may("integrations.enter_credential"):
        raise PermissionDenied
    rights = Rights(settles=may("integrations.change_integration"), enters=True)
    return _page(request, connector_or_404(integration.kind), integration, rights)


def connector_or_404(kind: str) -> type[Connector]:
    try:
        return connector_class(kind)
    except LookupError as error:
        raise Http404(str(error)) from error


def _page(
    request: HttpRequest, connector: type[Connector], integration: Integration | None, rights: Rights
) -> HttpResponseBase:
    if any(button in request.POST for button in {"_enable", "_save", "_test", "_link"} - rights.buttons):
        raise PermissionDenied
    if asked := recently.ask(request):
        if telling.looks_on(request):
            return telling.lead_to(recently.where_to_confirm(request))
        return asked
    form = ConnectForm(connector, integration, rights, request.POST if request.method == "POST" else None)
    outcome, new_link = None, ""
    if "_link" in request.POST:
        new_link = _ask_for_key(request, form)
    elif form.is_bound and form.is_valid():
        entry = form.entry(by=signed_in(request))
        steps = _steps(request, entry, rights)
        if telling.looks_on(request):
            return telling.tell(steps, functools.partial(_last_line, request))
        outcome = ended(steps)
        if outcome.integration:
            return redirect(_next_page(request, outcome, outcome.integration))
        form.tell(outcome)
    if integration:
        title = _("Replace the credential of %(name)s") % {"name": integration}
    else:
        title = _("Connect %(title)s") % {"title": connector.card.title}
    stored = (
        Credential.objects.defer("secret").filter(integration=integration).first() if integration else None
    )
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "outcome": outcome,
        "verdict": telling.verdict(outcome) if outcome else "",
        "checks": [telling.row(check) for check in outcome.report.checks]
        if outcome and outcome.report
        else [],
        "card": connector.card,
        "logo": logo(connector),
        "guide": guide_of(connector),
        "recognized": in_words.recognized(connector),
        "integration": integration,
        "rights": rights,
        "stored": stored,
        "paste_again": form.is_bound and bool(request.POST.get("secret")),
        "new_link": new_link,
        "links": key_links.listed(connector.card.kind, integration),
    }
    return TemplateResponse(request, "integrations/connect.html", context)


def _ask_for_key(request: HttpRequest, form: ConnectForm) -> str:
    """A one-time link for what is typed, without its key; of an integration, for that as it is stored."""
    if not form.is_valid():
        return ""
    entry = form.entry(by=signed_in(request))
    if of := form.integration:
        entry = Entry(of.kind, of.name, of.base_url, None, of)
    problems = problems_before_the_key(entry)
    if problems:
        form.tell(Outcome(problems))
        return ""
    return key_links.make_link(request, entry, request.POST.get("hours", ""))


def _steps(request: HttpRequest, entry: Entry, rights: Rights) -> Trying:
    """What the pressed button asks for. It is stored with all that belongs to it, after the last answer:
    whoever goes away before that has stored nothing.
    """
    if "_save" in request.POST:
        outcome = (save_only if rights.enters else prepare)(entry, now=timezone.now())
        if outcome.integration:
            state = "" if outcome.integration.enabled else _("It is not enabled: its key was not tried yet.")
            messages.success(
                request, f"{_('%(name)s is saved.') % {'name': outcome.integration}} {state}".strip()
            )
        return outcome
    tried = yield from trying(entry)
    if "_test" in request.POST:
        return tried
    with together():
        outcome = store_tried(entry, tried, enables=rights.settles, now=timezone.now())
        if outcome.integration:
            preview_first(outcome.integration, by=signed_in(request))
    return outcome


def preview_first(integration: Integration, *, by: User) -> None:
    """Queue the preview that shows what there is to do; a live job shows it as well."""
    with suppress(requesting.Refused):
        requesting.request_job(integration, preview=True, trigger=ProvisioningJob.Trigger.FIRST, by=by)


def _next_page(request: HttpRequest, outcome: Outcome, integration: Integration) -> str:
    if not request.user.has_perm("integrations.view_integration", integration):
        said = _("The key of %(name)s works, and is stored.")
        if not integration.enabled:
            said = _("The key of %(name)s works, and is stored. An operator enables it.")
        messages.success(request, said % {"name": integration})
        return reverse("integrations:credentials")
    tried = outcome.report is not None
    page = "integrations:welcome" if tried else "admin:integrations_integration_change"
    return reverse(page, args=[integration.pk])


def _last_line(request: HttpRequest, outcome: Outcome) -> dict[str, Any]:
    if outcome.integration:
        return {"leads_to": _next_page(request, outcome, outcome.integration)}
    return {"works": outcome.works, "title": telling.verdict(outcome), "problems": dict(outcome.problems)}
