"""What a new plan means for earlier ones that still await approval, so that nothing is asked twice."""

import json

from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from provisioning import history, sealing
from provisioning.models import Action, ProvisioningJob


def settle_with_earlier_plans(job: ProvisioningJob) -> None:
    """What cancelled jobs left unanswered, the complete look of this one has answered.

    A scheduled plan that holds just what an earlier one holds leaves the question there, so that an
    approver's page stays good. Any other full plan replaces the earlier ones.
    """
    if job.read["whole"]:
        for cancelled in history.left_unanswered(job.integration):
            cancelled.close_questions(now=timezone.now())
    for earlier in history.plans_awaiting_approval(job.integration):
        if earlier.has_expired(now=timezone.now()):
            earlier.expire(now=timezone.now())
        elif (earlier.restores_id, earlier.reviews_id) != (job.restores_id, job.reviews_id):
            continue  # a restore, a review and a sync ask different questions
        elif _asks_the_same(job, earlier):
            _leave_to(job, earlier)
        elif job.about_everyone:
            _replace(earlier, job)


def _asks_the_same(job: ProvisioningJob, earlier: ProvisioningJob) -> bool:
    if job.trigger == ProvisioningJob.Trigger.MANUAL and job.about_everyone:
        return False
    asked, waiting = _held(job), _held(earlier)
    return (
        bool(asked)
        and (asked == waiting if job.about_everyone else asked <= waiting)
        and _codes(job) <= _codes(earlier)
    )


def _codes(job: ProvisioningJob) -> set[str]:
    """What holds it. A limit that is exceeded only now is a question that nobody was asked yet."""
    return {hold["code"] for hold in job.holds}


def _held(job: ProvisioningJob) -> set[str]:
    """The held lines without their places, which may differ between two plans."""
    held = job.actions.filter(state=Action.State.HELD)
    lines = map(sealing.plan_line, held.values(*sealing.PLAN_FIELDS, *sealing.OF_A_GROUP))
    return {json.dumps(line | {"needs": None}, sort_keys=True) for line in lines}


def _leave_to(job: ProvisioningJob, earlier: ProvisioningJob) -> None:
    waits = {"code": "awaiting_approval", "detail": f"Waits for approval in job {earlier.pk}."}
    job.actions.filter(state=Action.State.HELD).update(
        state=Action.State.SKIPPED, error=waits, finished_at=timezone.now()
    )


def _replace(earlier: ProvisioningJob, job: ProvisioningJob) -> None:
    newer = {"code": "superseded", "detail": f"Job {job.pk} made a newer plan."}
    said = f"Replaced by the newer plan of job {job.pk}."
    earlier.ask_no_more(Verb.JOB_SUPERSEDED, newer, said=said, now=timezone.now())
