"""An integration's accounts by their situation, and what others changed there lately."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, CharField, Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Lower

from directory.time_zones import today
from integrations.models import Integration
from provisioning.models import Account, Mark

READS_LOOKED_AT = 100
READS_SHOWN = 3
CHANGES_SHOWN = 5


def census(integration: Integration) -> Mapping[str, int]:
    """Accounts that are there: by state, by whose they are, and by what sets them apart."""
    there = integration.accounts.filter(gone_at=None).order_by()
    found = there.values_list("state", "situation", "managed_elsewhere").annotate(number=Count("pk"))
    counted: Counter[str] = Counter()
    for state, situation, elsewhere, number in found.union(_marked(integration), all=True):
        for name in (state, situation, "managed_elsewhere" if elsewhere else ""):
            counted[name] += number
    return counted


def _marked(integration: Integration) -> QuerySet[Account, tuple[str, str, bool, int]]:
    """By the kind of their mark, in the form of the rest. The marks are looked up once, for all accounts."""
    marks = Mark.objects.filter(integration=integration).lasting(today())
    there = integration.accounts.filter(gone_at=None).order_by().alias(lower=Lower("email"))
    bearing = there.filter(lower__in=marks.values("key")).annotate(
        mark=Subquery(marks.filter(key=OuterRef("lower")).values("kind")[:1]),
        nobody=Value("", CharField()),
        elsewhere=Value(False, BooleanField()),
    )
    return bearing.values_list("mark", "nobody", "elsewhere").annotate(number=Count("pk"))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What one read found changed, and not by Cakewalk."""

    job: int
    read_at: datetime
    number: int
    first: Sequence[Mapping[str, Any]]


def changed_elsewhere(integration: Integration) -> list[Elsewhere]:
    """What the last reads found changed, the last first. The first alone are kept of many."""
    reads = integration.jobs.complete_reads()
    last = reads.order_by("-planned_at").values_list("pk", "planned_at", "read__changes")[:READS_LOOKED_AT]
    found = [
        Elsewhere(pk, at, told["number"], told["first"][:CHANGES_SHOWN])
        for pk, at, told in last
        if at and told and told["number"]
    ]
    return found[:READS_SHOWN]
