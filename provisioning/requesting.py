"""Ask for jobs, approve, reject and cancel them. Pages, commands and the clock all come through here."""

import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from celery import Task
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from cakewalk.ledger import actors
from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.recording import together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.words import called
from directory.models import Person
from directory.time_zones import today
from integrations import permitting
from integrations.catalog import connector_class
from integrations.models import Credential, Integration
from provisioning import accounts, close_look, concerning, history, recovering, tasks, telling
from provisioning.models import Action, Mark, PersonChange, ProvisioningJob

log = logging.getLogger(__name__)

LONGEST_REASON = 500

LEAVERS_AT_ONCE = 50
"""That somebody is gone is seen at the end of their job, so that it must not be long."""

FEW_CALLS = 60
"""An organization that is read in so many is read for some people alone."""

MOST_WAITING = 250
"""Syncs that are due beyond these are asked for when some of these have begun: whatever else there is to do
for a worker waits behind them.
"""

MOST_ONE_BY_ONE = 1000
"""A change of more people at once is left to a sync of everyone, which costs no more than looking at each."""


class Refused(Exception):
    """What was asked cannot be done; the message says why, in a sentence."""


class NotEnabled(Refused):
    """The integration is not enabled, so nothing may be read or changed through it."""


class AlreadyRunning(Refused):
    """The integration has a live job already: `job`."""

    def __init__(self, job: ProvisioningJob | None) -> None:
        self.job = job
        said = _("%(job)s is already %(state)s.") if job else _("A job is running.")
        super().__init__(said % {"job": job, "state": called(job.state_word) if job else ""})


def request_job(
    integration: Integration,
    *,
    preview: bool = False,
    trigger: str = ProvisioningJob.Trigger.MANUAL,
    by: User | None = None,
    people: Collection[Person] = (),
    restores: ProvisioningJob | None = None,
    reason: str = "",
    deliver: bool = True,
) -> ProvisioningJob:
    """Queue a job about everyone, or about these people; with `deliver` a worker is woken on commit.

    Raises NotEnabled or AlreadyRunning.
    """
    asked = {"preview": preview, "trigger": trigger, "requested_by": by, "request_reason": reason}
    job = _request(integration, people, restores=restores, **asked)
    if deliver:
        wake(tasks.task_of(job), job_id=job.pk)
    return job


def request_preview_of(mode: str, integration: Integration, *, by: User) -> ProvisioningJob:
    """Queue a preview of what another mode would do. Raises NotEnabled or AlreadyRunning."""
    why = f"What mode {mode} would do."
    job = _request(integration, (), preview=True, mode=mode, requested_by=by, request_reason=why)
    wake(tasks.task_of(job), job_id=job.pk)
    return job


def _request(integration: Integration, people: Collection[Person], **asked: Any) -> ProvisioningJob:
    if not integration.enabled:
        raise NotEnabled(_not_enabled(integration))
    scope, now = ProvisioningJob.Scope.PEOPLE if people else ProvisioningJob.Scope.EVERYONE, timezone.now()
    with together():
        job = _queue(integration, scope, **asked)
        job.changes.bulk_create(
            PersonChange(integration=integration, person=person, job=job, known_at=now) for person in people
        )
        telling.requested(job, people=[person.email for person in people], by=_asking(job))
    return job


DIRECTORY = Actor(Kind.SOURCE, "Directory")
"""Who asks when the rules or the groups have changed, or people that no source told of."""


def _asking(job: ProvisioningJob) -> Actor:
    """Whoever presses the button or runs the command; by itself, what the trigger is."""
    if job.requested_by:
        return actors.person(job.requested_by)
    return DIRECTORY if job.trigger == ProvisioningJob.Trigger.DIRECTORY else actors.current()


