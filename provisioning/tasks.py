"""What workers and the clock run. Ids in, nothing decided here."""

import logging
from datetime import timedelta

from celery import Task, shared_task
from django.utils import timezone

from cakewalk.health.flooding import is_behind
from cakewalk.stopping import Stopping
from directory.models import Upload
from integrations.models import Rotation
from provisioning import (
    dates,
    proving,
    pulling,
    reconciliation,
    recovering,
    requesting,
    rotating,
    tallying,
    uploads,
)
from provisioning.alarms import watching
from provisioning.alarms.tasks import look_for_trouble_of
from provisioning.models import ProvisioningJob

log = logging.getLogger(__name__)

UNDELIVERED_AFTER = timedelta(seconds=30)
"""A message normally takes milliseconds. After this long a queued job is sent again, unless many wait."""
QUEUES = {ProvisioningJob.Scope.EVERYONE: "celery", ProvisioningJob.Scope.PEOPLE: "people"}

PATIENCE = 180.0
"""Seconds that a worker waits for a lost database, to let go of its job. After that its lease has run out."""


@shared_task
def run_job(*, job_id: int) -> None:
    _carry_out(job_id)
    _tell_of(ProvisioningJob.objects.get(pk=job_id))


@shared_task
def run_people_job(*, job_id: int) -> None:
    """And at once the next one, for whoever has changed meanwhile."""
    _carry_out(job_id)
    job = ProvisioningJob.objects.get(pk=job_id)
    requesting.request_people_jobs(timezone.now(), of=job.integration_id)
    _tell_of(job)


def _tell_of(job: ProvisioningJob) -> None:
    if watching.may_tell_of(job):
        requesting.wake(look_for_trouble_of, integration_id=job.integration_id)


def _carry_out(job_id: int) -> None:
    """What this worker cannot end is delivered anew, as soon as a lost database is there again."""
    try:
        reconciliation.run(job_id)
    except reconciliation.DatabaseLost as lost:
        if recovering.give_back_when_possible(lost.job, patience=PATIENCE):
            task_of(lost.job).delay(job_id=job_id)
        raise
    except Stopping:
        log.info("Job %s is handed over: this worker stops.", job_id)
        requesting.wake(task_of(ProvisioningJob.objects.get(pk=job_id)), job_id=job_id)


def task_of(job: ProvisioningJob) -> Task:
    """Jobs about some people have a queue of their own, in which no job about everyone is before them."""
    return run_job if job.about_everyone else run_people_job


@shared_task
def start_people_jobs() -> None:
    requesting.request_people_jobs(timezone.now())


@shared_task
def start_due_syncs() -> None:
    requesting.end_expired_plans(timezone.now())
    requesting.request_due_jobs(timezone.now())


@shared_task
def notice_passed_dates() -> None:
    dates.notice_passed_dates(timezone.now())


@shared_task
def start_due_pulls() -> None:
    for server_id in pulling.due_pulls(timezone.now()):
        pull_source.delay(server_id=server_id)


@shared_task
def pull_source(*, server_id: int) -> None:
    pulling.pull_if_due(server_id)


@shared_task
def pick_up_uploads() -> None:
    """Uploaded files whose message was lost or whose worker died; what nobody imports is forgotten."""
    now = timezone.now()
    Upload.objects.forget_old(now=now)
    for upload_id in uploads.lost(now=now):
        go_on_with_upload.delay(upload_id=upload_id)


@shared_task
def go_on_with_upload(*, upload_id: int) -> None:
    uploads.go_on(upload_id)


@shared_task
def go_on_with_rotations() -> None:
    """Of keys, which were interrupted."""
    for rotation_id in Rotation.objects.due(timezone.now()).values_list("pk", flat=True):
        go_on_with_rotation.delay(rotation_id=rotation_id)


@shared_task
def go_on_with_rotation(*, rotation_id: int) -> None:
    rotating.go_on(rotation_id)


@shared_task
def pick_up_lost_jobs(*, undelivered_after: float | None = None) -> None:
    """Messages can be lost and workers can die; the rows remain, and are delivered again. `undelivered_after`
    so many seconds, however many messages wait.
    """
    if undelivered_after is None:
        after, busy = UNDELIVERED_AFTER, [scope for scope, queue in QUEUES.items() if is_behind(queue)]
    else:
        after, busy = timedelta(seconds=undelivered_after), []
    for job in recovering.lost_jobs(now=timezone.now(), undelivered_after=after, busy=busy):
        task_of(job).delay(job_id=job.pk)


@shared_task
def tally() -> None:
    """For /metrics."""
    tallying.tally(timezone.now())


@shared_task
def look_after_the_record() -> None:
    """State where the ledger stands, and once a day read all of it."""
    proving.keep_checkpoint(timezone.now())
    proving.verify_if_due(timezone.now())
