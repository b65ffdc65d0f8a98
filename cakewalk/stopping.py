"""A worker that is told to stop tells those who are at work in it, who hand over what takes too long.

In memory that is shared with the processes which Celery forks: the signal reaches only the first of them.
"""

import mmap
import struct
import time
from typing import Any

from celery.signals import worker_shutting_down

PATIENCE = 10.0
"""Seconds for a job in hand to end. Then it is handed over, at its next page or action."""

_asked_at = mmap.mmap(-1, 8)


class Stopping(BaseException):
    """Give back what is in hand. Not an error: nothing that deals with errors may hold it up."""


def ask() -> None:
    _asked_at[:] = struct.pack("d", time.monotonic())


def check() -> None:
    """Raises Stopping once whoever is at work has had its time."""
    (asked_at,) = struct.unpack("d", _asked_at[:])
    if asked_at and time.monotonic() - asked_at > PATIENCE:
        raise Stopping


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _ask(**_: Any) -> None:
    ask()
