"""The charts of accounts, jobs and leavers, wherever they are shown."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from cakewalk import charts
from cakewalk.charts import Chart, Series
from integrations.models import Integration
from provisioning.promptness import Promptness
from provisioning.trends import accounts_read, jobs_by_outcome, last_days, spans_for, together

DAYS = 90
DAYS_OF_JOBS = 30
FEWEST_DAYS = 14


def accounts(integrations: Sequence[Integration], *, now: datetime) -> Chart:
    """As last read on each day. Of several integrations together, each counts until it is read again."""
    spans = spans_for(len(integrations), DAYS, now=now)
    read = accounts_read(integrations, spans)
    numbers = next(iter(read.values()), []) if len(read) == 1 else together(read.values())
    told = _since_the_first(numbers)
    title = _("Accounts and open invites")
    return charts.line(
        "accounts",
        title,
        _("Day"),
        [_name(span.day) for span in spans[told]] if numbers else [],
        Series(title, "primary", numbers[told]),
    )


def jobs(*, among: Collection[int] | None = None, now: datetime) -> Chart:
    spans = last_days(DAYS_OF_JOBS, now=now)
    counted = jobs_by_outcome(spans, among)
    told = _since_the_first([sum(of_day) for of_day in zip(*counted.values(), strict=True)])
    series = [
        Series(_("Succeeded"), "success", counted["succeeded"][told]),
        Series(_("Cancelled"), "plain", counted["cancelled"][told]),
        Series(_("In part, or awaiting approval"), "warning", counted["in part"][told]),
        Series(_("Failed, inconclusive or refused"), "danger", counted["wrong"][told]),
    ]
    names = [_name(span.day) for span in spans[told]]
    return charts.bars("jobs", _("Jobs a day"), _("Day"), names, series)


def leavers(prompt: Promptness | None) -> Chart:
    """How many were out within a minute, and so on; later than their target is told apart."""
    within, late = (list(prompt.within), list(prompt.late_within)) if prompt else ([0] * 6, [0] * 6)
    names = [_("1 min"), _("10 min"), _("1 h"), _("4 h"), _("24 h"), _("later")]
    series = [
        Series(
            _("Within the target"), "success", [all_ - over for all_, over in zip(within, late, strict=True)]
        ),
        Series(_("Later than the target"), "danger", late),
    ]
    return charts.bars("leavers-times", _("Leavers by how long it took"), _("Within"), names, series)


def _name(day: date) -> str:
    # Translators: how a day is written below a chart, as Django writes dates: "3 Mar"
    return date_format(day, _("j M"))


def _since_the_first(known: Sequence[object]) -> slice:
    """Without the days before anything was known, but for a fortnight at least."""
    first = next((place for place, value in enumerate(known) if value), len(known))
    return slice(min(first, max(len(known) - FEWEST_DAYS, 0)), None)
