"""What a job's page says: its story, its plan in numbers and words, and what whoever looks may decide."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.models import User
from integrations.permitting import May
from provisioning import history, recovering, requesting, summary, wording
from provisioning.actions import Kind
from provisioning.admin.checklists import checklists
from provisioning.admin.job_plan import FAILING, Alike, group_of, kinds, line, plan_shown, rows_of, tally
from provisioning.admin.next_steps import next_step, with_next_steps
from provisioning.models import Action, ProvisioningJob
from provisioning.summary import Counted
from provisioning.timeline import Span, spans

HELD_SHOWN = 50
"""In each dialog that decides about them; all are among the lines of the plan."""
MOST_COUNTED = 1000
TAKING = (
    Kind.WITHDRAW_INVITE,
    Kind.CHANGE_ROLE,
    Kind.REMOVE,
    Kind.CHANGE_GRANT,
    Kind.REVOKE,
    Kind.REVOKE_KEY,
)
"""Kinds of actions that may take something."""
State, Trigger = ProvisioningJob.State, ProvisioningJob.Trigger

SAYS = {
    State.QUEUED: gettext_lazy("It waits for a worker."),
    State.RUNNING: gettext_lazy("It is at work."),
    State.AWAITING_APPROVAL: gettext_lazy(
        "What is held waits for an approver; what is not held has been done."
    ),
    State.SUCCEEDED: gettext_lazy("Everything that was to be done is done, and a fresh read has shown it."),
    State.PARTIAL: gettext_lazy("A part of the plan was not done; the lines below say which and why."),
    State.REFUSED: gettext_lazy("The plan was refused. Nothing was changed."),
    State.FAILED: gettext_lazy("It went wrong."),
    State.INCONCLUSIVE: gettext_lazy(
        "The organization could not be proven to be read completely. Nothing was changed."
    ),
    State.CANCELLED: gettext_lazy("It was cancelled."),
}

TRIGGERS = {
    Trigger.MANUAL: gettext_lazy("on demand"),
    Trigger.SCHEDULE: gettext_lazy("by the schedule"),
    Trigger.DIRECTORY: gettext_lazy("after a change in the directory"),
    Trigger.FIRST: gettext_lazy("after it was connected"),
}

PHASES = {
    "queued": gettext_lazy("Waited for a worker"),
    "reading": gettext_lazy("Read"),
    "planning": gettext_lazy("Match and plan"),
    "checking": gettext_lazy("Check and store"),
    "awaiting_approval": gettext_lazy("Waited for approval"),
    "applying": gettext_lazy("Apply"),
    "verifying": gettext_lazy("Verify"),
    "sweeping": gettext_lazy("Sweep"),
    "corroborating": gettext_lazy("Ask the audit log"),
    "listing keys": gettext_lazy("List keys"),
}

MOST_NAMED = 3


Tally = Mapping[str, int]


def tallies(jobs: Sequence[ProvisioningJob]) -> dict[int, Counter[str]]:
    """How many actions of each outcome every job has, in one query."""
    found: dict[int, Counter[str]] = {job.pk: Counter() for job in jobs}
    rows = Action.objects.filter(job__in=jobs).values_list("job", "state", "kind", "proposed")
    for job, state, kind, proposed, number in rows.annotate(number=Count("pk")).order_by():
        found[job][group_of(state, kind, proposed)] += number
    return found


def planned(tally: Tally) -> int:
    """All writing actions of a plan, whatever became of them."""
    return sum(number for group, number in tally.items() if group not in ("reported", "proposed"))


def what_it_shows(
    job: ProvisioningJob,
    alike: Sequence[Alike],
    may: May,
    *,
    shown: str,
    situation: str,
    page_number: str | None,
) -> dict[str, Any]:
    """`shown`: the outcome that is asked for, `situation`: the heading; everything where they are empty."""
    now = timezone.now()
    asked = {"show": shown, "situation": situation}
    by_outcome = tally(alike)
    plan = plan_shown(job, alike, may, shown=shown, situation=situation, page_number=page_number)
    return {
        "job": job,
        "live": job.state in ProvisioningJob.LIVE,
        "whom": "" if job.about_everyone else _whom(job),
        "restorations": list(job.restorations.order_by("pk")),
        "says": _says(job, by_outcome),
        "sentences": _sentences(job, alike),
        "outlook": outlook(job),
        "tally": by_outcome,
        "planned": planned(by_outcome),
        "outcomes": outcomes(by_outcome),
        "shown": shown,
        "situation": situation,
        "plan": plan,
        "held_kinds": kinds(one for one in alike if one.outcome == Action.State.HELD),
        "phase": PHASES.get(job.phase, job.phase),
        "exported": urlencode({name: value for name, value in asked.items() if value}),
        "page": plan.page,
        "timeline": _timeline(job),
        "spans": [(span, PHASES.get(span.phase, span.phase)) for span in _spans(job, now)],
        "checklists": checklists(job),
        "changes": _changes(job),
        "listings": job.read.get("listings", []),
        "holder": recovering.in_words(job.holder) if job.state == State.RUNNING else "",
        "expired": _expired(job),
        "expires_at": job.plan_expires_at() if job.state == State.AWAITING_APPROVAL else None,
        "failures": _failures(job, by_outcome, may),
        **{
            name: with_next_steps(reason, job, may) if reason else None
            for name, reason in (("refusal", job.refusal), ("error", job.error))
        },
    }


def outlook(job: ProvisioningJob) -> dict[str, Any] | None:
    """How many accounts and owners there were, are left by what is not held, and by an approval as well."""
    made = job.outlook
    if "accounts" not in made:
        return None
    planned, held = made["planned"], made["held"]

    def steps(name: str) -> list[int]:
        before = made[name]
        return [before, before + planned[name], before + planned[name] + held[name]]

    def share(lose: int) -> str:
        percent = 100 * lose / made["accounts"] if made["accounts"] else 0
        return f"{percent:.0f}" if percent >= 10 or not percent else f"{percent:.1f}"

    return {
        "accounts": steps("accounts"),
        "owners": steps("owners"),
        "lose": planned["lose"] + held["lose"],
        "share": share(planned["lose"] + held["lose"]),
        "held": held["lose"],
        "held_share": share(held["lose"]),
        "some_held": any(held.values()),
    }


def _sentences(job: ProvisioningJob, alike: Sequence[Alike]) -> list[str]:
    """The plan in words: of a preview what a sync would do, of a job what became of it."""
    if job.planned_at is None or job.refusal:
        return []
    if job.preview:
        return summary.sentences(history.counted(job), job.mode)
    said = [
        (_("Done: %(deeds)s."), (Action.State.DONE,)),
        (_("Under way: %(deeds)s."), (Action.State.STARTED,)),
        (_("Still to do: %(deeds)s."), (Action.State.PLANNED,)),
        (_("Held for approval: %(deeds)s."), (Action.State.HELD,)),
        (_("Not done: %(deeds)s."), (*FAILING, Action.State.SKIPPED)),
    ]
    deeds = [(sentence, summary.deeds(_in_states(alike, states))) for sentence, states in said]
    return [sentence % {"deeds": told} for sentence, told in deeds if told]


def _in_states(alike: Iterable[Alike], states: Sequence[str]) -> list[Counted]:
    return [
        Counted(one.kind, one.situation, one.state, "", one.proposed, one.number)
        for one in alike
        if one.outcome in states
    ]


def _failures(job: ProvisioningJob, tally: Tally, may: May) -> list[dict[str, Any]]:
    """Why lines were not done, each reason once with how many it hit, and what to do about it."""
    if not any(tally[state] for state in FAILING):
        return []
    rows = job.actions.filter(state__in=FAILING).order_by().values_list("error__code")
    found = [(code, number) for code, number in rows.annotate(number=Count("pk")) if code]
    return [
        {
            "code": code,
            "said": ngettext("%(number)d line", "%(number)d lines", number) % {"number": number},
            "next": next_step(code, job, may),
        }
        for code, number in sorted(found, key=lambda one: (-one[1], one[0]))
    ]


def _whom(job: ProvisioningJob) -> str:
    """`ada@example.org`, or the first few of many."""
    emails = list(job.people.order_by("email").values_list("email", flat=True)[: MOST_NAMED + 1])
    if len(emails) <= MOST_NAMED:
        return ", ".join(emails)
    return _("%(number)d people, among them %(some)s") % {
        "number": job.people.count(),
        "some": ", ".join(emails[:MOST_NAMED]),
    }


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


def what_may_be_decided(job: ProvisioningJob, alike: Sequence[Alike], may: May, user: User) -> dict[str, Any]:
    """What the person who looks may decide about the job, and what they must see for it."""
    waits = job.state == State.AWAITING_APPROVAL
    holds = _holds(job, tally(alike), may)
    expired = _expired(job)
    abandoned = recovering.is_abandoned(job, now=timezone.now())
    shown = job.preview and job.state == State.SUCCEEDED
    held = rows_of(job, Action.State.HELD)
    took = 0 if job.state in ProvisioningJob.LIVE else _accounts_it_took_from(job, alike)
    approves = waits and not expired and may("provisioning.approve_job")
    left_to_others = requesting.why_not_approved_by(user, job) if approves else ""
    return {
        "may_approve": approves and not left_to_others,
        "left_to_others": left_to_others,
        "may_reject": waits and may("provisioning.approve_job"),
        "may_run_again": _may_run_again(job) and not (shown or expired) and may("provisioning.run_job"),
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
        "held_lines": [line(row) for row in held[:HELD_SHOWN]] if waits else [],
    }


def _may_run_again(job: ProvisioningJob) -> bool:
    """A restore is asked for on the page of the job that took, and a review's on that of the review."""
    over = job.state not in (*ProvisioningJob.LIVE, State.AWAITING_APPROVAL)
    return over and job.integration.enabled and job.follows_rules


