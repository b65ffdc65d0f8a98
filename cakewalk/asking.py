"""Ask for a job on behalf of whoever pressed a button, and say what came of it."""

from collections.abc import Collection

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from cakewalk.site import signed_in
from directory.models import Person
from integrations.models import Integration
from provisioning import requesting
from provisioning.models import ProvisioningJob


def ask_for_job(
    request: HttpRequest,
    integration: Integration,
    *,
    preview: bool,
    people: Collection[Person] = (),
    said: str = "",
) -> ProvisioningJob | None:
    """Queue a job and say so; the job that is already live, where there is one."""
    undone = _("No preview was queued: %(why)s") if preview else _("No sync was queued: %(why)s")
    try:
        job = requesting.request_job(integration, preview=preview, people=people, by=signed_in(request))
    except requesting.AlreadyRunning as running:
        messages.warning(request, undone % {"why": running})
        return running.job
    except requesting.Refused as refusal:
        messages.error(request, undone % {"why": refusal})
        return None
    link = reverse("admin:provisioning_provisioningjob_change", args=[job.pk])
    queued = _("%(job)s, a preview, is queued.") if preview else _("%(job)s, a sync, is queued.")
    shown = format_html('<a href="{}">{}</a>', link, job)
    messages.success(request, format_html("{} {}", format_html(queued % {"job": "{}"}, shown), said))
    return job
