"""What workers and the clock run of evidence. Ids in, nothing decided here."""

from celery import shared_task
from django.utils import timezone

from provisioning.evidence import making
from provisioning.evidence.models import EvidencePack


@shared_task
def make_pack(*, pack_id: int) -> None:
    making.go_on(pack_id)


@shared_task
def pick_up_packs() -> None:
    """Packs whose message was lost or whose worker died; files that were kept long enough are dropped."""
    now = timezone.now()
    EvidencePack.objects.drop_old_files(now=now)
    for pack_id in making.lost(now=now):
        make_pack.delay(pack_id=pack_id)
