"""What workers and the clock run. Ids in, nothing decided here."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from provisioning import reconciliation, requesting
from provisioning.models import ProvisioningJob

UNDELIVERED_AFTER = timedelta(seconds=30)
"""A message normally takes milliseconds; after this long a queued job is sent again."""


@shared_task
def run_job(*, job_id: int) -> None:
    reconciliation.run(job_id)


@shared_task
def start_due_syncs() -> None:
    requesting.request_due_jobs(timezone.now())


@shared_task
def pick_up_lost_jobs() -> None:
    """Messages can be lost and workers can die; the rows remain, and are delivered again."""
    now = timezone.now()
    for job in ProvisioningJob.objects.abandoned(now=now):
        if job.requeue():
            run_job.delay(job_id=job.pk)
    for job in ProvisioningJob.objects.undelivered(older_than=now - UNDELIVERED_AFTER):
        run_job.delay(job_id=job.pk)