def _queue(integration: Integration, scope: str, **asked: Any) -> ProvisioningJob:
    """The database has the last word; it is asked first so that no job's number is used up for nothing."""
    if live := integration.jobs.live().filter(scope=scope).first():
        raise AlreadyRunning(live)
    try:
        with transaction.atomic():
            return ProvisioningJob.objects.create(
                integration=integration, scope=scope, requested_at=timezone.now(), **asked
            )
    except IntegrityError as error:
        raise AlreadyRunning(integration.jobs.live().filter(scope=scope).first()) from error


def request_restore(
    job: ProvisioningJob, *, by: User, reason: str, keep_until: date | None = None, deliver: bool = True
) -> ProvisioningJob:
    """Queue a job that gives back what `job` took, to whoever lacks it still. All of it awaits an approver.

    `keep_until`: the last day on which syncs leave these accounts alone; without it the next sync takes again
    what no rule gives. Raises Refused, with nothing changed.
    """
    _may_restore(job, by, reason, keep_until)
    taken = job.actions.that_took()
    emails = {action.email for action in taken if action.email}
    if not emails and not taken.of_groups().exists():
        raise Refused(
            _("%(job)s took nothing from anybody, so there is nothing to give back.") % {"job": job}
        )
    why = reason.strip()
    with together():
        restore = request_job(job.integration, by=by, restores=job, reason=why, deliver=deliver)
        if keep_until:
            said = f"Restored from Job {job.pk}: {why}"[:LONGEST_REASON]
            Mark.objects.ignore(job.integration, emails, reason=said, until=keep_until, by=by)
    return restore


def _may_restore(job: ProvisioningJob, by: User, reason: str, keep_until: date | None) -> None:
    if not by.is_active or not by.has_perm("provisioning.run_job", job):
        raise Refused(_("%(user)s may not restore.") % {"user": by.get_username()})
    if keep_until and not by.has_perm("provisioning.add_mark", job):
        raise Refused(_("%(user)s may not keep accounts out of syncs.") % {"user": by.get_username()})
    _check_day(keep_until)
    _check_reason(reason, needed=_("A restore needs a reason."))
    if job.state in ProvisioningJob.LIVE:
        raise Refused(_("%(job)s is %(state)s. Wait for its end, or cancel it first.") % _told(job))


def _told(job: ProvisioningJob) -> dict[str, Any]:
    return {"job": job, "state": called(job.state_word)}


def _not_enabled(integration: Integration) -> str:
    said = _("%(integration)s is not enabled. Save & Enable it first.")
    return said % {"integration": integration.name}


def wake(task: Task, **ids: int) -> None:
    """Send a task on commit. The job's row is the truth: without a broker, the clock finds it later."""

    def send() -> None:
        try:
            task.delay(**ids)
        except OperationalError as error:
            log.warning("The broker does not answer (%s); the job waits for the clock.", type(error).__name__)

    transaction.on_commit(send)


def request_due_jobs(now: datetime) -> list[ProvisioningJob]:
    """Queue a job for each integration whose time has come, for those first that are due for longest. One
    with a live job stays due until it ends, and so do those for which too many wait already.
    """
    everyone = ProvisioningJob.objects.live().filter(scope=ProvisioningJob.Scope.EVERYONE)
    room = MOST_WAITING - everyone.filter(state=ProvisioningJob.State.QUEUED).count()
    due = Integration.objects.due(now).exclude(pk__in=everyone.values("integration"))
    jobs = []
    for integration in due.order_by("next_sync_at", "pk")[: max(room, 0)]:
        try:
            # Together, so that a job which fails at once has the last word on when the next one is due.
            with together():
                job = request_job(integration, trigger=integration.next_sync_trigger)
                integration.schedule_next_sync(now=now)
        except AlreadyRunning:
            continue
        jobs.append(job)
    return jobs


def end_expired_plans(now: datetime) -> None:
    """Plans that nobody approved in time wait no longer, so that the next one asks anew."""
    waiting = ProvisioningJob.objects.filter(state=ProvisioningJob.State.AWAITING_APPROVAL)
    for job in waiting.select_related("integration"):
        if job.has_expired(now=now):
            job.expire(now=now)


