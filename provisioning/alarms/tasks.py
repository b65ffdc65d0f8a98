"""What the clock runs for alarms. Nothing decided here."""

from celery import shared_task
from django.utils import timezone

from integrations.models import Integration
from provisioning.alarms import sending, watching


@shared_task
def look_for_trouble() -> None:
    """And tell at once what is new; what is not sent now, the clock finds."""
    watching.watch(timezone.now())
    sending.send_due()


@shared_task
def look_for_trouble_of(*, integration_id: int) -> None:
    watching.watch_one(Integration.objects.get(pk=integration_id), timezone.now())
    sending.send_due()


@shared_task
def send_messages() -> None:
    sending.send_due()
