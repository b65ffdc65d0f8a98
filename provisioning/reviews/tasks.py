"""What the clock runs for reviews. Nothing decided here."""

from celery import shared_task
from django.utils import timezone

from provisioning.reviews import reminding, running
from provisioning.reviews.models import Exclusion


@shared_task
def go_on_with_reviews() -> None:
    """Jobs that could not be queued before, exceptions that have begun, and reminders that are due."""
    running.ask_for_jobs()
    Exclusion.objects.all().note_since_when(timezone.now())
    reminding.send_due(timezone.now())
