"""How far a review is, for pages: in numbers, by reviewer, and as a chart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from cakewalk import charts
from cakewalk.charts import Chart, Series
from cakewalk.models import User
from provisioning.reviews.models import Campaign, Item, Reminder

MOST_IN_A_CHART = 20
"""More reviewers than these are told in the table alone."""


@dataclass(frozen=True, slots=True)
class ByReviewer:
    reviewer: User
    kept: int
    revoked: int
    undecided: int
    reminders: Sequence[Reminder]

    @property
    def lines(self) -> int:
        return self.kept + self.revoked + self.undecided


def by_reviewer(campaign: Campaign) -> list[ByReviewer]:
    """Who has most to do comes first."""
    rows = campaign.items.order_by().values_list("reviewer", "decision").annotate(Count("pk"))
    numbers: dict[int, Counter[str]] = {}
    for reviewer, decision, number in rows:
        numbers.setdefault(reviewer, Counter())[decision] = number
    reminders: dict[int, list[Reminder]] = {}
    for reminder in campaign.reminders.order_by("pk"):
        reminders.setdefault(reminder.reviewer_id, []).append(reminder)
    found = [
        ByReviewer(
            user,
            numbers[user.pk][Item.Decision.KEEP],
            numbers[user.pk][Item.Decision.REVOKE],
            numbers[user.pk][Item.Decision.NONE],
            reminders.get(user.pk, []),
        )
        for user in User.objects.filter(pk__in=numbers)
    ]
    return sorted(found, key=lambda one: (-one.undecided, one.reviewer.get_username()))


def in_all(found: Sequence[ByReviewer]) -> Mapping[str, int]:
    """As `in_numbers` of all lines, without counting them once more."""
    kept, revoked = sum(one.kept for one in found), sum(one.revoked for one in found)
    undecided = sum(one.undecided for one in found)
    by_decision = {Item.Decision.KEEP: kept, Item.Decision.REVOKE: revoked, Item.Decision.NONE: undecided}
    decided = kept + revoked
    return {
        "all": decided + undecided,
        "decided": decided,
        "undecided": undecided,
        **{str(decision): number for decision, number in by_decision.items()},
    }


def chart(found: Sequence[ByReviewer]) -> Chart | None:
    if len(found) > MOST_IN_A_CHART:
        return None
    series = [
        Series(pgettext("access", "Kept"), "success", [one.kept for one in found]),
        Series(pgettext("access", "Revoked"), "danger", [one.revoked for one in found]),
        Series(_("Not decided"), "plain", [one.undecided for one in found]),
    ]
    names = [one.reviewer.get_username() for one in found]
    return charts.bars("review-progress", _("Lines by reviewer"), _("Reviewer"), names, series)
