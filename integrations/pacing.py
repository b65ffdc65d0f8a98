"""How long an integration waits for its next sync, by how its last jobs went. Pure."""

from datetime import timedelta

SLOWEST = timedelta(days=1)
MOST_DOUBLINGS = 11
"""From a minute to more than a day."""


def wait_after(failures: int, interval: timedelta) -> timedelta:
    """The interval; doubled for each failure in a row after the first, up to a day.

    One failure is no pattern. An interval of more than a day stays as it is.
    """
    doublings = min(max(failures - 1, 0), MOST_DOUBLINGS)
    return max(interval, min(interval * (1 << doublings), SLOWEST))
