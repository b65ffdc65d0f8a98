"""An integration's own page: how it stands, its settings, and the buttons that start and stop it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cakewalk.asking import ask_for_job
from cakewalk.signing_in.recently import proven
from cakewalk.site import signed_in
from cakewalk.templatetags.cakewalk import wait
from cakewalk.theme import (
    ChangeList,
    ChoicesDropdownFilter,
    ModelAdmin,
    UnfoldAdminTextareaWidget,
    display,
)
from cakewalk.words import called
from integrations import in_words, permitting
from integrations.admin import mode as modes
from integrations.admin.overview import what_it_shows
from integrations.catalog import connector_class
from integrations.connecting import Entry, save_and_enable
from integrations.models import Integration, Rotation
from provisioning import requesting, rotating
from provisioning.models import ProvisioningJob
from provisioning.standing import Standing, standings

LABELS = {
    "sync_every_minutes": gettext_lazy("Sync every … minutes"),
    "orphans": gettext_lazy("Orphaned accounts"),
    "leaver_keys": gettext_lazy("Keys of leavers"),
    "removal_limit_count": gettext_lazy("Limit of takings, in number"),
    "removal_limit_percent": gettext_lazy("Limit of takings, in percent"),
    "over_limit": gettext_lazy("Above both limits"),
    "first_removals": gettext_lazy("First removals"),
    "vanished_percent": gettext_lazy("Limit of vanished accounts, in percent"),
    "plan_valid_hours": gettext_lazy("A plan may wait for … hours"),
    "removal_target_hours": gettext_lazy("Leavers are to be gone within … hours"),
    "silence_minutes": gettext_lazy("Alarm after … minutes of silence"),
    "four_eyes": gettext_lazy("Another person approves"),
    "separate_key_entry": gettext_lazy("Keys and approvals apart"),
}
"""Where the setting's name, in words, would not do."""
HELP = {
    "sync_every_minutes": gettext_lazy(
        "A change in the directory starts a sync at once, whatever this says."
    ),
    "over_limit": gettext_lazy(
        "What waits for an approver when more would be taken than the limits above allow."
    ),
    "first_removals": gettext_lazy(
        "The first sync in mode manage may meet surprises; holding lets a person look first."
    ),
    "orphans": gettext_lazy("An orphan is an account that nobody in the directory answers to."),
    "managed_domains": gettext_lazy(
        "Separated by commas or spaces. Accounts elsewhere are reported, never changed. Empty: all domains."
    ),
    "minimum_owners": gettext_lazy(
        "An action that would leave fewer owners is refused, and no approval overrides that."
    ),
    "vanished_percent": gettext_lazy(
        "When more accounts are missing since the last complete read, everything is held."
    ),
    "plan_valid_hours": gettext_lazy(
        "A plan that waited longer for an approver is not carried out; a new one is made."
    ),
    "removal_target_hours": gettext_lazy(
        "From when the directory knows to the read that shows it. Whoever is out later is told as a breach, "
        "with its cause."
    ),
    "silence_minutes": gettext_lazy(
        "So long without a sync that has read everything. 0: twice its interval, and the time that one takes."
    ),
    "leaver_keys": gettext_lazy("What happens to the API keys that somebody who left has made."),
    "renew_invites": gettext_lazy("Send an expired invite again while its person is entitled to access."),
}


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Integration.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is already an integration named %(name)s.") % {"name": name})
        return name


OF_SUPERUSERS = ("four_eyes", "separate_key_entry")


