"""What the ledger is told of jobs and their actions: each in the transaction of what it tells."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cakewalk.ledger.actors import SCHEDULE, Actor, Kind
from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from provisioning import sealing

if TYPE_CHECKING:
    from provisioning.models import Action, ProvisioningJob

READ = ("complete", "whole", "accounts", "pages", "calls", "doubts")
"""What is told of the proof of a read."""


def name_of(job: "ProvisioningJob") -> dict[str, Any]:
    """The job of an entry: as its page is called, and as people call it."""
    return {"id": job.public_id, "number": job.pk}


def who(user: User | None) -> dict[str, Any] | None:
    """By the number too, which stays when the name is changed."""
    return {"id": user.pk, "name": user.get_username()} if user else None


def of_job(verb: Verb, job: "ProvisioningJob", **facts: Any) -> None:
    record(verb, job, facts={"job": name_of(job)} | facts)


def asker(job: "ProvisioningJob") -> Actor:
    """Who asked for it, as it was written down then: in their name it is done, without their address."""
    asked = (
        Entry.objects.about(job).filter(verb=Verb.JOB_REQUESTED).values_list("actor_kind", "actor").first()
    )
    return Actor(Kind(asked[0]), asked[1]) if asked else SCHEDULE


def requested(job: "ProvisioningJob", *, people: Sequence[str], by: Actor | None = None) -> None:
    """`people`: the addresses of those that it is about alone."""
    facts = {
        "job": name_of(job),
        "trigger": job.trigger,
        "scope": job.scope,
        "preview": job.preview,
        "mode": job.mode,
        "restores": job.restores_id,
        "reason": job.request_reason,
        "requested_at": job.requested_at,
        "people": list(people),
        "by_user": who(job.requested_by),
    }
    email = people[0] if len(people) == 1 else ""
    record(Verb.JOB_REQUESTED, job, after={"state": job.state}, facts=facts, email=email, by=by)


def planned(job: "ProvisioningJob", plan: Mapping[str, Any], lines: "Sequence[Action]") -> None:
    """`plan`: what its lines add up to."""
    of_job(
        Verb.JOB_PLANNED,
        job,
        plan=plan,
        planned_at=job.planned_at,
        mode=job.mode,
        kinds=_counted(lines),
        states=dict(Counter(str(line.state) for line in lines)),
        refusal=job.refusal,
        holds=job.holds,
        read={name: job.read[name] for name in READ if name in job.read},
        directory={name: job.directory[name] for name in ("people", "active", "sources")},
    )


def _counted(lines: "Sequence[Action]") -> dict[str, dict[str, int]]:
    """How many lines, by situation and kind."""
    counted: dict[str, dict[str, int]] = {}
    for line in lines:
        of = counted.setdefault(str(line.situation), {})
        of[str(line.kind)] = of.get(str(line.kind), 0) + 1
    return counted


def came_to(verb: Verb, job: "ProvisioningJob", before: str, **facts: Any) -> None:
    """A job is where nobody works on it, with what became of all its lines until now."""
    moved(verb, job, before, **sealing.outcomes(job), **facts)


def moved(verb: Verb, job: "ProvisioningJob", before: str, **facts: Any) -> None:
    """From another state to that which it has now."""
    said = {"job": name_of(job)} | facts
    record(verb, job, before={"state": before}, after={"state": job.state}, facts=said)


# -- its lines


def started(line: "Action") -> None:
    """With all that was decided: this is what is about to be sent."""
    approver = line.job.approved_by
    _of_action(
        Verb.ACTION_STARTED,
        line,
        before=line.before,
        after=line.after,
        situation=line.situation,
        rule=line.rule,
        role=line.role,
        entitlement=line.entitlement,
        holder=line.holder,
        grants=line.grants,
        taking=line.taking,
        approved_by=approver.get_username() if approver else None,
    )


def settled(line: "Action", before: str) -> None:
    """What became of it, with the remote's own number for the request."""
    _of_action(
        _verb_of(line),
        line,
        before={"state": before},
        after={"state": line.state},
        error=line.error,
        request_id=line.request_id,
        new_account=line.new_account_id,
    )


def unanswered(line: "Action") -> None:
    _of_action(Verb.ACTION_UNANSWERED, line, request_id=line.request_id)


def confirmed(line: "Action") -> None:
    _of_action(Verb.ACTION_CONFIRMED, line, request_id=line.request_id)


def _verb_of(line: "Action") -> Verb:
    if line.state == "planned":
        return Verb.ACTION_PLANNED_AGAIN
    if line.state == "done" and line.error:
        return Verb.ACTION_NOT_SEEN
    return Verb(f"action.{line.state}")


def _of_action(
    verb: Verb,
    line: "Action",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    said = {"job": name_of(line.job), "seq": line.seq, "kind": line.kind, "account": line.account_id}
    record(verb, line, before=before, after=after, email=line.email, facts=said | facts)