def people_changed(people: Collection[int]) -> None:
    """Let the integrations that this concerns look at these people, by their ids, as soon as the change is
    committed: to be called in its transaction. Very many are left to a sync of everyone.
    """
    if len(people) > MOST_ONE_BY_ONE:
        directory_changed()
        return
    concerned = concerning.integrations_by_people(people)
    for some, integrations in concerned.items():
        PersonChange.objects.note(integrations, some, now=timezone.now())
    if concerned:
        wake(tasks.start_people_jobs)


def request_people_jobs(now: datetime, *, of: int | None = None) -> list[ProvisioningJob]:
    """Queue a job for each integration where people wait, about those who have waited longest. Where one is
    live already, they wait for its end. `of`: this integration alone, by its id.
    """
    waiting = PersonChange.objects.due(now)
    if of is not None:
        waiting = waiting.filter(integration=of)
    live = ProvisioningJob.objects.live().filter(scope=ProvisioningJob.Scope.PEOPLE).values("integration")
    free = Integration.objects.enabled().filter(rejected_at=None).exclude(pk__in=live)
    jobs = []
    for integration in free.filter(pk__in=waiting.values("integration")):
        with suppress(AlreadyRunning), together():
            if chosen := _who_is_next(integration, now=now):
                job = _queue(
                    integration,
                    ProvisioningJob.Scope.PEOPLE,
                    trigger=ProvisioningJob.Trigger.DIRECTORY,
                )
                PersonChange.objects.filter(pk__in=chosen).update(job=job)
                _tell_of_people(job)
                wake(tasks.task_of(job), job_id=job.pk)
                jobs.append(job)
    return jobs


def _tell_of_people(job: ProvisioningJob) -> None:
    """Asked for by the sources that the people come from."""
    people = job.people.order_by("email").values_list("email", "source__name")
    sources = sorted({source for _, source in people if source})
    by = Actor(Kind.SOURCE, ", ".join(sources)) if sources else DIRECTORY
    telling.requested(job, people=[email for email, _ in people], by=by)


def _who_is_next(integration: Integration, *, now: datetime) -> list[int]:
    """Ids of changes. Leavers, who need no more than a look at their own accounts, before all others; and
    these only where it takes a moment to read everything. Elsewhere they are left to a sync of everyone.

    Who is given nothing and has nothing, as everybody whom an identity provider has written and put into no
    group yet, needs no job.
    """
    waiting = PersonChange.objects.longest_waiting(integration, now=now)
    vocabulary = connector_class(integration.kind).vocabulary
    leavers = close_look.clear_leavers(integration, waiting, vocabulary, now=now)
    _settle(waiting.pop(person) for person, held in leavers.items() if not held)
    if chosen := [waiting[person] for person in waiting if person in leavers]:
        return chosen[:LEAVERS_AT_ONCE]
    calls = history.calls_of_last_read(integration)
    if calls is not None and calls <= FEW_CALLS:
        return list(waiting.values())
    if waiting:
        _settle(waiting.values())
        integration.await_change(now=now)
        wake(tasks.start_due_syncs)
    return []


def _settle(changes: Iterable[int]) -> None:
    """Nobody waits any more with these."""
    PersonChange.objects.filter(pk__in=list(changes)).delete()


def directory_changed() -> None:
    """Let every enabled integration await a sync, and wake a worker when the change is committed."""
    for integration in Integration.objects.enabled():
        integration.await_change(now=timezone.now())
    wake(tasks.start_due_syncs)


