"""The life of a review: opened, decided line by line, finished or cancelled, carried out by a job. What takes
longer the more lines there are is asked for here, and done by a worker: see `under_way`.
"""

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.ledger.actors import person
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.emails import email_key
from directory.models import PersonEmail
from directory.time_zones import today
from integrations import permitting
from provisioning import requesting, tasks
from provisioning.models import PersonChange, ProvisioningJob
from provisioning.requesting import Refused
from provisioning.reviews import tasks as own_tasks
from provisioning.reviews.models import LONGEST_REASON, Campaign, Exclusion, Item

log = logging.getLogger(__name__)

REVIEW = "reviews.review_access"

Decision = Item.Decision

NOT_OPEN = gettext_lazy("%(review)s is %(state)s: nothing is decided there.")
BUSY = gettext_lazy("%(review)s is %(state)s at this moment. Wait until that has ended.")


def open_review(campaign: Campaign, *, by: User) -> None:
    """Let a worker freeze what it lists, and ask the reviewers. Raises Refused, with nothing changed."""
    with together():
        current = _locked(campaign, Campaign.State.DRAFT, _("%(review)s is %(state)s already."))
        check_may_open(current)
        _ask(current, Campaign.State.OPENING, by=by)
    campaign.refresh_from_db()


def check_may_open(campaign: Campaign) -> None:
    """As far as can be seen without a look at the accounts. Raises Refused."""
    if campaign.due_on < today():
        raise Refused(_("%(day)s is over. Name a day that is still to come.") % {"day": campaign.due_on})
    _check_reviewers(campaign)


def _ask(campaign: Campaign, state: str, *, by: User, **with_: Any) -> None:
    campaign.ask(state, by=by, now=timezone.now(), **with_)
    record(Verb.REVIEW_ASKED, campaign, after={"state": state}, by=person(by))
    requesting.wake(own_tasks.go_on_with_review, campaign_id=campaign.pk)


def stop(campaign: Campaign, *, by: User) -> None:
    """What a worker was asked to do and has not done yet is not done. Raises Refused, and nothing changed."""
    with together():
        current = _current(campaign)
        if not current.is_under_way:
            raise Refused(_("%(review)s is %(state)s already.") % _told(current))
        facts = {"what": current.state, "outcome": "stopped"}
        current.give_up()
        record(Verb.REVIEW_STOPPED, current, after={"state": current.state}, facts=facts, by=person(by))
    campaign.refresh_from_db()


def _check_reviewers(campaign: Campaign) -> None:
    lines = campaign.assignments.select_related("reviewer")
    named = [campaign.default_reviewer, *(line.reviewer for line in lines if line.reviewer)]
    for user in named:
        if why := why_no_reviewer(user, campaign):
            raise Refused(why)


def why_no_reviewer(user: User, campaign: Campaign) -> str:
    """Without an address nobody can be reminded, nor kept from deciding about their own account."""
    if not (user.is_active and user.is_staff and user.has_perm(REVIEW, campaign)):
        return _("%(user)s may not review: give them the role Reviewer.") % {"user": user}
    if not user.email:
        return _("%(user)s has no e-mail address. Enter it among the users.") % {"user": user}
    return ""


def possible_reviewers(campaign: Campaign | None = None) -> list[int]:
    """By their ids; without a review, of any."""
    may = permitting.holders(REVIEW, on=campaign).filter(is_staff=True).exclude(email="")
    return list(may.values_list("pk", flat=True))


def _locked(campaign: Campaign, state: str, otherwise: str | Promise) -> Campaign:
    """The row as it is now, and stays until the end of the transaction."""
    current = _current(campaign)
    if current.state != state:
        raise Refused(str(BUSY if current.is_under_way else otherwise) % _told(current))
    return current


def _current(campaign: Campaign) -> Campaign:
    found = Campaign.objects.select_for_update(of=("self",)).select_related("integration", "default_reviewer")
    return found.get(pk=campaign.pk)