def _accounts_it_took_from(job: ProvisioningJob, alike: Iterable[Alike]) -> int:
    """So many, or at least so many. Rows are only asked where there may be one."""
    over = (Action.State.DONE, Action.State.STARTED, Action.State.FAILED)
    if not any(one.kind in TAKING and one.state in over for one in alike):
        return 0
    took = job.actions.that_took().order_by().values("account_id").distinct()
    return len(took[: MOST_COUNTED + 1])


def _holds(job: ProvisioningJob, tally: Tally, may: May) -> list[dict[str, Any]]:
    """What holds the job: its sentence, how many actions it holds, and who has overridden it."""
    overrides = {override["code"]: override for override in job.overrides}
    numbers: Counter[str] = Counter({hold["code"]: tally["held"] for hold in job.holds})
    if job.state == State.AWAITING_APPROVAL and len(job.holds) > 1:
        numbers.clear()
        held = job.actions.filter(state=Action.State.HELD).order_by().values_list("holds")
        for codes, number in held.annotate(number=Count("pk")):
            numbers.update(dict.fromkeys(codes, number))
    return [
        {
            **hold,
            "name": wording.hold(hold["code"]),
            "number": numbers[hold["code"]],
            "override": overrides.get(hold["code"]),
            "next": next_step(hold["code"], job, may),
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
        return _("Its plan waited too long for an approver. %(done)s") % {"done": history.what_was_done(job)}
    if job.rejected_at:
        return _("An approver rejected what it held. %(done)s") % {"done": history.what_was_done(job)}
    if job.state == State.CANCELLED:
        return f"{SAYS[State.CANCELLED]} {history.what_was_done(job)}"
    if job.preview and job.state == State.SUCCEEDED:
        return _("This is a preview: nothing was changed.")
    if job.state == State.SUCCEEDED and not planned(tally):
        return _("There was nothing to do.")
    if job.state == State.SUCCEEDED and not tally["done"]:
        return _("Nothing was changed; the lines below say why.")
    return str(SAYS[State(job.state)])


def outcomes(tally: Tally) -> list[dict[str, Any]]:
    """The outcomes of which there is something to see, in the order in which staff ask for them."""
    names = {str(state): state.label for state in Action.State} | {
        "reported": _("Reported"),
        "proposed": _("Only proposed"),
    }
    first = ("held", "failed", "refused", "stale", "started")
    keys = sorted(tally, key=lambda key: (key not in first, list(names).index(key)))
    return [{"key": key, "name": names[key], "number": tally[key]} for key in keys]


def _spans(job: ProvisioningJob, now: datetime) -> list[Span]:
    waits = job.state == State.AWAITING_APPROVAL or job.state in ProvisioningJob.LIVE
    entered = [("queued", job.requested_at)]
    entered += [(phase, datetime.fromisoformat(at)) for phase, at in job.phases] or _guessed(job)
    return spans(entered, None if waits else job.finished_at, now)


def _guessed(job: ProvisioningJob) -> list[tuple[str, datetime]]:
    """Of a job that was carried out before phases were kept."""
    known = [("reading", job.started_at), ("applying", job.applied_at)]
    return [(phase, at) for phase, at in known if at]


def _timeline(job: ProvisioningJob) -> list[dict[str, Any]]:
    """Who decided what about it, and when."""
    by = (
        _("by %(who)s") % {"who": job.requested_by}
        if job.requested_by
        else str(TRIGGERS[Trigger(job.trigger)])
    )
    steps = [
        (_("Requested"), job.requested_at, f"{by}: {job.request_reason}" if job.request_reason else by),
        (_("Approved"), job.approved_at, _by(job.approved_by, job.approval_reason)),
        (_("Rejected"), job.rejected_at, _by(job.rejected_by, job.rejection_reason)),
    ]
    if job.state == State.CANCELLED and not job.rejected_at:
        steps.append((_("Cancelled"), job.finished_at, _by(job.cancelled_by, job.cancel_reason)))
    elif job.state not in (*ProvisioningJob.LIVE, State.AWAITING_APPROVAL, State.CANCELLED):
        steps.append((_("Finished"), job.finished_at, ""))
    steps += [
        (
            _("Released from %(worker)s") % {"worker": release["from"]},
            datetime.fromisoformat(release["at"]),
            _by(release["by"], release["reason"]),
        )
        for release in job.releases
    ]
    steps += [
        (
            _("Overridden: %(hold)s") % {"hold": wording.hold(override["code"]).lower()},
            datetime.fromisoformat(override["at"]),
            _by(override["by"], override["reason"]),
        )
        for override in job.overrides
    ]
    happened = [{"name": name, "at": at, "note": note} for name, at, note in steps if at]
    return sorted(happened, key=lambda step: step["at"])


def _by(who: object, why: str) -> str:
    return _("by %(who)s: %(why)s") % {"who": who, "why": why} if who else why