def approve(
    job: ProvisioningJob,
    *,
    by: User,
    reason: str,
    digest: str | None = None,
    only: Collection[str] | None = None,
    deliver: bool = True,
) -> None:
    """Override what holds exactly this plan: everything, or `only` these codes.

    `digest`: the plan the approver looked at. The plan is queued when nothing holds it any more; until then
    nothing of what is held is done. Raises Refused, with nothing changed.
    """
    _may_approve(job, by, reason)
    if history.digest_of(job) != job.digest or (digest is not None and digest != job.digest):
        raise Refused(_("The plan of %(job)s is not the one that was shown; make a new one.") % {"job": job})
    try:
        with together(), acting(actors.person(by)):
            # What was read is settled before, as a worker that stores a plan does: the same order for both.
            Integration.objects.lock(job.integration_id)
            _override(job, by, reason.strip(), only, now=timezone.now())
    except IntegrityError as error:
        raise AlreadyRunning(job.integration.jobs.live().filter(scope=job.scope).first()) from error
    job.refresh_from_db()
    if deliver and job.state == ProvisioningJob.State.QUEUED:
        wake(tasks.task_of(job), job_id=job.pk)


def _override(
    job: ProvisioningJob, by: User, reason: str, only: Collection[str] | None, *, now: datetime
) -> None:
    """Add to what others have overridden meanwhile; the last one releases the plan."""
    current = ProvisioningJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if current.state != ProvisioningJob.State.AWAITING_APPROVAL:
        raise Refused(_("%(job)s no longer awaits approval.") % {"job": job})
    codes = [hold["code"] for hold in current.remaining_holds()]
    if only is not None:
        codes = _chosen(current, only)
    decided = {"by": by.get_username(), "at": now.isoformat(), "reason": reason}
    overrides = [{"code": code, **decided} for code in codes]
    current.overrides += overrides
    told = {
        "digest": current.digest,
        "overrides": overrides,
        "reason": reason,
        "approved_at": now,
        "by_user": telling.who(by),
        **({"alone": "asked for it, and is the only approver"} if by.pk == job.requested_by_id else {}),
    }
    if current.remaining_holds():
        current.save(update_fields=["overrides"])
        _tell_what_still_holds(current)
        telling.came_to(Verb.JOB_OVERRIDDEN, current, current.state, **told)
        return
    current.state = ProvisioningJob.State.QUEUED
    current.approved_by, current.approved_at, current.approval_reason = by, now, reason
    current.finished_at = None
    current.phases = current.phases_and("queued", now=now)
    approval = ("approved_by", "approved_at", "approval_reason")
    current.save(update_fields=["overrides", "state", "finished_at", "phases", *approval])
    current.actions.filter(state=Action.State.HELD).update(state=Action.State.PLANNED, error=None)
    accounts.accept_absences(current, now=now)
    telling.moved(Verb.JOB_APPROVED, current, ProvisioningJob.State.AWAITING_APPROVAL, **told)


def _chosen(job: ProvisioningJob, only: Collection[str]) -> list[str]:
    known = [hold["code"] for hold in job.holds]
    if not only:
        raise Refused(_("Choose what is to be overridden: %(codes)s.") % {"codes": ", ".join(known)})
    for code in only:
        if code not in known:
            said = _("'%(code)s' does not hold %(job)s. What does: %(codes)s.")
            raise Refused(said % {"code": code, "job": job, "codes": ", ".join(known)})
    before = {override["code"]: override for override in job.overrides}
    for code in only:
        if override := before.get(code):
            said = _("%(user)s has overridden %(code)s already.")
            raise Refused(said % {"user": override["by"], "code": code})
    return [code for code in known if code in only]


def _tell_what_still_holds(job: ProvisioningJob) -> None:
    """Each held action says what it still waits for, itself or with the rest of the plan."""
    remaining = {hold["code"]: hold for hold in job.remaining_holds()}
    with_the_rest = {
        "code": "awaiting_approval",
        "detail": "What held it is overridden; it waits with the rest of the plan.",
    }
    held = job.actions.filter(state=Action.State.HELD)
    for holds in list(held.order_by().values_list("holds", flat=True).distinct()):
        why = next((remaining[code] for code in holds if code in remaining), with_the_rest)
        held.filter(holds=holds).update(error=why)