def _told(campaign: Campaign) -> dict[str, Any]:
    return {"review": campaign, "state": campaign.get_state_display().lower()}


def decide(
    campaign: Campaign,
    numbers: Collection[int],
    decision: str,
    *,
    by: User,
    reason: str,
    seen_at: datetime,
) -> int:
    """One decision on lines of `by`'s own, by their numbers. Returns how many were decided. What somebody
    decided after `seen_at`, when they were shown, stays. Raises Refused, with nothing changed.
    """
    why = _check_decision(decision, reason)
    with together():
        current = _locked(campaign, Campaign.State.OPEN, NOT_OPEN)
        rows = list(current.items.of(by).filter(seq__in=numbers).select_related("person"))
        _check_lines(rows, numbers, by)
        unseen = [row for row in rows if row.decided_at and row.decided_at > seen_at]
        if unseen:
            raise Refused(_decided_meanwhile(len(unseen)))
        chosen = current.items.filter(pk__in=[row.pk for row in rows])
        chosen.update(decision=decision, reason=why, decided_by=by, decided_at=timezone.now())
        for row in rows:
            record(
                Verb.REVIEW_DECIDED,
                current,
                before={"decision": row.decision, "reason": row.reason},
                after={"decision": decision, "reason": why},
                facts={"line": row.seq, "what": row.what_in_english},
                email=row.email,
                by=person(by),
            )
    return len(rows)


def _check_decision(decision: str, reason: str) -> str:
    if decision not in (Decision.KEEP, Decision.REVOKE):
        raise Refused(_("Choose keep or revoke."))
    return _reason(reason, _("To revoke needs a reason.") if decision == Decision.REVOKE else "")


def _check_lines(rows: Collection[Item], numbers: Collection[int], by: User) -> None:
    if not numbers:
        raise Refused(_("Choose at least one line."))
    if len(rows) < len(set(numbers)):
        raise Refused(_("Some of these lines are not yours to decide."))
    own = own_lines(rows, by)
    if own:
        said = _("Nobody decides about their own account: %(line)s. Ask whoever runs the review.")
        raise Refused(said % {"line": own[0]})


def own_lines(rows: Collection[Item], by: User) -> list[Item]:
    """Asked again at each decision: addresses change."""
    address = email_key(by.email) if by.email else ""
    own = set(PersonEmail.objects.filter(key=address).values_list("person_id", flat=True))
    return [row for row in rows if (row.email and email_key(row.email) == address) or row.person_id in own]


def _decided_meanwhile(number: int) -> str:
    said = ngettext(
        "Nothing was changed: %(number)d of these lines was decided since you opened the page. Look at it "
        "again.",
        "Nothing was changed: %(number)d of these lines were decided since you opened the page. Look at them "
        "again.",
        number,
    )
    return said % {"number": number}


def hand_over(campaign: Campaign, *, of: User, to: User, by: User) -> None:
    """Let a worker ask `to` what `of` has not decided yet. Raises Refused."""
    if why := why_no_reviewer(to, campaign):
        raise Refused(why)
    with together():
        current = _locked(campaign, Campaign.State.OPEN, NOT_OPEN)
        _ask(current, Campaign.State.HANDING, by=by, of=of.pk, to=to.pk)
    campaign.refresh_from_db()


def finish(campaign: Campaign, *, by: User, reason: str) -> None:
    """No more decisions; what was revoked waits for its job, when a worker has finished it. What nobody
    decided keeps its access, and is told as undecided. Raises Refused, with nothing changed.
    """
    with together():
        current = _locked(campaign, Campaign.State.OPEN, _("%(review)s is %(state)s already."))
        why = _reason(reason, _("Finishing a review needs a reason.") if _lacks(current) else "")
        _ask(current, Campaign.State.FINISHING, by=by, reason=why)
    campaign.refresh_from_db()


def _lacks(campaign: Campaign) -> bool:
    return campaign.items.undecided().exists()


