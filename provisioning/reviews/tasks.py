"""What workers and the clock run of reviews. Ids in, nothing decided here."""

from celery import shared_task
from django.utils import timezone

from provisioning.reviews import reminding, running, under_way
from provisioning.reviews.models import Exclusion


@shared_task
def go_on_with_review(*, campaign_id: int) -> None:
    under_way.go_on(campaign_id)


@shared_task
def pick_up_reviews() -> None:
    """Reviews whose message was lost or whose worker died, and what is left of those that were stopped."""
    for campaign_id in under_way.lost(now=timezone.now()):
        go_on_with_review.delay(campaign_id=campaign_id)
    under_way.forget_what_was_not_opened()


@shared_task
def go_on_with_reviews() -> None:
    """Jobs that could not be queued before, exceptions that have begun, and reminders that are due."""
    running.ask_for_jobs()
    Exclusion.objects.all().note_since_when(timezone.now())
    reminding.send_due(timezone.now())