def reject(job: ProvisioningJob, *, by: User, reason: str, keep_until: date | None = None) -> str:
    """Decide against what is held: it is not done. Returns what was done before, in a sentence.

    Whoever asked for the job may decide so too, as nothing is changed by it. `keep_until`: the last day on
    which syncs leave the held accounts alone; without it the next sync plans the same, and holds it again.
    Raises Refused, with nothing changed.
    """
    _check_waits(job)
    if not by.is_active or not by.has_perm("provisioning.approve_job", job):
        raise Refused(_("%(user)s may not reject.") % {"user": by.get_username()})
    _check_reason(reason, needed=_("A rejection needs a reason."))
    _check_day(keep_until)
    why = reason.strip()
    said = f"Rejected by {by.get_username()}: {why}"
    held = job.actions.filter(state=Action.State.HELD, holder__isnull=True).exclude(email="").order_by()
    now = timezone.now()
    with together(), acting(actors.person(by)):
        accounts_held = set(held.values_list("email", flat=True))
        decided = {"rejected_by": by, "rejected_at": now, "rejection_reason": why}
        not_done = {"code": "not_approved", "detail": said}
        if not job.ask_no_more(Verb.JOB_REJECTED, not_done, said=said[:LONGEST_REASON], now=now, **decided):
            raise Refused(_("%(job)s no longer awaits approval.") % {"job": job})
        if keep_until:
            noted = f"Rejected in Job {job.pk}: {why}"[:LONGEST_REASON]
            Mark.objects.ignore(job.integration, accounts_held, reason=noted, until=keep_until, by=by)
    job.refresh_from_db()
    return history.what_was_done(job)


def _check_day(keep_until: date | None) -> None:
    if keep_until and keep_until < today():
        raise Refused(_("%(day)s is over. Name a day that is still to come.") % {"day": keep_until})


def _check_waits(job: ProvisioningJob) -> None:
    if job.state != ProvisioningJob.State.AWAITING_APPROVAL:
        since = f" {job.cancel_reason}" if job.state == ProvisioningJob.State.CANCELLED else ""
        raise Refused(_("%(job)s is %(state)s and awaits no approval.") % _told(job) + since)


def _may_approve(job: ProvisioningJob, by: User, reason: str) -> None:
    _check_waits(job)
    if job.has_expired(now=timezone.now()):
        raise Refused(f"{job.expiry()['detail']} {_('Sync now makes a new one.')}")
    if not job.integration.enabled:
        raise NotEnabled(_not_enabled(job.integration))
    if not by.is_active or not by.has_perm("provisioning.approve_job", job):
        raise Refused(_("%(user)s may not approve.") % {"user": by.get_username()})
    _check_reason(reason, needed=_("An approval needs a reason."))
    if why := why_not_approved_by(by, job):
        raise Refused(why)


def why_not_approved_by(user: User, job: ProvisioningJob) -> str:
    """Why this approver must leave it to somebody else; empty where they need not."""
    named = {"user": user.get_username(), "job": job, "integration": job.integration}
    if user.pk == job.requested_by_id and not _may_be_alone(job, user):
        return _("%(user)s asked for %(job)s; another approver must approve it.") % named
    if not job.integration.separate_key_entry:
        return ""
    if user.has_perm("integrations.enter_credential", job.integration):
        said = _(
            "%(user)s may enter the key of %(integration)s, and so may not approve there: its settings keep "
            "the two apart."
        )
        return said % named
    if Credential.objects.filter(integration=job.integration, entered_by=user).exists():
        said = _(
            "%(user)s entered the key that %(integration)s works with, and its settings keep that apart from "
            "approvals: another approver must approve %(job)s."
        )
        return said % named
    return ""


def _may_be_alone(job: ProvisioningJob, user: User) -> bool:
    """Whether whoever asked for it may approve it."""
    unless_alone = job.integration.four_eyes == Integration.FourEyes.UNLESS_ALONE
    return unless_alone and not _other_approvers(job, user)


