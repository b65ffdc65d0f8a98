"""Whether a complete read looks like the ones before it. Pure.

A doubt changes nothing: what must stop a job is judged in `safety`. It tells people where to look.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Read = Mapping[str, Any]
"""A job's `read`, as it is stored."""

LEAST_ITEMS = 20
"""A list that has always been shorter than this may halve without a word."""
LEAST_SECONDS = 5.0
"""Reads that have been quicker than this tell nothing by being quicker still."""
FASTER = 10


def doubts(read: Read, earlier: Sequence[Read]) -> list[str]:
    """A sentence for each way in which the read is much less, or much quicker, than any of the earlier."""
    return [*_too_little(read, earlier), *_too_fast(read, earlier)]


def _too_little(read: Read, earlier: Sequence[Read]) -> Iterable[str]:
    for name, items in _items(read).items():
        before = [counted[name] for counted in map(_items, earlier) if name in counted]
        if before and min(before) >= LEAST_ITEMS and items * 2 < min(before):
            yield (
                f"The list of {name} had {items} items, and {_at_least(before)} "
                "when it was last read to the end."
            )


def _items(read: Read) -> dict[str, int]:
    """How long each list was. A list that was not asked for is not compared."""
    return {listing["name"]: listing["items"] for listing in read.get("listings", [])}


def _at_least(before: Sequence[int]) -> str:
    return f"at least {min(before)}" if len(before) > 1 else str(before[0])


def _too_fast(read: Read, earlier: Sequence[Read]) -> Iterable[str]:
    paces = [pace for pace in map(_seconds_per_page, earlier) if pace is not None]
    slow = [each for each in earlier if each.get("seconds", 0) >= LEAST_SECONDS]
    pace = _seconds_per_page(read)
    if pace is not None and paces and len(slow) == len(earlier) and pace * FASTER < min(paces):
        yield (
            f"It was read in {read['seconds']:.2f} seconds, more than {FASTER} times as fast, page by page, "
            "as ever of late."
        )


def _seconds_per_page(read: Read) -> float | None:
    return read["seconds"] / read["pages"] if read.get("pages") else None