def _reason(typed: str, needed: str = "") -> str:
    """`needed`: what is said where there is none; empty where that is no matter."""
    why = typed.strip()
    if needed and not why:
        raise Refused(needed)
    if len(why) > LONGEST_REASON or "\0" in why:
        said = _("A reason is a text of at most %(number)d characters.")
        raise Refused(said % {"number": LONGEST_REASON})
    return why


def cancel(campaign: Campaign, *, by: User, reason: str) -> None:
    """Let a worker close it. Nothing of it is carried out. Raises Refused, with nothing changed."""
    why = _reason(reason, _("A cancellation needs a reason."))
    with together():
        current = _locked(campaign, Campaign.State.OPEN, NOT_OPEN)
        _ask(current, Campaign.State.CANCELLING, by=by, reason=why)
    campaign.refresh_from_db()


# -- the job


def carry_out(campaign: Campaign, *, by: User) -> None:
    """Ask for a job once more, where the last one did not take all that was revoked. Raises Refused."""
    with together():
        current = _locked(campaign, Campaign.State.FINISHED, _("%(review)s is %(state)s, and not finished."))
        if not current.items.revoked().exists():
            raise Refused(_("Nothing was revoked, so there is nothing to carry out."))
        if waiting := job_under_way(current):
            raise Refused(_("%(job)s carries it out already.") % {"job": waiting})
        current.job_wanted_by = by
        current.save(update_fields=["job_wanted_by"])
        transaction.on_commit(lambda: ask_for_job(current.pk))


def job_under_way(campaign: Campaign) -> ProvisioningJob | None:
    open_states = (*ProvisioningJob.LIVE, ProvisioningJob.State.AWAITING_APPROVAL)
    return campaign.jobs.filter(state__in=open_states).first()


def ask_for_jobs() -> None:
    """The clock's: for reviews whose integration was at work, or not enabled, when they were finished."""
    for campaign_id in Campaign.objects.awaiting_job().values_list("pk", flat=True):
        ask_for_job(campaign_id)


def ask_for_job(campaign_id: int) -> None:
    """Queued once: whoever has the row's lock takes the wish away with it."""
    try:
        with together():
            wanted = Campaign.objects.awaiting_job().select_for_update(of=("self",), skip_locked=True)
            campaign = wanted.select_related("integration", "job_wanted_by").filter(pk=campaign_id).first()
            if campaign is None:
                return
            said = f"Revocations of the access review {campaign.name!r}."
            job = requesting.request_job(campaign.integration, by=campaign.job_wanted_by, reason=said)
            job.reviews = campaign
            job.save(update_fields=["reviews"])
            facts = {"job": job.pk, "lines": campaign.items.revoked().count()}
            record(Verb.REVIEW_CARRIED_OUT, campaign, facts=facts, by=person(campaign.job_wanted_by))
            campaign.job_wanted_by = None
            campaign.save(update_fields=["job_wanted_by"])
    except Refused as refusal:
        log.info("The revocations of a review wait for a job: %s", refusal)


# -- exceptions


def lift(exclusion: Exclusion, *, by: User, reason: str) -> None:
    """Let the rules give it again; a job looks at the person at once. Raises Refused, and nothing changed."""
    why = _reason(reason, _("Lifting an exception needs a reason."))
    with together():
        now = timezone.now()
        if not exclusion.lift(by=by, reason=why, now=now):
            raise Refused(_("The exception is lifted already."))
        record(
            Verb.EXCEPTION_LIFTED,
            exclusion,
            after={"reason": why},
            facts={"review": exclusion.review.name, "rules": exclusion.rules},
            email=exclusion.person.email,
            by=person(by),
        )
        if exclusion.integration.enabled:
            PersonChange.objects.note([exclusion.integration], [exclusion.person_id], now=now)
            requesting.wake(tasks.start_people_jobs)
    exclusion.refresh_from_db()