class IntegrationList(ChangeList):
    """The list with each row's standing, read for the whole page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = {standing.integration.pk: standing for standing in standings(self.result_list)}
        for row in self.result_list:
            row.standing = found[row.pk]


@admin.register(Integration)
class IntegrationAdmin(ModelAdmin):
    when_empty = gettext_lazy("Pick one in the catalog and paste its key.")
    list_display = ("name", "what", "state", "mode_label", "last_job", "next_sync")
    list_filter = (("mode", ChoicesDropdownFilter),)
    search_fields = ("name",)
    ordering = ("name",)
    actions = None
    form = SettingsForm
    change_form_outer_before_template = "integrations/panel.html"
    readonly_fields = ("base_url",)
    not_told = ("next_sync_at", "next_sync_trigger", "watched_since", "failed_jobs", "last_failed_at")
    fieldsets = (
        (
            None,
            {"fields": ("name", "base_url", "sync_every_minutes", "silence_minutes", "removal_target_hours")},
        ),
        (
            gettext_lazy("Scope"),
            {"fields": ("managed_domains", "orphans", "leaver_keys", "renew_invites")},
        ),
        (
            gettext_lazy("Safety"),
            {
                "description": gettext_lazy(
                    "Judged on the whole plan before the first call, the same in a preview. "
                    "A taking is a removal, a withdrawn invite, a revoked grant or a lower role."
                ),
                "fields": (
                    "removal_limit_count",
                    "removal_limit_percent",
                    "over_limit",
                    "first_removals",
                    "vanished_percent",
                    "plan_valid_hours",
                    "minimum_owners",
                ),
            },
        ),
        (
            gettext_lazy("Who approves"),
            {
                "description": gettext_lazy("Only a superuser changes these."),
                "fields": OF_SUPERUSERS,
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whoever is kept from something must not be the one who lifts that."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if request.user.is_superuser else (*fixed, *OF_SUPERUSERS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: the history hangs on it. Disabling stops it."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[IntegrationList]:
        return IntegrationList

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        short = {"managed_domains": UnfoldAdminTextareaWidget({"rows": 2})}
        own = {"labels": LABELS, "help_texts": HELP, "widgets": short}
        return super().get_form(request, obj, change=change, **own, **kwargs)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return redirect("integrations:catalog")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {**(extra_context or {}), "show_save_and_add_another": False}
        if object_id.isdecimal():
            for standing in standings(self.get_queryset(request).filter(pk=object_id)):
                extra |= self._panel(request, standing)
        return super().change_view(request, object_id, form_url, extra)

    def _panel(self, request: HttpRequest, standing: Standing) -> dict[str, Any]:
        integration = standing.integration
        return {
            "title": integration.name,
            **what_it_shows(standing, may := permitting.on(integration, request.user), now=timezone.now()),
            "may_run": may("provisioning.run_job"),
            "may_evidence": may("evidence.add_evidencepack"),
            "may_change": may("integrations.change_integration"),
            "may_enter": may("integrations.enter_credential"),
        }

    # -- the list

    @display(description=gettext_lazy("Connector"))
    def what(self, integration: Integration) -> str:
        return connector_class(integration.kind).card.title

    @display(description=gettext_lazy("State"))
    def state(self, integration: Any) -> str:
        standing: Standing = integration.standing
        simulated = (
            format_html('<span class="cw-label cw-label--simulated">{}</span>', _("Simulated"))
            if integration.simulated
            else ""
        )
        return format_html(
            '<span class="cw-labels"><span class="cw-label cw-label--{}">{}</span>{}</span>',
            standing.tone,
            standing.label,
            simulated,
        )

    @display(description=gettext_lazy("Mode"), ordering="mode")
    def mode_label(self, integration: Integration) -> str:
        return called(integration.mode).capitalize()

    @display(description=gettext_lazy("Last job"))
    def last_job(self, integration: Any) -> str:
        job: ProvisioningJob | None = integration.standing.last_job
        if job is None:
            return _("None yet")
        return format_html(
            '<span><a class="cw-link" href="{}">{}</a>, {}</span>',
            reverse("admin:provisioning_provisioningjob_change", args=[job.pk]),
            job,
            job.get_state_display().lower(),
        )

    @display(description=gettext_lazy("Next sync"), ordering="next_sync_at")
    def next_sync(self, integration: Integration) -> str:
        if integration.enabled and integration.paused:
            return _("Paused")
        if not integration.enabled or integration.next_sync_at is None:
            return _("Not enabled")
        now = timezone.now()
        if integration.next_sync_at <= now:
            return _("Due now")
        return _("In %(wait)s") % {"wait": wait(integration.next_sync_at)}

    # -- settings

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = Integration.objects.get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        obj.reschedule_since(before, now=timezone.now())

    # -- buttons

    def get_urls(self) -> list[URLPattern]:
        def button(name: str, view: Any) -> Any:
            return path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"integrations_integration_{name}",
            )

        return [
            button("sync", self.sync),
            button("preview", self.preview),
            button("enable", self.enable),
            button("disable", self.disable),
            button("rotate", self.rotate),
            path(
                "<int:pk>/mode/<str:mode>/",
                self.admin_site.admin_view(self.mode),
                name="integrations_integration_mode",
            ),
            path(
                "<int:pk>/mode/<str:mode>/preview/",
                self.admin_site.admin_view(require_POST(self.mode_preview)),
                name="integrations_integration_mode_preview",
            ),
            *super().get_urls(),
        ]

    def sync(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._run(request, pk, preview=False)

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._run(request, pk, preview=True)

    def _run(self, request: HttpRequest, pk: int, *, preview: bool) -> HttpResponse:
        integration = self._allowed(request, pk, "provisioning.run_job")
        job = ask_for_job(request, integration, preview=preview)
        if job:
            return redirect("admin:provisioning_provisioningjob_change", job.pk)
        return self._back(request, integration)

    def enable(self, request: HttpRequest, pk: int) -> HttpResponse:
        integration = self._allowed(request, pk, "integrations.change_integration")
        stored = Entry(integration.kind, integration.name, integration.base_url, None, integration)
        outcome = save_and_enable(stored, now=timezone.now())
        if outcome.works:
            said = _("%(integration)s is enabled: its key works on the live API.")
            messages.success(request, said % {"integration": integration})
        for problem in outcome.problems.values():
            said = _("%(integration)s is not enabled. %(problem)s")
            messages.error(request, said % {"integration": integration, "problem": problem})
        return self._back(request, integration)

    def disable(self, request: HttpRequest, pk: int) -> HttpResponse:
        integration = self._allowed(request, pk, "integrations.change_integration")
        integration.disable()
        said = _("%(integration)s is disabled. No sync starts until it is enabled again.")
        messages.success(request, said % {"integration": integration})
        return self._back(request, integration)

    @proven
    def rotate(self, request: HttpRequest, pk: int) -> HttpResponse:
        integration = self._allowed(request, pk, "integrations.enter_credential")
        try:
            rotation = rotating.rotate(integration, by=signed_in(request))
        except rotating.Refused as refusal:
            messages.error(request, _("The key was not rotated: %(why)s") % {"why": refusal})
            return self._back(request, integration)
        said = rotating.in_words(rotation)
        done = rotation.state == Rotation.State.DONE
        messages.add_message(request, messages.SUCCESS if done else messages.ERROR, said)
        return self._back(request, integration)

    def mode(self, request: HttpRequest, pk: int, mode: str) -> HttpResponse:
        """What another mode would do, and the switch to it."""
        integration = self._of_mode(request, pk, mode)
        if request.method == "POST":
            return self._switch(request, integration, mode)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Mode %(mode)s for %(integration)s")
            % {"mode": called(mode), "integration": integration},
            "original": integration,
            "considered": modes.consider(integration, mode, now=timezone.now()),
            "means": in_words.mode(mode),
            "may_run": request.user.has_perm("provisioning.run_job", integration),
        }
        return TemplateResponse(request, "integrations/mode.html", context)

    def _switch(self, request: HttpRequest, integration: Integration, mode: str) -> HttpResponse:
        if integration.mode == mode:
            said = _("%(integration)s is in mode %(mode)s already.")
            messages.info(request, said % {"integration": integration, "mode": called(mode)})
            return self._back(request, integration)
        if request.POST.get("from") != integration.mode:
            said = _("Nothing was switched: %(integration)s is in mode %(mode)s by now. Look again.")
            messages.warning(request, said % {"integration": integration, "mode": called(integration.mode)})
            return redirect("admin:integrations_integration_mode", integration.pk, mode)
        modes.switch(integration, mode, now=timezone.now())
        said = _("%(integration)s is in mode %(mode)s now. %(means)s")
        means = in_words.mode(mode)
        messages.success(request, said % {"integration": integration, "mode": called(mode), "means": means})
        return self._back(request, integration)

    def mode_preview(self, request: HttpRequest, pk: int, mode: str) -> HttpResponse:
        integration = self._of_mode(request, pk, mode)
        if not request.user.has_perm("provisioning.run_job", integration):
            raise PermissionDenied
        try:
            requesting.request_preview_of(mode, integration, by=signed_in(request))
        except requesting.Refused as refusal:
            said = _("No preview was queued: %(why)s")
            messages.warning(request, said % {"why": refusal})
        return redirect("admin:integrations_integration_mode", integration.pk, mode)

    def _of_mode(self, request: HttpRequest, pk: int, mode: str) -> Integration:
        integration = self._allowed(request, pk, "integrations.change_integration")
        if mode not in Integration.Mode:
            raise Http404
        return integration

    def _allowed(self, request: HttpRequest, pk: int, permission: str) -> Integration:
        integration = get_object_or_404(Integration, pk=pk)
        if not request.user.has_perm(permission, integration):
            raise PermissionDenied
        return integration

    def _back(self, request: HttpRequest, integration: Integration) -> HttpResponse:
        if not self.has_view_permission(request, integration):
            return redirect("integrations:credentials")  # a key holder's page
        return redirect("admin:integrations_integration_change", integration.pk)
