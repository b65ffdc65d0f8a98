"""What happens too often to be written down each time: counted in memory, and added up now and then.

What a killed process had not added yet is lost, which is a rate of a few seconds.
"""

import logging
import threading
import time
from collections import defaultdict
from typing import Any

from django.db import DatabaseError, connection

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds after which a long job adds up what it has counted."""


Counts = defaultdict[tuple[str, tuple[str, ...]], float]


class _Own(threading.local):
    def __init__(self) -> None:
        self.counts: Counts = defaultdict(float)
        self.added_at = time.monotonic()


_own = _Own()


def count(name: str, *labels: str, by: float = 1) -> None:
    _own.counts[name, labels] += by


def forget() -> None:
    """What this thread has counted, and not added up."""
    _own.counts.clear()


def add_up(*, after: float = 0.0) -> None:
    """`after`: not if so lately. Within a transaction, which might be rolled back, it is left to the next."""
    if not _own.counts or time.monotonic() - _own.added_at < after or connection.in_atomic_block:
        return
    from cakewalk.health.models import Tally  # noqa: PLC0415 - connectors count, which know no models

    counts, _own.counts, _own.added_at = _own.counts, defaultdict(float), time.monotonic()
    try:
        Tally.objects.add(counts)
    except DatabaseError as error:
        log.warning("%s figures are lost (%s).", len(counts), type(error).__name__)


def add_up_after_a_task(**_: Any) -> None:
    """Told by Celery."""
    add_up()


def count_failed_sign_in(**_: Any) -> None:
    """Told by Django."""
    count("sign_in_failures")
