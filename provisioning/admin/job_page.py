"""What a job's page says: its story, its actions line by line, and what whoever looks may decide."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.utils import timezone

from provisioning import history, recovering, wording
from provisioning.actions import Kind, Situation
from provisioning.admin.checklists import checklists
from provisioning.models import Account, Action, ProvisioningJob

ACTIONS_PER_PAGE = 100
TAKINGS_SHOWN = 200
State, Trigger = ProvisioningJob.State, ProvisioningJob.Trigger

SAYS = {
    State.QUEUED: "It waits for a worker.",
    State.RUNNING: "It is at work.",
    State.AWAITING_APPROVAL: "What is held waits for an approver; what is not held has been done.",
    State.SUCCEEDED: "Everything that was to be done is done, and a fresh read has shown it.",
    State.PARTIAL: "A part of the plan was not done; the actions below say which and why.",
    State.REFUSED: "The plan was refused. Nothing was changed.",
    State.FAILED: "It went wrong.",
    State.INCONCLUSIVE: "The organization could not be proven to be read completely. Nothing was changed.",
    State.CANCELLED: "It was cancelled.",
}

TRIGGERS = {
    Trigger.MANUAL: "on demand",
    Trigger.SCHEDULE: "by the schedule",
    Trigger.DIRECTORY: "after a change in the directory",
    Trigger.FIRST: "after it was connected",
}

MOST_NAMED = 3

Tally = Mapping[str, int]


def group_of(state: str, kind: str, proposed: bool) -> str:
    """Under which heading an action is counted: its state, or apart as a report or a proposal."""
    if proposed:
        return "proposed"
    return "reported" if kind == Kind.REPORT else state


def tallies(jobs: Sequence[ProvisioningJob]) -> dict[int, Counter[str]]:
    """How many actions of each group every job has, in one query."""
    counted: dict[int, Counter[str]] = {job.pk: Counter() for job in jobs}
    rows = Action.objects.filter(job__in=jobs).values_list("job", "state", "kind", "proposed")
    for job, state, kind, proposed, number in rows.annotate(number=Count("pk")).order_by():
        counted[job][group_of(state, kind, proposed)] += number
    return counted


def planned(tally: Tally) -> int:
    """All writing actions of a plan, whatever became of them."""
    return sum(number for group, number in tally.items() if group not in ("reported", "proposed"))


def what_it_shows(job: ProvisioningJob, shown: str, page_number: str | None) -> dict[str, Any]:
    """`shown`: the group of actions that is asked for, all when it is empty."""
    tally = tallies([job])[job.pk]
    page = Paginator(_rows(job, shown), ACTIONS_PER_PAGE).get_page(page_number)
    return {
        "job": job,
        "live": job.state in ProvisioningJob.LIVE,
        "whom": "" if job.about_everyone else _whom(job),
        "restorations": list(job.restorations.order_by("pk")),
        "says": _says(job, tally),
        "tally": tally,
        "planned": planned(tally),
        "groups": _groups(tally),
        "shown": shown,
        "page": page,
        "lines": [line(row) for row in page],
        "linkable": _linkable(job, page),
        "timeline": _timeline(job),
        "checklists": checklists(job),
        "changes": _changes(job),
        "listings": job.read.get("listings", []),
        "holder": recovering.in_words(job.holder) if job.state == State.RUNNING else "",
        "expired": _expired(job),
        "expires_at": job.plan_expires_at() if job.state == State.AWAITING_APPROVAL else None,
    }


def _whom(job: ProvisioningJob) -> str:
    """`ada@example.org`, or the first few of many."""
    emails = list(job.people.order_by("email").values_list("email", flat=True)[: MOST_NAMED + 1])
    if len(emails) <= MOST_NAMED:
        return ", ".join(emails)
    return f"{job.people.count()} people, among them {', '.join(emails[:MOST_NAMED])}"


def _changes(job: ProvisioningJob) -> dict[str, Any]:
    found = job.read.get("changes", {"number": 0, "first": []})
    told = {(one["change"], one["account_id"]): one for one in job.corroborated or []}
    return {
        "number": found["number"],
        "first": [
            change | {"name": wording.CHANGES[change["change"]], "by": by, "at": _told_at(by)}
            for change in found["first"]
            for by in [told.get((change["change"], change["account_id"]))]
        ],
    }


def _told_at(event: Mapping[str, str] | None) -> datetime | None:
    return datetime.fromisoformat(event["at"]) if event else None


def _linkable(job: ProvisioningJob, rows: Iterable[Action]) -> dict[str | None, int]:
    """Accounts that may be whose line says so, by their ids in the remote, while nobody has decided yet."""
    found = [row.account_id for row in rows if row.situation == Situation.ACCEPTED_ELSEWHERE]
    if not found:
        return {}
    open_ = Account.objects.filter(integration=job.integration_id, remote_id__in=found, person=None)
    return dict(open_.values_list("remote_id", "pk"))


def _rows(job: ProvisioningJob, shown: str) -> QuerySet[Action]:
    rows = job.actions.order_by("seq")
    if shown == "proposed":
        return rows.filter(proposed=True)
    if shown == "reported":
        return rows.filter(proposed=False, kind=Kind.REPORT)
    if shown in Action.State:
        return rows.filter(proposed=False, state=shown).exclude(kind=Kind.REPORT)
    return rows


def what_may_be_decided(job: ProvisioningJob, may: Callable[[str], bool]) -> dict[str, Any]:
    """What the person who looks may decide about the job, and what they must see for it."""
    waits = job.state == State.AWAITING_APPROVAL
    holds = _holds(job)
    expired = _expired(job)
    abandoned = recovering.is_abandoned(job, now=timezone.now())
    shown = job.preview and job.state == State.SUCCEEDED
    held = job.actions.filter(state=Action.State.HELD).order_by("seq")
    took = 0 if job.state in ProvisioningJob.LIVE else _accounts_it_took_from(job)
    return {
        "may_approve": waits and not expired and may("provisioning.approve_job"),
        "may_cancel": (waits or job.state in ProvisioningJob.LIVE) and may("provisioning.run_job"),
        "abandoned": abandoned,
        "may_release": abandoned and may("provisioning.run_job"),
        "may_restore": bool(took) and job.integration.enabled and may("provisioning.run_job"),
        "may_link": may("provisioning.change_account"),
        "may_keep": may("provisioning.add_mark"),
        "took": took,
        "not_restored": wording.NOT_RESTORED,
        "may_sync": (shown or expired) and job.integration.enabled and may("provisioning.run_job"),
        "holds": holds,
        "to_override": [hold for hold in holds if not hold["override"]] if waits else [],
        "held_lines": [line(row) for row in held[:TAKINGS_SHOWN]] if waits else [],
    }


def _accounts_it_took_from(job: ProvisioningJob) -> int:
    return job.actions.that_took().order_by().values("account_id").distinct().count()


def _holds(job: ProvisioningJob) -> list[dict[str, Any]]:
    """What holds the job: its sentence, how many actions it holds, and who has overridden it."""
    overrides = {override["code"]: override for override in job.overrides}
    numbers: Counter[str] = Counter()
    if job.state == State.AWAITING_APPROVAL:
        held = job.actions.filter(state=Action.State.HELD).order_by().values_list("holds")
        for codes, number in held.annotate(number=Count("pk")):
            numbers.update(dict.fromkeys(codes, number))
    return [
        {
            **hold,
            "name": wording.hold(hold["code"]),
            "number": numbers[hold["code"]],
            "override": overrides.get(hold["code"]),
        }
        for hold in job.holds
    ]


def _expired(job: ProvisioningJob) -> bool:
    """Whether its plan waited for an approver for too long, even if the clock has not seen it yet."""
    if job.state == State.CANCELLED:
        return (job.error or {}).get("code") == "expired"
    return job.state == State.AWAITING_APPROVAL and job.has_expired(now=timezone.now())


def _says(job: ProvisioningJob, tally: Tally) -> str:
    if _expired(job):
        return f"Its plan waited too long for an approver. {history.what_was_done(job)}"
    if job.state == State.CANCELLED:
        return f"{SAYS[State.CANCELLED]} {history.what_was_done(job)}"
    if job.preview and job.state == State.SUCCEEDED:
        return "This is a preview: nothing was changed."
    if job.state == State.SUCCEEDED and not planned(tally):
        return "There was nothing to do."
    if job.state == State.SUCCEEDED and not tally["done"]:
        return "Nothing was changed; the actions below say why."
    return SAYS[State(job.state)]


def _groups(tally: Tally) -> list[dict[str, Any]]:
    """The headings under which there is something to see, in the order in which staff ask for them."""
    names = {str(state): state.label for state in Action.State} | {
        "reported": "Reported",
        "proposed": "Only proposed",
    }
    first = ("held", "failed", "refused", "stale", "started")
    keys = sorted(tally, key=lambda key: (key not in first, list(names).index(key)))
    return [{"key": key, "name": names[key], "number": tally[key]} for key in keys]


def line(row: Action) -> dict[str, Any]:
    group = group_of(row.state, row.kind, row.proposed)
    return {
        "row": row,
        "what": wording.what(row),
        "situation": wording.situation(row.situation),
        "why": wording.why(row.situation),
        "before": wording.picture(row.before),
        "after": wording.after(row),
        "holds": [wording.hold(code) for code in row.holds],
        "caused": wording.caused(row.situation),
        "caused_by": _told_at(row.caused_by),
        "group": group,
        "state": {"reported": "Reported", "proposed": "Proposed"}.get(group, row.get_state_display()),
    }


def _timeline(job: ProvisioningJob) -> list[dict[str, Any]]:
    by = f"by {job.requested_by}" if job.requested_by else TRIGGERS[Trigger(job.trigger)]
    asked = f"{by}: {job.request_reason}" if job.request_reason else by
    approved = f"by {job.approved_by}: {job.approval_reason}"
    cancelled = f"{'by ' + str(job.cancelled_by) + ': ' if job.cancelled_by else ''}{job.cancel_reason}"
    ended = "Cancelled" if job.state == State.CANCELLED else "Finished"
    steps = [
        ("Requested", job.requested_at, asked),
        ("Approved", job.approved_at, approved),
        ("Started", job.started_at, ""),
        ("Planned", job.planned_at, ""),
        ("Applying", job.applied_at, ""),
        ("Verified", job.verified_at, ""),
        (ended, job.finished_at, cancelled if job.state == State.CANCELLED else ""),
    ]
    steps += [
        (f"Released from {release['from']}", datetime.fromisoformat(release["at"]), _by(release))
        for release in job.releases
    ]
    steps += [
        (
            f"Overridden: {wording.hold(override['code']).lower()}",
            datetime.fromisoformat(override["at"]),
            _by(override),
        )
        for override in job.overrides
    ]
    happened = [{"name": name, "at": at, "note": note} for name, at, note in steps if at]
    return sorted(happened, key=lambda step: step["at"])


def _by(decision: Mapping[str, str]) -> str:
    return f"by {decision['by']}: {decision['reason']}"
