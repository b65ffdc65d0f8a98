"""The record of jobs: read back as documents, as the facts that safety needs, and as the plan's digest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.translation import gettext as _

from directory.models import Person, Source
from integrations.models import Integration
from provisioning import actions, outlook, sealing, wording
from provisioning.models import Action, ProvisioningJob, ProvisioningJobQuerySet
from provisioning.recovering import in_words
from provisioning.summary import Counted

ROLLING_WINDOW = timedelta(hours=24)
"""Takings of this long count together against the removal limit."""

BIT_BY_BIT = timedelta(hours=1)
"""What is taken away in this time counts together against the guard of its source, however it comes."""

MOST_RENEWALS = 3
RENEWALS_OF = timedelta(days=90)
"""Whoever let so many invites lapse in this time is not invited again by itself."""
RENEWED_AFTER = timedelta(hours=24)

MADE_AGAIN_AFTER = timedelta(hours=24)

READS_COMPARED = 3
"""With so many earlier reads a new one is compared. The least of them counts: one change is told once."""


def job_document(job: ProvisioningJob) -> dict[str, Any]:
    """One job with its actions, as `--json` prints it (docs/commands.md)."""
    return {
        **job_summary(job, counts(job)),
        "people": list(job.people.order_by("email").values_list("email", flat=True)),
        "actions": [action_document(row) for row in job.actions.order_by("seq")],
    }


def action_document(row: Action) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "kind": row.kind,
        "email": row.email or None,
        "account_id": row.account_id,
        "new_account_id": row.new_account_id,
        "role": row.role,
        "entitlement": row.entitlement,
        "holder": row.holder,
        "before": row.before,
        "after": row.after,
        "situation": row.situation,
        "rule": row.rule or None,
        "detail": row.detail or None,
        "reasons": row.reasons,
        "state": row.state,
        "error": row.error,
        "holds": row.holds,
        "request_id": row.request_id,
        "known_at": _iso(row.known_at),
        "finished_at": _iso(row.finished_at),
        "confirmed_at": _iso(row.confirmed_at),
        "corroboration": row.corroboration,
        "caused_by": row.caused_by,
    }


def job_summary(job: ProvisioningJob, counted: Mapping[str, int]) -> dict[str, Any]:
    read = job.read or {}
    waits = job.state == ProvisioningJob.State.AWAITING_APPROVAL
    return {
        "job": job.pk,
        "integration": job.integration.name,
        "state": job.state,
        "preview": job.preview,
        "trigger": job.trigger,
        "scope": job.scope,
        "restores": job.restores_id,
        "reviews": job.reviews_id,
        "mode": job.mode or None,
        "digest": job.digest or None,
        "requested_at": _iso(job.requested_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "expires_at": _iso(job.plan_expires_at()) if waits else None,
        "lease": _lease(job),
        "releases": job.releases,
        "read": {
            "complete": read.get("complete", False),
            "whole": read.get("whole", True),
            "accounts": read.get("accounts"),
            "pages": read.get("pages"),
            "calls": read.get("calls"),
            "doubts": read.get("doubts", []),
            "changes": read.get("changes", {}).get("number", 0),
        },
        "swept": _swept(job),
        "counts": dict(counted),
        "refusal": job.refusal,
        "holds": job.holds,
        "overrides": job.overrides,
        "rejection": _rejection(job),
        "error": job.error,
    }


def _rejection(job: ProvisioningJob) -> dict[str, str | None] | None:
    """What an approver decided against, and why."""
    if job.rejected_at is None:
        return None
    by = job.rejected_by.get_username() if job.rejected_by else None
    return {"by": by, "at": _iso(job.rejected_at), "reason": job.rejection_reason}


def _swept(job: ProvisioningJob) -> dict[str, Any] | None:
    """Of which removed accounts it is known what they left behind, but for what could not be read."""
    return {name: job.swept[name] for name in ("accounts", "unread")} if job.swept else None


def _lease(job: ProvisioningJob) -> dict[str, str | None] | None:
    """Who is at work on it, since when, and how long that may be believed without a further sign."""
    if job.state != ProvisioningJob.State.RUNNING:
        return None
    return {
        "holder": in_words(job.holder),
        "since": _iso(job.held_since),
        "expires_at": _iso(job.lease_expires_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def counts(job: ProvisioningJob) -> dict[str, int]:
    """How many writing actions were planned, and what became of them; reports are counted apart."""
    return counts_by_job([job])[job.pk]


def counts_by_job(jobs: Sequence[ProvisioningJob]) -> dict[int, dict[str, int]]:
    """The counts of many jobs, in one query."""
    states: dict[int, Counter[str]] = {job.pk: Counter() for job in jobs}
    reports: Counter[int] = Counter()
    asked = [job for job in jobs if not job.has_no_lines]
    groups = (
        Action.objects.filter(job__in=asked, proposed=False).order_by().values_list("job_id", "kind", "state")
    )
    for job_id, kind, state, number in groups.annotate(number=Count("pk")):
        if kind == actions.Kind.REPORT:
            reports[job_id] += number
        else:
            states[job_id][state] += number
    outcomes = [state for state in Action.State if state != Action.State.PLANNED]
    return {
        job_id: {
            "planned": counted.total(),
            **{str(state): counted[state] for state in outcomes},
            "reported": reports[job_id],
        }
        for job_id, counted in states.items()
    }


ENDINGS = ("cancelled", "expired", "superseded", "not_approved")
"""Codes of actions that were skipped because their job was ended before them."""


def counted(job: ProvisioningJob) -> list[Counted]:
    """The whole plan in numbers, for sentences about it: as it was made, where that was kept."""
    made = outlook.counted(job.outlook)
    if made is not None:
        return made
    alike = ("kind", "situation", "state", "error__code", "proposed")
    rows = job.actions.order_by().values_list(*alike).annotate(number=Count("pk"))
    return [
        Counted(kind, situation, state, reason or "", proposed, number)
        for kind, situation, state, reason, proposed, number in rows
    ]


def what_was_done(job: ProvisioningJob) -> str:
    """How far a job came that was stopped, in a sentence."""
    if job.preview:
        return _("It was a preview: nothing was changed.")
    if job.planned_at is None:
        return _("No plan had been made yet: nothing was changed.")
    counted = counts(job)
    if not counted["planned"]:
        return _("There was nothing to do.")
    skipped = job.actions.filter(state=Action.State.SKIPPED, error__code__in=ENDINGS).count()
    return wording.left_off(
        planned=counted["planned"], done=counted["done"], skipped=skipped, under_way=counted["started"]
    )


def digest_of(job: ProvisioningJob) -> str:
    """The digest of the plan as it is stored now; it must be the one that was approved."""
    return str(sealing.plan(job)["digest"])


def is_altered(job: ProvisioningJob) -> bool:
    """Whether a stored line is not as it was when it was decided."""
    sweep = sealing.sweep(job)["digest"]
    swept = job.swept["digest"] if job.swept else sweep
    return (digest_of(job), sweep) != (job.digest, swept)


def taken_recently(job: ProvisioningJob, *, now: datetime) -> frozenset[str]:
    """Accounts that lost something in the rolling window, or may have, without anybody's approval; and those
    that are about to, by a plan that another job carries out.
    """
    unasked = Action.objects.filter(job__integration=job.integration_id, job__approved_at=None)
    took = unasked.filter(started_at__gte=now - ROLLING_WINDOW).that_took()
    takes = unasked.filter(
        job__in=job.integration.jobs.live().filter(preview=False).exclude(pk=job.pk),
        state=Action.State.PLANNED,
        taking=True,
        proposed=False,
    )
    return frozenset(
        loser
        for rows in (took, takes)
        for account, email, holder, members in rows.values_list("account_id", "email", "holder", "members")
        for loser in (members if holder else [account or email])
    )


def left_with_groups(integration: Integration) -> dict[str, frozenset[str]]:
    """What groups held by the last that was done about each: ids of entitlements, by the id of the group."""
    done = Action.objects.of_groups().filter(job__integration=integration, state=Action.State.DONE)
    held: dict[str, set[str]] = {}
    about = done.order_by("pk").values_list("holder__id", "entitlement__id", "kind")
    for group_id, entitlement_id, kind in about:
        of_group = held.setdefault(group_id, set())
        (of_group.add if kind == actions.Kind.GRANT else of_group.discard)(entitlement_id)
    return {group_id: frozenset(ids) for group_id, ids in held.items()}


def renewals_put_off(integration: Integration, *, now: datetime) -> dict[int, str]:
    """Whose lapsed invite is not renewed now, by person id, and why. Nobody is written to for ever."""
    return _put_off(_invites_sent(now).filter(job__integration=integration), "person", now)


def renewals_put_off_of(person: Person, *, now: datetime) -> dict[int, str]:
    """The same of one person, by the id of each integration."""
    return _put_off(_invites_sent(now).filter(person=person), "job__integration", now)


def _invites_sent(now: datetime) -> QuerySet[Action]:
    return Action.objects.filter(
        kind=actions.Kind.INVITE,
        state=Action.State.DONE,
        person__isnull=False,
        finished_at__gte=now - RENEWALS_OF,
    )


def _put_off(sent: QuerySet[Action], by: str, now: datetime) -> dict[int, str]:
    renewed = Count("pk", filter=Q(situation=actions.Situation.INVITE_EXPIRED))
    grouped = sent.order_by().values_list(by).annotate(renewed=renewed, last=Max("finished_at"))
    found = {}
    for key, renewals, last in grouped:
        if renewals >= MOST_RENEWALS:
            found[key] = (
                f"It was renewed {renewals} times in {RENEWALS_OF.days} days and never accepted. A sync of "
                "this person alone sends one more."
            )
        elif now - last < RENEWED_AFTER:
            found[key] = "The last invite was sent within a day; the next follows after one."
    return found


def creations_of_late(integration: Integration, *, now: datetime) -> QuerySet[Action]:
    """What jobs have begun to make within a day."""
    made = Action.objects.filter(job__integration=integration, kind=actions.Kind.CREATE)
    return made.filter(started_at__gte=now - MADE_AGAIN_AFTER).order_by("started_at")


def creations_put_off(
    integration: Integration,
    names: Mapping[tuple[str, str], str],
    *,
    read_since: datetime,
    now: datetime,
) -> dict[tuple[str, str], str]:
    """What is not made now, by kind and name without case, and why: it was tried within a day. That is often
    enough for what cannot be made, and what is listed late is not made twice. Nor is what has another name.

    `names`: of what was read, by kind and id. `read_since`: what was made after that may be there, unseen.
    """
    found = _named_otherwise(integration, names)
    for row in creations_of_late(integration, now=now):
        held = row.entitlement or {}
        name = (held["kind"], held["name"].casefold())
        if row.state == Action.State.FAILED:
            found[name] = _not_made(row, held)
        elif row.state == Action.State.DONE and (row.finished_at or now) >= read_since:
            found.pop(name, None)
        elif row.state == Action.State.DONE and name not in found:
            found[name] = (
                f"Job {row.job_id} has made the {held['kind']} {held['name']!r}, and it is not there. It is "
                "made again after a day."
            )
    return found


def _named_otherwise(
    integration: Integration, names: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    made = Action.objects.filter(
        job__integration=integration, kind=actions.Kind.CREATE, state=Action.State.DONE
    )
    found = {}
    for row in made.filter(new_account_id__isnull=False).order_by("pk"):
        held = row.entitlement or {}
        called = names.get((held["kind"], row.new_account_id or ""))
        if called is not None:
            found[held["kind"], held["name"].casefold()] = (
                f"The {held['kind']} {held['name']!r}, which job {row.job_id} has made, is named {called!r}. "
                "Write that into the rule."
            )
    return found


def _not_made(row: Action, held: Mapping[str, str]) -> str:
    error = (row.error or {}).get("detail", "")
    return (
        f"The {held['kind']} {held['name']!r} could not be made, which is tried again after a day. {error}"
    ).strip()


def has_made_something(job: ProvisioningJob) -> bool:
    """Whether a read has shown something that the job made, and that can only be given by the next."""
    return job.lines.filter(kind=actions.Kind.CREATE, confirmed_at__isnull=False).exists()


NOT_YET = ("rate_limited", "unreachable", "outcome_unknown", "stopped", "not_confirmed")
"""Codes of actions that a later job may carry out. What the remote rejects, it rejects again."""


def people_not_served_yet(job: ProvisioningJob) -> list[int]:
    lacking = (
        job.actions.writing()
        .filter(person__isnull=False)
        .filter(Q(error__code__in=NOT_YET) | Q(state=Action.State.STALE))
    )
    return list(lacking.order_by().values_list("person_id", flat=True).distinct())


def is_first_applying(integration: Integration) -> bool:
    """Whether no full job in mode `manage` has yet been carried out to its end, with all that it held."""
    return not carried_out().filter(integration=integration).exists()


def carried_out() -> ProvisioningJobQuerySet:
    """Full jobs in mode `manage` that were carried out to their end, with all that they held."""
    ended = (ProvisioningJob.State.SUCCEEDED, ProvisioningJob.State.PARTIAL)
    full = (
        ProvisioningJob.objects.all().syncs().filter(mode=Integration.Mode.MANAGE, applied_at__isnull=False)
    )
    return full.filter(state__in=ended).filter(Q(holds=[]) | Q(approved_at__isnull=False))


def sources_before(integration: Integration) -> dict[str, int]:
    """Active people by source at the last sync not refused, under the names that the sources have now.

    The most in the hour up to that sync: a SCIM client names its leavers one by one, staff deactivate them
    so, and pulls and files may each take a share that is small enough. Counts from before a drop was accepted
    are left out.
    """
    planned = integration.jobs.syncs().filter(planned_at__isnull=False, refusal__isnull=True)
    last = planned.order_by("-planned_at").values_list("planned_at", flat=True).first()
    if last is None:
        return {}
    present = Source.objects.in_bulk()
    before: dict[str, int] = {}
    lately = planned.filter(planned_at__gte=last - BIT_BY_BIT)
    for planned_at, directory in lately.values_list("planned_at", "directory"):
        ids = directory.get("source_ids", {})
        for name, active in directory.get("sources", {}).items():
            source = present.get(ids.get(name))
            accepted = (
                source and source.drop_allowed_at and planned_at and source.drop_allowed_at >= planned_at
            )
            if not accepted:
                known_as = source.name if source else name
                before[known_as] = max(active, before.get(known_as, 0))
    return before


def reads_before(job: ProvisioningJob) -> list[dict[str, Any]]:
    """The last complete reads before this job's, of previews as well: they read the same."""
    complete = job.integration.jobs.complete_reads().filter(pk__lt=job.pk)
    return list(complete.order_by("-pk").values_list("read", flat=True)[:READS_COMPARED])