def _check_reason(reason: str, *, needed: str) -> None:
    if not reason.strip():
        raise Refused(needed)
    if len(reason) > LONGEST_REASON or "\0" in reason:
        said = _("A reason is a text of at most %(number)d characters.")
        raise Refused(said % {"number": LONGEST_REASON})


def _other_approvers(job: ProvisioningJob, by: User) -> bool:
    return permitting.holders("provisioning.approve_job", on=job).exclude(pk=by.pk).exists()


def release(job: ProvisioningJob, *, by: User, reason: str, deliver: bool = True) -> None:
    """Take a job from a worker that is silent or dead, and queue it again. Raises Refused.

    The clock does so by itself; this is for when it is not heard of either. Should the worker wake up, it
    finds that the job is no longer its own.
    """
    if not by.is_active or not by.has_perm("provisioning.run_job", job):
        raise Refused(_("%(user)s may not release jobs.") % {"user": by.get_username()})
    _check_reason(reason, needed=_("A release needs a reason."))
    if job.state != ProvisioningJob.State.RUNNING:
        raise Refused(_("%(job)s is %(state)s; no worker holds it.") % _told(job))
    now = timezone.now()
    worker = recovering.in_words(job.holder)
    if not recovering.is_abandoned(job, now=now):
        raise Refused(
            _(
                "%(job)s is at work: %(worker)s holds it until %(until)s, and renews that while it lives. "
                "Only a job whose worker is silent or dead is released; it can be cancelled."
            )
            % {"job": job, "worker": worker, "until": _moment(job.lease_expires_at)}
        )
    released = {
        "from": worker,
        "by": by.get_username(),
        "at": now.isoformat(),
        "reason": reason.strip(),
    }
    with acting(actors.person(by)):
        freed = job.requeue(Verb.JOB_RELEASED, reason.strip(), releases=[*job.releases, released])
    if not freed:
        raise Refused(_("%(job)s is no longer held as it was shown; look again.") % {"job": job})
    job.refresh_from_db()
    if deliver:
        wake(tasks.task_of(job), job_id=job.pk)


def _moment(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%H:%M:%S %Z}" if at else _("an unknown time")


def cancel(job: ProvisioningJob, *, by: User | None, reason: str) -> str:
    """Stop a job that has not ended. Returns what was done before, which stays done, in a sentence.

    A worker that has the job notices before its next call. Raises Refused.
    """
    if by and not (by.is_active and by.has_perm("provisioning.run_job", job)):
        raise Refused(_("%(user)s may not cancel jobs.") % {"user": by.get_username()})
    _check_reason(reason, needed=_("A cancellation needs a reason."))
    open_states = (*ProvisioningJob.LIVE, ProvisioningJob.State.AWAITING_APPROVAL)
    now = timezone.now()
    with together(), acting(actors.person(by)):
        this = ProvisioningJob.objects.select_for_update(no_key=True).filter(pk=job.pk)
        before = this.values_list("state", flat=True).get()
        taken = this.filter(state__in=open_states).update(
            state=ProvisioningJob.State.CANCELLED,
            cancelled_by=by,
            cancel_reason=reason.strip(),
            finished_at=now,
            phase="",
            progress="",
        )
        if taken:
            waiting = job.actions.filter(state__in=(Action.State.PLANNED, Action.State.HELD))
            cancelled = {"code": "cancelled", "detail": f"Cancelled: {reason.strip()}"}
            waiting.update(state=Action.State.SKIPPED, error=cancelled, finished_at=now)
            job.refresh_from_db()
            telling.came_to(Verb.JOB_CANCELLED, job, before, **job.decided())
    job.refresh_from_db()
    if not taken:
        ended = _("%(job)s has already ended: it is %(state)s.") % _told(job)
        raise Refused(f"{ended} {history.what_was_done(job)}")
    return history.what_was_done(job)
