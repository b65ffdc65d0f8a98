"""A reviewer's own pages: the reviews in which they are asked, and the lines to decide on, quickly."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from cakewalk.models import User
from cakewalk.site import signed_in
from directory.time_zones import today
from integrations import permitting
from provisioning.requesting import Refused
from provisioning.reviews import running
from provisioning.reviews.models import Campaign, Item, ItemQuerySet

PER_PAGE = 100
NUMBER = re.compile(r"[0-9]{1,9}")

Decision = Item.Decision

SHOWN: Mapping[str, Any] = {
    "open": gettext_lazy("To decide"),
    "keep": pgettext_lazy("access", "Kept"),
    "revoke": pgettext_lazy("access", "Revoked"),
    "all": gettext_lazy("All"),
}
BY: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "person": (gettext_lazy("By person"), ("email", "seq")),
    "thing": (gettext_lazy("By project"), ("kind", "entitlement_name", "entitlement_ref", "seq")),
}


def _reviewer(request: HttpRequest) -> User:
    if not permitting.anywhere(request.user, running.REVIEW):
        raise PermissionDenied
    return signed_in(request)


def mine(request: HttpRequest) -> HttpResponse:
    user = _reviewer(request)
    asked_in = Campaign.objects.shown_to_reviewers().filter(pk__in=Item.objects.of(user).values("campaign"))
    campaigns = permitting.of_those_permitted(asked_in, user, running.REVIEW)
    found = list(campaigns.select_related("integration").order_by("-due_on", "-pk"))
    numbers = _numbers(user)
    asked: list[dict[str, Any]] = [{"campaign": one, "numbers": numbers[one.pk]} for one in found]
    context = {
        **admin.site.each_context(request),
        "title": _("My reviews"),
        "open": [one for one in asked if not one["campaign"].is_over],
        "over": [one for one in asked if one["campaign"].is_over],
        "today": today(),
    }
    return TemplateResponse(request, "reviews/mine.html", context)


def _numbers(user: User) -> dict[int, dict[str, int]]:
    """How many lines of each review are theirs, and decided."""
    rows = Item.objects.of(user).order_by().values_list("campaign", "decision").annotate(Count("pk"))
    found: dict[int, dict[str, int]] = defaultdict(lambda: {"all": 0, "decided": 0})
    for pk, decision, number in rows:
        found[pk]["all"] += number
        found[pk]["decided"] += number if decision else 0
    return found


def review(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Whoever has no lines there is told as much as of a review that never was."""
    user = _reviewer(request)
    shown = Campaign.objects.shown_to_reviewers().select_related("integration", "default_reviewer")
    campaign = shown.filter(public_id=public_id).first()
    if campaign is None or not campaign.items.of(user).exists():
        raise Http404
    if not user.has_perm(running.REVIEW, campaign):
        raise PermissionDenied
    if request.method == "POST":
        return _decide(request, campaign, user)
    return TemplateResponse(request, "reviews/review.html", _page(request, campaign, user))


def _decide(request: HttpRequest, campaign: Campaign, user: User) -> HttpResponse:
    decision, reason = request.POST.get("decision", ""), request.POST.get("reason", "")
    try:
        numbers = {int(typed) for typed in request.POST.getlist("line") if NUMBER.fullmatch(typed)}
        seen_at = _moment(request.POST.get("seen_at", ""))
        done = running.decide(campaign, numbers, decision, by=user, reason=reason, seen_at=seen_at)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _said(decision, done))
    return redirect(request.get_full_path())


def _moment(typed: str) -> datetime:
    try:
        found = parse_datetime(typed)
    except ValueError:
        found = None
    if found is None or timezone.is_naive(found):
        raise Refused(_("The page was not complete. Open it again."))
    return found


def _said(decision: str, number: int) -> str:
    if decision == Decision.KEEP:
        said = ngettext("%(number)d line is kept.", "%(number)d lines are kept.", number)
    else:
        said = ngettext(
            "%(number)d line is to be revoked, when the review is finished and an approver agrees.",
            "%(number)d lines are to be revoked, when the review is finished and an approver agrees.",
            number,
        )
    return said % {"number": number}


# -- the page


@dataclass(frozen=True, slots=True)
class Group:
    """Lines about one person, or about one thing."""

    name: str
    note: str
    items: Sequence[Item]


def _page(request: HttpRequest, campaign: Campaign, user: User) -> dict[str, Any]:
    seen_at = timezone.now()
    theirs = campaign.items.of(user)
    numbers = theirs.in_numbers()
    show = request.GET.get("show", "")
    if show not in SHOWN:
        show = "open" if campaign.is_open and numbers["undecided"] else "all"
    by = request.GET.get("by", "")
    by = by if by in BY else "person"
    asked = request.GET.get("q", "").strip()
    found = _asked_for(_of(theirs, show), asked)
    page = Paginator(found.order_by(*BY[by][1]), PER_PAGE).get_page(request.GET.get("page"))
    items = list(page.object_list)
    own = {item.pk for item in running.own_lines(items, user)}
    return {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "numbers": numbers,
        "groups": list(_groups(items, by)),
        "page": page,
        "own": own,
        "may_decide": campaign.is_open,
        "overdue": campaign.is_open and campaign.due_on < today(),
        "seen_at": seen_at.isoformat(),
        "show": show,
        "by": by,
        "asked": asked,
        "shown": [(key, name, numbers[_KEYS[key]]) for key, name in SHOWN.items()],
        "ways": [(key, name) for key, (name, _order) in BY.items()],
    }


_KEYS = {"open": "", "keep": "keep", "revoke": "revoke", "all": "all"}


def _of(items: ItemQuerySet, show: str) -> ItemQuerySet:
    return items if show == "all" else items.filter(decision=_KEYS[show])


def _asked_for(items: ItemQuerySet, asked: str) -> ItemQuerySet:
    """Each word is to be found somewhere."""
    for word in asked.split()[:5]:
        items = items.filter(
            Q(email__icontains=word) | Q(person_name__icontains=word) | Q(entitlement_name__icontains=word)
        )
    return items


def _groups(items: Iterable[Item], by: str) -> Iterable[Group]:
    if by == "thing":
        for _key, some in groupby(items, key=lambda item: (item.kind, item.entitlement_ref)):
            lines = list(some)
            name = lines[0].thing if lines[0].kind else _("Accounts")
            yield Group(name, "", lines)
        return
    for _key, some in groupby(items, key=lambda item: (item.email, item.account_ref)):
        lines = list(some)
        first = lines[0]
        yield Group(first.person_name or first.email, ", ".join(first.groups), lines)