def was_read(integration: Integration) -> bool:
    """Whether everything was read, at least once."""
    return bool(integration.jobs.complete_reads().exists())


def last_complete_read(integration: Integration, **among: Any) -> ProvisioningJob | None:
    return integration.jobs.complete_reads().filter(**among).order_by("-pk").first()


def items_of_last_read(integration: Integration) -> dict[str, int]:
    """How many there were in each listing, by its name; of those that are read for many places, in all."""
    last = last_complete_read(integration)
    found: Counter[str] = Counter()
    for listing in last.read.get("listings", []) if last else []:
        found[listing["name"]] += listing["items"]
    return dict(found)


def calls_of_last_read(integration: Integration) -> int | None:
    """How many it took to read everything; None before it was read at all."""
    last = last_complete_read(integration)
    return last.read.get("calls") if last else None


def held_before(job: ProvisioningJob) -> set[tuple[str, str]]:
    """The entitlements whose holders the last complete read has asked for."""
    last = next(iter(reads_before(job)), {})
    return {(kind, id) for kind, id in last.get("held", [])}


def left_unanswered(integration: Integration) -> list[ProvisioningJob]:
    """Cancelled jobs of which it is not known yet what the last call did."""
    open_ = Action.objects.answerless().filter(job__integration=integration)
    cancelled = integration.jobs.filter(state=ProvisioningJob.State.CANCELLED)
    return list(cancelled.filter(pk__in=open_.values("job")).order_by("pk"))


def plans_awaiting_approval(integration: Integration) -> list[ProvisioningJob]:
    waiting = integration.jobs.filter(state=ProvisioningJob.State.AWAITING_APPROVAL)
    return list(waiting.select_related("integration").order_by("pk"))
