"""How things went day by day, for charts. Each day is looked up by an index, however many jobs there were."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import CharField, Count, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast
from django.utils import timezone

from integrations.models import Integration
from provisioning.models import ProvisioningJob

State = ProvisioningJob.State

MOST_LOOKS = 400
"""So many reads are looked up for one chart. With many integrations its days are further apart."""


@dataclass(frozen=True, slots=True)
class Span:
    """A day, or the last of several that are taken together, where the reader is."""

    day: date
    since: datetime
    until: datetime


def last_days(number: int, *, now: datetime, each: int = 1) -> list[Span]:
    """The last days up to today, the first first; `each` so many of them together."""
    today = timezone.localdate(now)
    ends = [today - timedelta(days=back) for back in range(0, number, each)]
    return [
        Span(day, _begins(day - timedelta(days=each - 1)), _begins(day + timedelta(days=1))) for day in ends
    ][::-1]


def _begins(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def spans_for(integrations: int, number: int, *, now: datetime) -> list[Span]:
    """The last days, so far apart that not too many reads are looked up."""
    return last_days(number, now=now, each=max(1, -(-number * integrations // MOST_LOOKS)))


def accounts_read(integrations: Iterable[Integration], spans: Sequence[Span]) -> dict[int, list[int | None]]:
    """How many accounts the last complete read of each span saw, by integration; None without one."""
    whole = ProvisioningJob.objects.filter(integration=OuterRef("pk"), scope=ProvisioningJob.Scope.EVERYONE)
    lookups = {
        f"read_{place}": Subquery(
            whole.filter(planned_at__gte=span.since, planned_at__lt=span.until)
            .order_by("-planned_at")
            .values(accounts=Cast("read__accounts", IntegerField()))[:1]
        )
        for place, span in enumerate(spans)
    }
    rows = Integration.objects.filter(pk__in=[one.pk for one in integrations]).order_by()
    return {pk: list(read) for pk, *read in rows.values_list("pk").annotate(**lookups)}


def together(of_each: Iterable[Sequence[int | None]]) -> list[int | None]:
    """The sum of what was read. Whoever was not read that day counts as they did before."""
    return [
        None if all(number is None for number in numbers) else sum(filter(None, numbers))
        for numbers in zip(*(_carried_on(numbers) for numbers in of_each), strict=True)
    ]


def _carried_on(numbers: Sequence[int | None]) -> Iterable[int | None]:
    last: int | None = None
    for number in numbers:
        last = number if number is not None else last
        yield last


OUTCOMES: dict[str, Sequence[str]] = {
    "succeeded": (State.SUCCEEDED,),
    "in part": (State.PARTIAL, State.AWAITING_APPROVAL),
    "wrong": (State.FAILED, State.INCONCLUSIVE, State.REFUSED),
    "cancelled": (State.CANCELLED,),
}


def jobs_by_outcome(spans: Sequence[Span], among: Collection[int] | None = None) -> dict[str, list[int]]:
    """How many jobs each day had that ended so. One query of a count for each day: by the index alone.
    `among`: of these integrations only, by their ids.
    """
    first, *rest = (_counted(place, span, among) for place, span in enumerate(spans))
    found: Counter[tuple[int, str]] = Counter()
    for place, state, number in first.union(*rest, all=True):
        found[int(place), state] += number
    return {
        outcome: [sum(found[place, state] for state in states) for place in range(len(spans))]
        for outcome, states in OUTCOMES.items()
    }


def _counted(
    place: int, span: Span, among: Collection[int] | None
) -> QuerySet[ProvisioningJob, tuple[str, str, int]]:
    of_day = ProvisioningJob.objects.filter(requested_at__gte=span.since, requested_at__lt=span.until)
    if among is not None:
        of_day = of_day.filter(integration__in=among)
    named = of_day.order_by().annotate(place=Value(str(place), output_field=CharField()))
    return named.values_list("place", "state").annotate(number=Count("pk"))
