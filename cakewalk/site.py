"""The home page and the sidebar: integrations and their health, what awaits approval, the last jobs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from cakewalk.look import NAVIGATION
from cakewalk.models import User
from cakewalk.needs import needs
from cakewalk.signing_in import recently
from directory.models import Person
from integrations import permitting
from integrations.models import Integration
from provisioning import pictures
from provisioning.models import AccessRule, ProvisioningJob
from provisioning.promptness import leavers, promptness
from provisioning.standing import SettledAt, Standing, standings

LAST_JOBS = 8
LAST_LEAVERS = 5
ENTER = "integrations.enter_credential"
SEES_JOBS = "provisioning.view_provisioningjob"


def signed_in(request: HttpRequest) -> User:
    """Who asks. Admin pages are shown to nobody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What staff see first, as far as they may see it: what needs somebody now before all the rest."""
    may = request.user.has_perm
    sees_jobs, sees_integrations = (
        may(SEES_JOBS),
        may("integrations.view_integration"),
    )
    found = standings(permitting.seen_by(request.user)) if sees_integrations else []
    shown = {
        "sees_jobs": sees_jobs,
        "sees_integrations": sees_integrations,
        "may_enter": permitting.anywhere(request.user, ENTER),
        "may_review": permitting.anywhere(request.user, "reviews.review_access"),
        "may_connect": may("integrations.add_integration"),
        "now": timezone.now(),
        "standings": found,
        "needs": needs(
            signed_in(request),
            [*found, *_whose_key_is_missed(request.user, found)],
            _awaiting(request.user, found) if sees_jobs else [],
        ),
        "steps": _first_steps(found) if sees_integrations else [],
    }
    lately = _lately(request.user, found) if sees_jobs and sees_integrations and _has_run(found) else {}
    return {**context, "title": _("Home"), **shown, **lately}


def _whose_key_is_missed(user: Any, seen: Sequence[Standing]) -> list[Standing]:
    """For whoever enters keys and sees nothing else of them: only what a key settles."""
    sees_all = permitting.where(user, "integrations.view_integration") is None
    if sees_all or not permitting.anywhere(user, ENTER):
        return []
    rows = permitting.of_those_permitted(Integration.objects.all(), user, ENTER)
    unseen = rows.exclude(pk__in=[standing.integration.pk for standing in seen])
    return [
        replace(standing, troubles=at_the_key)
        for standing in standings(unseen)
        if (at_the_key := tuple(one for one in standing.troubles if one.settled_at is SettledAt.CREDENTIAL))
    ]


def _awaiting(user: Any, found: Sequence[Standing]) -> list[ProvisioningJob]:
    waiting = [job for standing in found for job in standing.awaiting if user.has_perm(SEES_JOBS, job)]
    return sorted(waiting, key=lambda job: job.pk, reverse=True)


def _has_run(found: Sequence[Standing]) -> bool:
    return any(standing.last_job for standing in found)


def _lately(user: Any, found: Sequence[Standing]) -> dict[str, Any]:
    """How it went, in figures and pictures."""
    now = timezone.now()
    jobs = permitting.of_those_permitted(
        ProvisioningJob.objects.select_related("integration", "requested_by").order_by("-pk"), user, SEES_JOBS
    )
    among = permitting.where(user, SEES_JOBS)
    prompt = promptness(among=among, now=now)
    return {
        "leavers": prompt,
        "last_leavers": list(leavers(among=among, now=now).select_related("job__integration")[:LAST_LEAVERS]),
        "accounts_chart": pictures.accounts([standing.integration for standing in found], now=now),
        "jobs_chart": pictures.jobs(among=among, now=now),
        "leavers_chart": pictures.leavers(prompt),
        "last_jobs": list(jobs[:LAST_JOBS]),
    }


def on_every_page(request: HttpRequest) -> dict[str, Any]:
    """The theme would write its colours into the page's text; ours are in colors.css."""
    stale = request.user.is_authenticated and not recently.is_recent(request)
    return {"colors": None, "confirm_first": recently.where_to_confirm(request) if stale else ""}


def _first_steps(found: list[Standing]) -> list[dict[str, Any]]:
    """The way to a first sync; empty once it has been walked."""
    if any(standing.last_sync for standing in found):
        return []
    people, rules = Person.objects.exists(), AccessRule.objects.planned().exists()
    steps = [
        (
            _("Connect an integration"),
            "integrations:catalog",
            bool(found),
            _("Pick it in the catalog and paste its key."),
        ),
        (
            _("Bring in your people"),
            "admin:directory_person_changelist",
            people,
            _("Import a CSV or XLSX file, or enter them by hand."),
        ),
        (
            _("Write an access rule"),
            "admin:provisioning_accessrule_changelist",
            rules,
            _("Say which group gets which role. No rule, no access."),
        ),
    ]
    if all(done for *_names, done, _text in steps):
        return []
    return [
        {"title": title, "url": reverse(url), "done": done, "text": text} for title, url, done, text in steps
    ]


def _found(item: dict[str, Any]) -> dict[str, Any]:
    """With its address looked up, once for each page and not for each time that it is read."""
    return {**item, "link": str(item["link"])}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, with the number of jobs that wait for an approver beside Jobs."""
    groups = [{**group, "items": [_found(item) for item in group["items"]]} for group in NAVIGATION]
    if not request.user.has_perm(SEES_JOBS):
        return groups
    held = ProvisioningJob.objects.filter(state=ProvisioningJob.State.AWAITING_APPROVAL)
    waiting = permitting.of_those_permitted(held, request.user, SEES_JOBS).count()
    for item in (item for group in groups for item in group["items"]):
        if waiting and item["icon"] == "sync":
            item.update(badge=str(waiting), badge_variant="warning")
    return groups
