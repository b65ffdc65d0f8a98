"""What the rows of a job add up to: its plan, what the sweep added to it, and what became of both."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Min, QuerySet

from cakewalk.ledger.chain import moment
from provisioning.actions import Kind, Situation
from provisioning.fingerprints import Fingerprint, lines_in_each

if TYPE_CHECKING:
    from provisioning.models import Action, ProvisioningJob

PLAN_FIELDS = (
    "kind",
    "situation",
    "email",
    "account_id",
    "role",
    "entitlement",
    "grants",
    "before",
    "after",
    "rule",
    "detail",
    "taking",
    "needs",
    "proposed",
)
OF_A_GROUP = ("holder", "members")
"""Of lines about what a group holds, besides."""

OUTCOME_FIELDS = (
    "seq",
    "state",
    "error",
    "holds",
    "request_id",
    "new_account_id",
    "reasons",
    "known_at",
    "started_at",
    "finished_at",
    "confirmed_at",
)

CHUNK = 2_000

STATES = ("held", "started", "done", "failed", "refused", "stale", "skipped")


def plan_line(values: Mapping[str, Any]) -> dict[str, Any]:
    """The line of the plan that a row was made from."""
    names = (*PLAN_FIELDS, *OF_A_GROUP) if values["holder"] else PLAN_FIELDS
    return {name: values[name] for name in names}


def outcome_line(values: Sequence[Any]) -> list[Any]:
    """`values`: of OUTCOME_FIELDS, in their order."""
    return [moment(value) if isinstance(value, datetime) else value for value in values]


def plan(job: "ProvisioningJob") -> dict[str, Any]:
    return _of_plan(job.lines.exclude(situation=Situation.LEFT_BEHIND))


def sweep(job: "ProvisioningJob") -> dict[str, Any]:
    """Of the lines that the sweep has added to the plan, which is not touched by it."""
    return _of_plan(job.lines.filter(situation=Situation.LEFT_BEHIND))


def _of_plan(rows: "QuerySet[Action]") -> dict[str, Any]:
    sums = _empty(rows)
    stored = rows.order_by("seq").values("seq", *PLAN_FIELDS, *OF_A_GROUP)
    for values in stored.iterator(chunk_size=CHUNK):
        sums.add(values["seq"], plan_line(values))
    return sums.result()


def _empty(rows: "QuerySet[Action]") -> Fingerprint:
    about = rows.aggregate(first=Min("seq"), number=Count("pk"))
    return Fingerprint(first=about["first"] or 1, each=lines_in_each(about["number"]))


def outcomes(job: "ProvisioningJob") -> dict[str, Any]:
    """What became of all its lines, as it is stored now; and how many have which outcome."""
    rows = job.lines
    sums, states = _empty(rows), Counter[str]()
    stored = rows.order_by("seq").values_list("kind", "proposed", *OUTCOME_FIELDS)
    for kind, proposed, *values in stored.iterator(chunk_size=CHUNK):
        seq, state, *_ = values
        sums.add(seq, outcome_line(values))
        if not proposed:
            states["reported" if kind == Kind.REPORT else state] += 1
    return {"outcomes": sums.result(), "counts": dict(_in_order(states))}


def _in_order(states: Counter[str]) -> Iterator[tuple[str, int]]:
    yield "planned", states.total() - states["reported"]
    yield from ((state, states[state]) for state in (*STATES, "reported"))
