"""Let go by the clock what retention lets go, into a file of the day; nothing where no folder is named."""

import logging
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone

from directory.bulk import BATCH
from provisioning.retention import archive, pruning
from provisioning.retention.kinds import cutoff
from provisioning.retention.models import PruningLost, days_of_all

DONE_ON = "history was pruned on"
A_DAY = 24 * 60 * 60

log = logging.getLogger(__name__)


def prune_by_retention() -> None:
    """Every hour: the first run after midnight looks for what is old, and one after trouble tries again.

    A process that has found nothing more remembers it for the day: to find out which jobs are still needed
    takes a walk through all actions.
    """
    now = timezone.now()
    forget_sessions(now=now)
    folder, today = settings.RETENTION_FOLDER, timezone.localdate(now)
    if folder is None or cache.get(DONE_ON) == today:
        return
    try:
        pruning.prune(pruning.by_retention(now=now), new_file(folder, now=now))
        cache.set(DONE_ON, today, A_DAY)
    except pruning.Refused as refusal:
        log.warning("History was not pruned: %s", refusal)
    except (OSError, archive.BadArchive, PruningLost) as error:
        log.error("History was not pruned to the end: %s", error or type(error).__name__)


def new_file(folder: Path, *, now: datetime) -> Path:
    return folder / f"cakewalk-history-{now:%Y%m%dT%H%M%SZ}{archive.SUFFIX}"


def forget_sessions(*, now: datetime) -> None:
    """Some at a time. They are in no file, for whoever reads one could sign in with it."""
    days = days_of_all()["sessions"]
    if days is None:
        return
    expired = Session.objects.filter(expire_date__lt=cutoff(days, now=timezone.localtime(now)))
    while some := list(expired.values_list("pk", flat=True)[:BATCH]):
        Session.objects.filter(pk__in=some).delete()
