"""The plan of a job as its page shows it: by situation, with counts, as many lines as a page bears."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from provisioning import because, wording
from provisioning.actions import Kind, Situation
from provisioning.admin.next_steps import next_step
from provisioning.models import Account, Action, ProvisioningJob

SHOWN_AT_ONCE = 100
"""A plan of so many lines is shown as a whole, a longer one situation by situation, each page by page."""
PER_PAGE = 100

PROPOSED = "proposed"
FAILING = (Action.State.FAILED, Action.State.REFUSED, Action.State.STALE)

HEADINGS: Mapping[str, tuple[str | Promise, str | Promise]] = {
    Situation.LEAVER: (_("Leavers"), _("No longer entitled to access.")),
    Situation.MOVER: (_("Movers"), _("The directory or the rules changed for them.")),
    Situation.JOINER: (_("Joiners"), _("Have access by the rules, and no account yet.")),
    Situation.DRIFT: (_("Drift"), _("Not as Cakewalk left them, or never in step.")),
    Situation.INVITE_CHANGED: (
        _("Changed invites"),
        _("Open invites that no longer say what the rules give."),
    ),
    Situation.INVITE_EXPIRED: (_("Expired invites"), _("Lapsed before they were accepted.")),
    Situation.MISSING: (_("To be made"), _("Named by a rule, and not there.")),
    Situation.RESTORED: (_("Restored"), _("Given back as it was before another job.")),
    Situation.REVIEWED: (_("Access review"), _("Revoked by reviewers, or no longer as they saw it.")),
    Situation.LEFT_BEHIND: (_("Left behind"), _("Found after a removal.")),
    Situation.RULE_PROBLEM: (_("Rule problems"), _("Rules that name what cannot be managed.")),
    Situation.AMBIGUOUS: (_("Ambiguous"), _("More than one fits, which is never guessed.")),
    Situation.ACCEPTED_ELSEWHERE: (
        _("Accepted elsewhere"),
        _("An invite was accepted, and nobody joined under its address."),
    ),
    Situation.ORPHAN: (_("Orphans"), _("Accounts that nobody in the directory answers to.")),
    Situation.NO_ADDRESS: (_("No address"), _("Nobody can be invited without one.")),
    Situation.OUTSIDE_DOMAINS: (_("Outside the domains"), _("Not in the managed domains, so left alone.")),
    Situation.PROTECTED: (_("Protected"), _("Marked by a person: never touched.")),
    Situation.IGNORED: (_("Ignored"), _("Marked by a person: not ours to manage.")),
    Situation.MANAGED_ELSEWHERE: (_("Managed elsewhere"), _("Fed by another system, so left alone.")),
    Situation.SERVICE_ACCOUNT: (_("Service accounts"), _("No people, so left alone.")),
    PROPOSED: (_("Only proposed"), _("Would follow if the proposed rules were active.")),
}
"""In the order in which they are shown: what is done before what is only told."""


@dataclass(frozen=True, slots=True)
class Alike:
    """So many lines of a plan are of one situation and kind, and in one state."""

    situation: str
    kind: str
    state: str
    proposed: bool
    number: int

    @property
    def group(self) -> str:
        return PROPOSED if self.proposed else self.situation

    @property
    def outcome(self) -> str:
        return group_of(self.state, self.kind, self.proposed)


@dataclass(frozen=True, slots=True)
class Group:
    """`kinds`: how many of each, by name. `lines`: None where they are on a page of their own."""

    key: str
    name: str | Promise
    about: str | Promise
    number: int
    kinds: Sequence[tuple[str, int]]
    held: int
    lines: Sequence[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Plan:
    groups: Sequence[Group]
    page: "Page[Action] | None"


def group_of(state: str, kind: str, proposed: bool) -> str:
    """Under which heading an action is counted: its state, or apart as a report or a proposal."""
    if proposed:
        return PROPOSED
    return "reported" if kind == Kind.REPORT else state


def counted(job: ProvisioningJob) -> list[Alike]:
    """One query, answered by an index alone."""
    alike = ("situation", "kind", "state", "proposed")
    rows = job.actions.order_by().values_list(*alike).annotate(number=Count("pk"))
    return [Alike(*row) for row in rows]


def tally(alike: Iterable[Alike]) -> Counter[str]:
    """How many lines of each outcome."""
    found: Counter[str] = Counter()
    for one in alike:
        found[one.outcome] += one.number
    return found


def plan_shown(
    job: ProvisioningJob,
    alike: Sequence[Alike],
    may: Callable[[str], bool],
    *,
    shown: str,
    situation: str,
    page_number: str | None,
) -> Plan:
    """`shown`: the outcome that is asked for; `situation`: the heading. Everything where they are empty; of a
    long plan only the first heading is opened.
    """
    asked = [one for one in alike if shown in ("", one.outcome)]
    keys = _order({one.group for one in asked})
    if not situation and keys and sum(one.number for one in asked) > SHOWN_AT_ONCE:
        situation = keys[0]
    rows, page = rows_of(job, shown, situation), None
    if situation:
        page = _page(rows, [one for one in asked if one.group == situation], page_number)
    lines = _by_group(page or rows, job, may)
    opened = {situation} if situation else set(keys)
    groups = [
        _group(key, [one for one in asked if one.group == key], lines.get(key, []) if key in opened else None)
        for key in keys
    ]
    return Plan(groups, page)


def _page(rows: QuerySet[Action], alike: Iterable[Alike], number: str | None) -> "Page[Action]":
    """How many there are is counted already."""
    pages = Paginator(rows, PER_PAGE)
    pages.count = sum(one.number for one in alike)
    return pages.get_page(number)


def rows_of(job: ProvisioningJob, shown: str, situation: str = "") -> QuerySet[Action]:
    """In the order of an index: by situation, kind and state, and only then by the place in the plan."""
    rows = of_outcome(job.actions.order_by("situation", "kind", "state", "proposed", "seq"), shown)
    return under_heading(rows, situation) if situation else rows


def under_heading(rows: QuerySet[Action], situation: str) -> QuerySet[Action]:
    """None for a heading that there is not."""
    if situation == PROPOSED:
        return rows.filter(proposed=True)
    return rows.filter(situation=situation, proposed=False) if situation in HEADINGS else rows.none()


def of_outcome(rows: QuerySet[Action], shown: str) -> QuerySet[Action]:
    """All where none is asked for, and none where there is no such outcome."""
    if not shown:
        return rows
    if shown == PROPOSED:
        return rows.filter(proposed=True)
    if shown == "reported":
        return rows.filter(proposed=False, kind=Kind.REPORT)
    if shown in Action.State:
        return rows.filter(proposed=False, state=shown).exclude(kind=Kind.REPORT)
    return rows.none()


def _order(keys: Iterable[str]) -> list[str]:
    known = list(HEADINGS)
    return sorted(keys, key=lambda key: (known.index(key) if key in known else len(known), key))


def _group(key: str, alike: Sequence[Alike], lines: Sequence[dict[str, Any]] | None) -> Group:
    name, about = HEADINGS.get(key, (wording.situation(key), ""))
    return Group(
        key,
        name,
        about,
        number=sum(one.number for one in alike),
        kinds=kinds(alike),
        held=sum(one.number for one in alike if one.outcome == Action.State.HELD),
        lines=lines,
    )


def kinds(alike: Iterable[Alike]) -> list[tuple[str, int]]:
    """How many lines there are of each kind, by its name."""
    found: Counter[str] = Counter()
    for one in alike:
        found[one.kind] += one.number
    return [(wording.kind(kind), found[kind]) for kind in wording.KINDS if found[kind]]


def _by_group(
    rows: Iterable[Action], job: ProvisioningJob, may: Callable[[str], bool]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    rows = list(rows)
    linkable = _linkable(job, rows)
    for row in rows:
        told = line(row) | {
            "linkable": linkable.get(row.account_id),
            "failed": row.state in FAILING,
            "next": next_step(row.error["code"], job, may) if row.error else None,
        }
        found.setdefault(PROPOSED if row.proposed else row.situation, []).append(told)
    return found


def _linkable(job: ProvisioningJob, rows: Iterable[Action]) -> dict[str | None, int]:
    """Accounts that may be whose line says so, by their ids in the remote, while nobody has decided yet."""
    found = [row.account_id for row in rows if row.situation == Situation.ACCEPTED_ELSEWHERE]
    if not found:
        return {}
    open_ = Account.objects.filter(integration=job.integration_id, remote_id__in=found, person=None)
    return dict(open_.values_list("remote_id", "pk"))


def line(row: Action) -> dict[str, Any]:
    group = group_of(row.state, row.kind, row.proposed)
    return {
        "row": row,
        "what": wording.what(row),
        "situation": wording.situation(row.situation),
        "because": because.in_html(row.reasons),
        "why": wording.why(row.situation),
        "before": wording.picture(row.before),
        "after": wording.after(row),
        "holds": [wording.hold(code) for code in row.holds],
        "caused": wording.caused(row.situation),
        "caused_by": datetime.fromisoformat(row.caused_by["at"]) if row.caused_by else None,
        "group": group,
        "state": {"reported": _("Reported"), PROPOSED: _("Proposed")}.get(group, row.get_state_display()),
    }
