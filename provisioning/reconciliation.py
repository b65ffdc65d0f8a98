"""The whole story of a job: claim, read, match, plan, check, apply, verify, sweep, corroborate, finish."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import Any

from django.db import OperationalError, connection
from django.utils import timezone

from cakewalk import collecting, stopping
from cakewalk.encryption import DecryptionError
from cakewalk.health import counting
from cakewalk.ledger.actors import acting
from cakewalk.ledger.recording import together
from cakewalk.logs.context import around
from directory.models import snapshot_of, take_snapshot
from directory.snapshot import Directory
from integrations.connectors.base import (
    Connector,
    ConnectorError,
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    RemoteUnreachable,
)
from integrations.models import CredentialMissing, Integration
from provisioning import (
    accounts,
    applying,
    close_look,
    concerning,
    corroborating,
    drafting,
    history,
    inventory,
    keys,
    old_state,
    quarantine,
    remembering,
    superseding,
    sweeping,
    telling,
)
from provisioning.differences import as_json, differences
from provisioning.group_planning import GroupRule
from provisioning.matching import match
from provisioning.models import Action, JobLost, Mark, PersonChange, ProvisioningJob
from provisioning.moments import one_moment
from provisioning.outlook import look_ahead
from provisioning.policy import Rule
from provisioning.reading import Reading, read
from provisioning.recollecting import reasons_of
from provisioning.recovering import worker_name
from provisioning.remembering import Finding, Stored
from provisioning.restoring import as_rule, group_losses, losses
from provisioning.reviews import revoking
from provisioning.reviews.carrying_out import except_from_rules, revocations
from provisioning.safety import Code, Verdict, assess, vanished_in_numbers
from provisioning.storing import store

log = logging.getLogger(__name__)

RENEW_EVERY = 2.0
"""Seconds between two renewals of the lease, however many pages are read in between."""

LOOKS = 3
"""How often the organization is read before rules that keep changing end the job."""

State = ProvisioningJob.State


class DatabaseLost(OperationalError):
    """The connection broke in mid-job, which says nothing of how the job went. `job` is still held here."""

    def __init__(self, job: ProvisioningJob) -> None:
        super().__init__(f"{job} lost the database.")
        self.job = job


def run(job_id: int, say: Callable[[str], None] = lambda _: None) -> None:
    """Carry a queued job to its end, saying how far it is. Does nothing when another worker has it."""
    job = ProvisioningJob.objects.select_related("integration").get(pk=job_id)
    with acting(telling.asker(job)), around(job=job.pk, integration=job.integration.name):
        if job.claim(holder=worker_name(), now=timezone.now()):
            try:
                _work(job, say)
            finally:
                counting.add_up()


def _work(job: ProvisioningJob, say: Callable[[str], None]) -> None:
    line = connection.connection
    try:
        _carry_out(job, KeepAlive(job, say))
    except JobLost:
        log.info("%s was cancelled or taken over.", job)
    except (ReadIncomplete, RemoteUnreachable, RateLimited) as error:
        refusal = {"code": str(Code.READ_INCOMPLETE), "detail": str(error)}
        _end(job, State.INCONCLUSIVE, refusal=refusal)
    except (ConnectorError, CredentialMissing, DecryptionError) as error:
        _end(job, State.FAILED, error=_failure(error))
    except Exception as error:
        if _is_lost(line):
            log.warning("%s lost the database; it is given back when that answers again.", job)
            raise DatabaseLost(job) from error
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("%s failed.", job)
        _end(job, State.FAILED, error=_failure(error))
    except BaseException:
        # Ctrl-C or a shutdown: the next worker goes on at once, without waiting for the lease to run out.
        job.give_back()
        raise


def _is_lost(line: object) -> bool:
    """Whether this connection to the database is no more. Django may have made another one already; what was
    under way is lost all the same, and says nothing of how the job went.
    """
    return connection.connection is not line or not connection.is_usable()


def _end(job: ProvisioningJob, state: str, **outcome: Any) -> None:
    """End the job; what its end says about the integration decides when the next one comes."""
    code = (outcome.get("error") or {}).get("code")
    seen_at = timezone.now()
    rejected = code == "credential_rejected" and quarantine.is_rejected(job)
    with together():
        if job.finish(state, now=timezone.now(), **outcome):
            # People first: who asks for jobs about them locks them before the integration, too.
            _try_people_again(job)
            quarantine.learn(job, rejected_at=seen_at if rejected else None, now=timezone.now())
            _go_on_with_what_was_made(job)


def _go_on_with_what_was_made(job: ProvisioningJob) -> None:
    """Only a new plan can give it to anybody, so the next sync comes at once."""
    if job.applied_at and history.has_made_something(job):
        Integration.objects.get(pk=job.integration_id).await_change(now=timezone.now())


def _try_people_again(job: ProvisioningJob) -> None:
    """Those for whom a job that started by itself came to nothing, though a later one may do better."""
    if job.about_everyone or job.trigger != ProvisioningJob.Trigger.DIRECTORY:
        return
    if job.state in (State.FAILED, State.INCONCLUSIVE):
        PersonChange.objects.try_again(job, None, now=timezone.now())
    elif job.state == State.PARTIAL:
        PersonChange.objects.try_again(job, history.people_not_served_yet(job), now=timezone.now())


def _failure(error: Exception) -> dict[str, str]:
    match error:
        case CredentialRejected():
            return {"code": "credential_rejected", "detail": str(error)}
        case PermissionMissing():
            return {"code": "permission_missing", "detail": str(error)}
        case CredentialMissing():
            return {"code": "credential_missing", "detail": str(error)}
        case DecryptionError():
            return {"code": "credential_unreadable", "detail": str(error)}
        case _:
            return {
                "code": "internal",
                "detail": f"An error in Cakewalk itself: {type(error).__name__}. The worker's log has more.",
            }


def _carry_out(job: ProvisioningJob, keep_alive: "KeepAlive") -> None:
    integration = job.integration
    if older := old_state.newest_gap():
        _end(job, State.REFUSED, refusal=older.refusal())
        return
    if not integration.enabled:
        reason = f"{integration.name} was disabled before the job began."
        _end(job, State.FAILED, error={"code": "not_enabled", "detail": reason})
        return
    others_ahead = job.others_ahead if job.about_everyone else None
    connector = integration.connector(keep_alive, others_ahead, use=f"Job {job.pk}")
    resumed = job.planned_at is not None
    if not resumed:
        with collecting.seldom():
            make_plan(job, connector, keep_alive)
    if job.refusal or job.preview:
        _end(job, State.REFUSED if job.refusal else State.SUCCEEDED)
        return
    if resumed and history.is_altered(job):
        altered = {"code": "plan_altered", "detail": "The stored plan is not the one that was made."}
        _end(job, State.FAILED, error=altered)
        return
    if resumed and job.has_expired(now=timezone.now()):
        _leave_undone(job, connector, keep_alive)
        return
    job.applied_at = job.applied_at or timezone.now()
    job.enter("applying", now=timezone.now(), applied_at=job.applied_at)
    trouble = applying.apply(job, connector, keep_alive, resumed=resumed)
    job.turn_to("verifying", now=timezone.now())
    unseen = applying.verify(job, connector, keep_alive)
    trouble = trouble or unseen
    if not (trouble or _others_wait(job)):
        trouble = _follow_up(job, connector, keep_alive)
    _end(job, _outcome(job, trouble), error=trouble)


def _follow_up(job: ProvisioningJob, connector: Connector, keep_alive: "KeepAlive") -> dict[str, str] | None:
    """What a later job does as well, when this one does not come to it."""
    job.turn_to("sweeping", now=timezone.now())
    trouble = sweeping.sweep(job, connector, keep_alive)
    if not trouble:
        job.turn_to("corroborating", now=timezone.now())
        corroborating.corroborate(job, connector, keep_alive)
        keys.look(job, connector, keep_alive)
    return trouble


def _others_wait(job: ProvisioningJob) -> bool:
    """What a leaver has left behind can wait; a leaver cannot."""
    waiting = PersonChange.objects.due(timezone.now()).filter(integration=job.integration_id)
    return not job.about_everyone and waiting.exists()


def _leave_undone(job: ProvisioningJob, connector: Connector, keep_alive: "KeepAlive") -> None:
    """Nobody carried the plan out for too long. What was sent before is still looked for."""
    job.enter("verifying", now=timezone.now())
    applying.verify(job, connector, keep_alive)
    expiry = job.expiry()
    _end(job, State.CANCELLED, error=expiry, cancel_reason=expiry["detail"])


class KeepAlive:
    """Called at every page and every action: renews the lease, and stops a job that is ours no longer, or
    that is to be handed over.
    """

    def __init__(self, job: ProvisioningJob, say: Callable[[str], None]) -> None:
        self._job = job
        self._say = say
        self._renewed = 0.0

    def __call__(self, progress: str) -> None:
        if time.monotonic() - self._renewed >= RENEW_EVERY:
            self.now(progress)

    def now(self, progress: str) -> None:
        stopping.check()
        self._say(progress)
        if not self._job.renew_lease(progress=progress, now=timezone.now()):
            raise JobLost
        self._renewed = time.monotonic()
        counting.add_up(after=counting.EVERY)


def make_plan(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> None:
    """Read everything, decide everything, and write the plan down before anything is done."""
    integration = job.integration
    today = timezone.localdate()
    job.enter("reading", now=timezone.now())
    lost = losses(job.restores.actions.that_took().order_by("seq")) if job.restores else []
    revoked = revocations(job.reviews) if job.reviews else []
    people = None if job.about_everyone else _whom(job)
    rules, reading, directory = (_look_closely(job, connector, people) if people else None) or _look(
        job, connector, also=[as_rule(lost), revoking.as_rule(revoked)], group_rules=_group_rules(job)
    )

    job.enter("planning", now=timezone.now())
    stored = remembering.stored(integration, reading.accounts, reading.ids_if_some)
    matches = match(directory.people, reading.accounts, stored.links, reading.acceptances)
    marks = Mark.objects.filter(integration=integration).in_force(today)
    ground = drafting.ground(
        integration,
        rules,
        reading,
        marks,
        connector.vocabulary,
        insist=not job.about_everyone and job.trigger == ProvisioningJob.Trigger.MANUAL,
        left=stored.left,
        now=timezone.now(),
    )
    planner, with_proposed = drafting.planners(ground, rules)
    plan = drafting.draft(planner, with_proposed, matches, people)
    if job.restores_id:
        plan = drafting.draft_restore(plan, planner.policy, lost, reading, directory, job=job.restores_id)
    elif job.reviews:
        plan = drafting.draft_review(plan, planner.policy, revoked, reading, matches, review=job.reviews.name)
    reasons = reasons_of(plan, planner, with_proposed, directory, today=today)

    job.turn_to("checking", now=timezone.now())
    owners = drafting.owner_ids(integration, reading, connector.vocabulary)
    credential_owner = drafting.credential_owner(integration, connector, asked=plan.takes)
    limits = drafting.limits(integration, job.planned_mode())
    with together():
        # From here on the integration's other job waits: what this plan takes counts for the limits of that.
        Integration.objects.lock(integration.pk)
        outdated = accounts.changed_since(integration, reading.began_at)
        reading = reading.not_missing(outdated)
        facts = drafting.facts(
            job,
            directory,
            reading,
            marks,
            owners,
            credential_owner,
            now=timezone.now(),
        )
        verdict = assess(plan.decided, facts, limits)
        in_numbers = plan.writes and vanished_in_numbers(facts, limits)
        keep_alive.now("Storing the plan")
        missed = () if _gets_used_to_absences(job, verdict) and not in_numbers else reading.vanished
        findings = remembering.changed(stored, matches, plan.to_change, outdated)
        changes = _changes(job, reading, stored, findings, outdated)
        _remember(job, reading, stored, findings, missed=missed, outdated=outdated)
        job.outlook = look_ahead(
            [(action, decided) for (action, _), decided in zip(plan.decided, verdict.decisions, strict=True)],
            facts.accounts,
            owners,
            connector.vocabulary.owner_role,
        )
        store(job, plan, verdict, reading, changes, directory, reasons)
        if job.reviews:
            except_from_rules(job, planner.policy, directory)
        if not job.preview:
            superseding.settle_with_earlier_plans(job)


def _whom(job: ProvisioningJob) -> frozenset[int]:
    return frozenset(job.changes.values_list("person_id", flat=True))


def _changes(
    job: ProvisioningJob,
    reading: Reading,
    stored: Stored,
    findings: Sequence[Finding],
    outdated: Collection[str],
) -> dict[str, Any]:
    """What others have changed since the last read. `outdated`: accounts of which we know better, since we
    have changed them during this one.
    """
    was = chain(stored.unlike.values(), stored.unseen.values())
    now = {*stored.unlike, *stored.fresh}
    found = differences(
        [account for account in was if account.id not in outdated],
        [finding.account for finding in findings if finding.account.id in now],
        comparable=history.held_before(job) & set(reading.held),
        names=reading.names,
    )
    return as_json(found if stored.are_known else [])


def _remember(
    job: ProvisioningJob,
    reading: Reading,
    stored: Stored,
    findings: Sequence[Finding],
    *,
    missed: Sequence[str],
    outdated: frozenset[str],
) -> None:
    """Keep what was read, for the next job and for people."""
    now = timezone.now()
    missing = stored.unseen.keys() - outdated
    remembering.remember(job.integration, findings, missing=missing, missed=missed, now=now)
    seen = {account.id for account in reading.accounts} - outdated
    remembering.note_seen(job.integration, seen, whole=reading.whole, now=now)
    if reading.whole:
        inventory.remember(job.integration, reading, now=now)


def _gets_used_to_absences(job: ProvisioningJob, verdict: Verdict) -> bool:
    """Whether accounts that are missing now may be so for the next read too, a few of them at a time."""
    return job.about_everyone and job.follows_rules and not (job.preview or verdict.refusal)


def _group_rules(job: ProvisioningJob) -> Callable[[], Sequence[GroupRule]]:
    """What tells of groups: the rules, or what is to be given back to some. A job about people has none."""
    if job.restores:
        lost = group_losses(job.restores.actions.that_took().of_groups().order_by("seq"))
        return lambda: lost
    if not job.about_everyone:
        return lambda: ()
    return lambda: job.integration.group_rules.planned().as_values()


Look = tuple[Sequence[Rule], Reading, Directory]


def _look_closely(job: ProvisioningJob, connector: Connector, people: frozenset[int]) -> Look | None:
    """At the people of a job that started by itself, when all of them are leavers beyond doubt."""
    vocabulary = connector.vocabulary

    def leavers() -> close_look.Rows:
        return close_look.clear_leavers(job.integration, people, vocabulary, now=timezone.now())

    rows = leavers()
    if job.trigger != ProvisioningJob.Trigger.DIRECTORY or rows.keys() != people:
        return None
    reading = close_look.look_closely(job.integration, rows, connector)
    with one_moment():
        if reading is None or leavers() != rows:
            return None
        job.integration.refresh_from_db()
        rules = job.integration.rules.planned().as_values()
        return rules, reading, snapshot_of(people, timezone.now())


def _look(
    job: ProvisioningJob,
    connector: Connector,
    *,
    also: Sequence[Rule],
    group_rules: Callable[[], Sequence[GroupRule]],
) -> Look:
    """The remote, which takes a while, and then at one moment the directory, the rules and the settings.
    `also`: what is to be read beside what the rules name.

    Read again when the rules have changed meanwhile: people in a new group, judged by rules that do not know
    it yet, would look like leavers.
    """
    integration = job.integration
    known = accounts.known_members(integration), accounts.known_invites(integration)
    for _ in range(LOOKS):
        rules, of_groups = integration.rules.planned().as_values(), group_rules()
        reading = read(connector, [*rules, *also], *known, of_groups)
        with one_moment():
            if (integration.rules.planned().as_values(), group_rules()) == (rules, of_groups):
                integration.refresh_from_db()
                return rules, reading, _directory(job, rules, reading)
    raise ReadIncomplete(f"The access rules changed {LOOKS} times while the organization was read.")


def _directory(job: ProvisioningJob, rules: Sequence[Rule], reading: Reading) -> Directory:
    """As far as the plan can be about it. What people have decided may be about anybody."""
    people = None
    if job.about_everyone and job.follows_rules:
        addresses = {account.email for account in reading.accounts if account.email}
        addresses |= {accepted.email for accepted in reading.acceptances}
        people = concerning.people_of(job.integration, rules, addresses)
    return take_snapshot(timezone.now()) if people is None else snapshot_of(people, timezone.now())


def _outcome(job: ProvisioningJob, trouble: dict[str, str] | None) -> str:
    counted = history.counts(job)
    if trouble and trouble["code"] == "credential_rejected" and not counted["done"]:
        return State.FAILED
    if counted["held"]:
        return State.AWAITING_APPROVAL
    wrong = bool(trouble or counted["failed"] or counted["started"])
    if wrong and not counted["done"]:
        return State.FAILED
    unconfirmed = job.lines.filter(state=Action.State.DONE, confirmed_at=None).writing().exists()
    lacking = wrong or counted["refused"] or counted["stale"] or unconfirmed
    return State.PARTIAL if lacking else State.SUCCEEDED
