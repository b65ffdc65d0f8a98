"""Where Save & Enable leads: what a sync would do, from the first preview, and what to do next."""

from dataclasses import dataclass

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from directory.models import Person
from integrations import permitting
from integrations.admin.catalog import logo
from integrations.catalog import connector_class
from integrations.models import Credential, Integration
from integrations.permitting import May
from provisioning import history
from provisioning.models import AccessRule, ProvisioningJob
from provisioning.summary import sentences

State = ProvisioningJob.State


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do now. `posts`: it asks for something, and does not only lead somewhere."""

    why: str
    button: str
    url: str
    posts: bool = False


def welcome(request: HttpRequest, pk: int) -> TemplateResponse:
    integration = get_object_or_404(Integration, pk=pk)
    may = permitting.on(integration, request.user)
    if not may("integrations.view_integration"):
        raise PermissionDenied
    sees_jobs = may("provisioning.view_provisioningjob")
    job = _preview(integration) if sees_jobs else None
    connector = connector_class(integration.kind)
    context = {
        **admin.site.each_context(request),
        "title": integration.name,
        "integration": integration,
        "card": connector.card,
        "logo": logo(connector),
        "credential": Credential.objects.defer("secret").filter(integration=integration).first(),
        "job": job,
        "live": job is not None and job.state in ProvisioningJob.LIVE,
        "trouble": _trouble(job),
        "sentences": sentences(history.counted(job), job.mode)
        if job and job.state == State.SUCCEEDED
        else [],
        "next": _next_step(may, integration, job),
    }
    return TemplateResponse(request, "integrations/welcome.html", context)


def _preview(integration: Integration) -> ProvisioningJob | None:
    """The newest look at everyone: what is at work already, or else a preview."""
    jobs = integration.jobs.filter(scope=ProvisioningJob.Scope.EVERYONE).order_by("-pk")
    return jobs.live().first() or jobs.filter(preview=True).first()


def _trouble(job: ProvisioningJob | None) -> str:
    """Why a preview shows no plan."""
    if job is None or job.state in (*ProvisioningJob.LIVE, State.SUCCEEDED):
        return ""
    said = (job.refusal or job.error or {}).get("detail") or job.cancel_reason
    if job.state == State.REFUSED:
        return _("There is no plan yet. %(why)s") % {"why": said}
    return _("The preview came to no plan. %(why)s") % {"why": said}


def _next_step(may: May, integration: Integration, job: ProvisioningJob | None) -> NextStep | None:
    """What is missing first: people, then rules, then a look at the plan. Nothing while there is a wait."""
    if not Person.objects.filter(active=True).exists():
        return (
            NextStep(
                _("Nobody in the directory is active, so nobody can be given access."),
                _("Import people"),
                reverse("admin:directory_person_import_people"),
            )
            if may("directory.add_person")
            else None
        )
    if not AccessRule.objects.planned().filter(integration=integration).exists():
        add = reverse("admin:provisioning_accessrule_add")
        return (
            NextStep(
                _("No access rule says yet who is to have access: without a rule there is none."),
                _("Write an access rule"),
                f"{add}?integration={integration.pk}",
            )
            if may("provisioning.add_accessrule")
            else None
        )
    return _look_at_the_plan(integration, job, may_run=may("provisioning.run_job"))


def _look_at_the_plan(
    integration: Integration, job: ProvisioningJob | None, *, may_run: bool
) -> NextStep | None:
    if job and job.state in ProvisioningJob.LIVE:
        return None
    if job and job.state == State.SUCCEEDED:
        return NextStep(
            _("Nothing was changed. Read who and why, line by line; then raise the mode when you agree."),
            _("Read the preview"),
            reverse("admin:provisioning_provisioningjob_change", args=[job.pk]),
        )
    if not (may_run and integration.enabled):
        return None
    preview = reverse("admin:integrations_integration_preview", args=[integration.pk])
    return NextStep(_("A preview reads everything and changes nothing."), _("Preview"), preview, posts=True)
