"""One-time links for somebody else to paste the key: made, listed and revoked by staff."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from cakewalk.site import signed_in
from integrations.connecting import Entry
from integrations.models import Integration, KeyLink

SHOWN = 20


def make_link(request: HttpRequest, entry: Entry, hours: str) -> str:
    """The address to send, which is shown this once. The token stands behind the #, which browsers send to
    nobody: so it is in no access log, no proxy's and ours neither, and in no Referer.
    """
    chosen = int(hours) if hours in [str(each) for each in KeyLink.HOURS] else 24
    _link, token = KeyLink.make(
        kind=entry.kind,
        name=entry.name,
        base_url=entry.base_url,
        replaces=entry.integration,
        by=signed_in(request),
        hours=chosen,
        now=timezone.now(),
    )
    return f"{request.build_absolute_uri(reverse('key'))}#{token}"


def listed(kind: str, integration: Integration | None) -> list[dict[str, Any]]:
    """The newest, each with its state."""
    now = timezone.now()
    links = KeyLink.objects.filter(kind=kind).select_related("requested_by", "integration")
    links = (
        links.filter(integration=integration, replaces=True) if integration else links.filter(replaces=False)
    )
    rows = []
    for link in links.order_by("-pk")[:SHOWN]:
        state, tone = link.state(now=now)
        is_open = not (link.used_at or link.revoked_at) and link.expires_at > now
        rows.append({"link": link, "state": state, "tone": tone, "open": is_open})
    return rows


@require_POST
def revoke_link(request: HttpRequest, pk: int) -> HttpResponse:
    link = get_object_or_404(KeyLink.objects.select_related("requested_by", "integration"), pk=pk)
    if not link.is_permitted_to(signed_in(request)):
        raise PermissionDenied
    if link.revoke(now=timezone.now()):
        messages.success(request, _("The link for %(name)s is revoked.") % {"name": link.name})
    else:
        messages.warning(request, _("The link for %(name)s is over already.") % {"name": link.name})
    if link.replaces:
        return redirect("integrations:credential", link.integration_id)
    return redirect("integrations:connect", link.kind)
