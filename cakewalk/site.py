"""The home page and the sidebar: integrations and their health, what awaits approval, the last jobs."""

import copy
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from cakewalk.look import NAVIGATION
from cakewalk.models import User
from directory.models import Person
from integrations.catalog import connector_classes
from provisioning.models import AccessRule, ProvisioningJob
from provisioning.standing import Standing, awaiting_approval, standings

LAST_JOBS = 8


def signed_in(request: HttpRequest) -> User:
    """Who asks. Admin pages are shown to nobody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What staff see first, as far as they may see it."""
    may = request.user.has_perm
    found = standings() if may("integrations.view_integration") else []
    jobs = ProvisioningJob.objects.select_related("integration", "requested_by").order_by("-pk")
    sees_jobs = may("provisioning.view_provisioningjob")
    return {
        **context,
        "title": "Home",
        "now": timezone.now(),
        "standings": found,
        "attention": [standing for standing in found if standing.problems],
        "awaiting": list(awaiting_approval()) if sees_jobs else [],
        "last_jobs": list(jobs[:LAST_JOBS]) if sees_jobs else [],
        "sees_jobs": sees_jobs,
        "sees_integrations": may("integrations.view_integration"),
        "may_connect": may("integrations.add_integration"),
        "cards": [connector.card for connector in connector_classes().values()],
        "steps": _first_steps(found) if may("integrations.view_integration") else [],
    }


def on_every_page(request: HttpRequest) -> dict[str, Any]:
    """The theme would write its colours into the page's text; ours are in colors.css."""
    return {"colors": None}


def _first_steps(found: list[Standing]) -> list[dict[str, Any]]:
    """The way to a first sync; empty once it has been walked."""
    people, rules = Person.objects.exists(), AccessRule.objects.planned().exists()
    steps = [
        (
            "Connect an integration",
            "integrations:catalog",
            bool(found),
            "Pick it in the catalog and paste its key.",
        ),
        (
            "Bring in your people",
            "admin:directory_person_changelist",
            people,
            "Import a CSV or XLSX file, or enter them by hand.",
        ),
        (
            "Write an access rule",
            "admin:provisioning_accessrule_changelist",
            rules,
            "Say which group gets which role. No rule, no access.",
        ),
    ]
    if all(done for _, _, done, _ in steps):
        return []
    return [
        {"title": title, "url": reverse(url), "done": done, "text": text} for title, url, done, text in steps
    ]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, with the number of jobs that wait for an approver beside Jobs."""
    groups = copy.deepcopy(NAVIGATION)
    if not request.user.has_perm("provisioning.view_provisioningjob"):
        return groups
    waiting = ProvisioningJob.objects.filter(state=ProvisioningJob.State.AWAITING_APPROVAL).count()
    for item in (item for group in groups for item in group["items"]):
        if waiting and item["title"] == "Jobs":
            item.update(badge=str(waiting), badge_variant="warning")
    return groups
