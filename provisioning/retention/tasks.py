"""What the clock runs for retention."""

from celery import shared_task

from provisioning.retention import scheduled


@shared_task
def prune_by_retention() -> None:
    scheduled.prune_by_retention()
