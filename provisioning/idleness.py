"""Whether an integration that should be at work is. Pure."""

from datetime import datetime, timedelta

STARTS_WITHIN = timedelta(minutes=5)
"""The clock looks every 15 seconds, and a worker is told at once. Whoever waits this long was forgotten."""


def is_idle(
    *, since: datetime, interval: timedelta, took: timedelta, now: datetime, agreed: timedelta | None = None
) -> bool:
    """Whether no sync came to its end within twice the interval. `took`: how long the last one was at work,
    since an organization that takes longer to read than its interval is not idle meanwhile. `agreed`: how
    long staff let it take, if they have said so.
    """
    return now - since > (agreed or 2 * interval + took)


def is_forgotten(due: datetime | None, *, now: datetime) -> bool:
    """Whether what was due then should long have begun."""
    return due is not None and now - due > STARTS_WITHIN
