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
            yield f"The list of {name} had {items} items; {_of_late(before)} {min(before)}."


def _items(read: Read) -> dict[str, int]:
    """How long each list was. One that an earlier read did not ask for is not compared with it."""
    return {listing["name"]: listing["items"] for listing in read.get("listings", [])}


def _of_late(before: Sequence[object]) -> str:
    several = f"the last {len(before)} complete reads had at least"
    return several if len(before) > 1 else "the last complete read had"


def _too_fast(read: Read, earlier: Sequence[Read]) -> Iterable[str]:
    if not earlier or min(each.get("seconds", 0) for each in earlier) < LEAST_SECONDS:
        return
    pace, usual = _seconds_per_page(read), min(map(_seconds_per_page, earlier))
    if pace * FASTER < usual:
        yield f"A page took {pace:.3f} s to read, and {usual:.3f} s or more in the last complete reads."


def _seconds_per_page(read: Read) -> float:
    return float(read["seconds"]) / max(int(read["pages"]), 1)
