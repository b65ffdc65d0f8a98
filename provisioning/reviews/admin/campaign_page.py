"""What the page of a review shows, and its exports."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from cakewalk.exporting import in_english, table
from cakewalk.models import User
from directory.time_zones import today
from integrations.models import Integration
from provisioning.models import Action, ProvisioningJob
from provisioning.requesting import Refused
from provisioning.reviews import evidence, listing, progress, reminding, running
from provisioning.reviews.models import Campaign, Item, ItemQuerySet

PER_PAGE = 100

TONES = {
    "done": "success",
    "held": "warning",
    "not taken": "warning",
    "refused": "danger",
    "failed": "danger",
}


def draft(campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    """How many lines each reviewer would get if it were opened now, or why it cannot be. It looks at every
    account, which takes seconds where there are many.
    """
    try:
        found = listing.counted(campaign, now=now)
    except Refused as refusal:
        return {"refusal": str(refusal)}
    numbers = found.by_reviewer
    users = User.objects.filter(pk__in=numbers).order_by("username")
    return {
        "lines": found.lines,
        "shares": [(user, numbers[user.pk], running.why_no_reviewer(user, campaign)) for user in users],
        "not_covered": found.not_covered,
        "read_at": found.read_at,
        "mails_off": reminding.is_off(),
    }


def how_far_it_is(campaign: Campaign, request: HttpRequest) -> dict[str, Any]:
    """While a worker is at it. It is asked each second, so nothing here counts lines."""
    return {
        "campaign": campaign,
        "percent": round(campaign.share * 100),
        "may_stop": request.user.has_perm("reviews.change_campaign", campaign),
    }


def what_it_shows(campaign: Campaign, request: HttpRequest) -> dict[str, Any]:
    reviewers = progress.by_reviewer(campaign)
    numbers = progress.in_all(reviewers)
    jobs = list(campaign.jobs.order_by("-pk"))
    may_run = request.user.has_perm("reviews.change_campaign", campaign)
    return {
        "campaign": campaign,
        "numbers": numbers,
        "reviewers": reviewers,
        "chart": progress.chart(reviewers),
        "jobs": jobs,
        "overdue": campaign.is_open and campaign.due_on < today(),
        "mails_off": campaign.is_open and reminding.is_off(),
        "takes_nothing": campaign.integration.mode != Integration.Mode.MANAGE,
        "changed": campaign.items.exclude(meanwhile="").count() if campaign.is_finished else 0,
        "may_finish": may_run and campaign.is_open,
        "may_carry_out": may_run and _may_carry_out(campaign, jobs, numbers),
        "possible": _possible(campaign) if may_run and campaign.is_open else [],
        **_lines(campaign, request, numbers),
    }


def _possible(campaign: Campaign) -> list[User]:
    return list(User.objects.filter(pk__in=running.possible_reviewers(campaign)).order_by("username"))


def _may_carry_out(campaign: Campaign, jobs: list[ProvisioningJob], numbers: Mapping[str, int]) -> bool:
    waits = campaign.job_wanted_by_id is not None or any(_is_under_way(job) for job in jobs)
    return campaign.is_finished and bool(numbers["revoke"]) and not waits


def _is_under_way(job: ProvisioningJob) -> bool:
    return job.state in (*ProvisioningJob.LIVE, ProvisioningJob.State.AWAITING_APPROVAL)


# -- the lines


def _lines(campaign: Campaign, request: HttpRequest, numbers: Mapping[str, int]) -> dict[str, Any]:
    show, asked = request.GET.get("show", ""), request.GET.get("q", "").strip()
    found = _asked_for(_of(campaign.items.all(), show), asked)
    # A join is made of all lines where PostgreSQL has not counted yet how many have just been written.
    ordered = found.prefetch_related("reviewer", "decided_by").order_by("seq")
    pages = Paginator(ordered, PER_PAGE)
    if not asked:  # then it is known, and of 200,000 lines it takes a while to count them again
        pages.count = numbers[_KEYS.get(show, "all")]
    page = pages.get_page(request.GET.get("page"))
    items = list(page.object_list)
    outcomes = (
        evidence.outcomes(campaign, [item.account_ref for item in items]) if campaign.is_finished else {}
    )
    return {
        "page": page,
        "lines": [_line(item, evidence.outcome_of(item, outcomes)) for item in items],
        "show": show if show in _KEYS else "all",
        "asked": asked,
        "shown": [
            ("all", _("All"), numbers["all"]),
            ("revoke", pgettext("access", "Revoked"), numbers["revoke"]),
            ("keep", pgettext("access", "Kept"), numbers["keep"]),
            ("open", _("Not decided"), numbers[""]),
        ],
    }


_KEYS = {"open": "", "keep": "keep", "revoke": "revoke"}


def _of(items: ItemQuerySet, show: str) -> ItemQuerySet:
    return items.filter(decision=_KEYS[show]) if show in _KEYS else items


def _asked_for(items: ItemQuerySet, asked: str) -> ItemQuerySet:
    for word in asked.split()[:5]:
        names = (
            Q(email__icontains=word) | Q(person_name__icontains=word) | Q(entitlement_name__icontains=word)
        )
        asked_of = User.objects.filter(username__iexact=word).values_list("pk", flat=True)
        items = items.filter(names | Q(reviewer__in=list(asked_of)))  # a join would be made of all lines
    return items


def _line(item: Item, action: Action | None) -> dict[str, Any]:
    word = evidence.outcome_word(item, action)
    error = (action.error or {}) if action else {}
    return {
        "item": item,
        "outcome": _outcomes().get(word, ""),
        "tone": TONES.get(word, ""),
        "detail": error.get("detail", "") or (action.detail if action and action.kind == "report" else ""),
        "job": action.job_id if action and item.decision == Item.Decision.REVOKE else None,
    }


def _outcomes() -> dict[str, str]:
    states = {str(state): str(state.label) for state in Action.State}
    return {**states, "not taken": _("Not taken"), "not carried out yet": _("Not carried out yet")}


# -- exports


def as_csv(campaign: Campaign) -> StreamingHttpResponse:
    lines = evidence.lines_with_outcomes(campaign, campaign.items.all())
    return table(f"access-review-{campaign.pk}", evidence.COLUMNS, lines, evidence.cells)


def as_json(campaign: Campaign) -> StreamingHttpResponse:
    name = f"access-review-{campaign.pk}-{today():%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        _as_json(campaign), content_type="application/json; charset=utf-8", headers=headers
    )


def _as_json(campaign: Campaign) -> Iterator[str]:
    """Last whether the lines are as they were frozen, for which all of them are read once more."""
    beginning = json.dumps(evidence.beginning(campaign), ensure_ascii=False, indent=1)
    yield beginning.removesuffix("\n}") + ',\n "lines": ['
    lines = evidence.lines_with_outcomes(campaign, campaign.items.all())
    for place, line in enumerate(in_english(lines, dict)):
        yield f"{',' if place else ''}\n  {json.dumps(line, ensure_ascii=False)}"
    yield f'\n ],\n "frozen": {json.dumps(evidence.is_frozen(campaign))}\n}}\n'
