"""How long an integration waits for its next sync, by how its last jobs went. Pure."""

from datetime import timedelta

REPEATED = 2
"""So many failures in a row are more than an accident."""
SLOWEST = timedelta(days=1)
MOST_DOUBLINGS = 11
"""From a minute to more than a day."""
SLOWEST_FOR_A_CHANGE = timedelta(hours=1)


def wait_after(failures: int, interval: timedelta) -> timedelta:
    """The interval; doubled for each failure in a row after the first, up to a day.

    One failure is no pattern. An interval of more than a day stays as it is.
    """
    doublings = min(max(failures - 1, 0), MOST_DOUBLINGS)
    return max(interval, min(interval * (1 << doublings), SLOWEST))


def wait_with_change(interval: timedelta) -> timedelta:
    """How long a change of the directory waits after a failure: it may be somebody's leaving."""
    return min(interval, SLOWEST_FOR_A_CHANGE)
