"""What many lines add up to, so that one which is altered shows, and about where. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_SUMS = 64
"""However many lines there are. With so many at most, each has one of its own."""

SUM_LENGTH = 16

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def lines_in_each(number: int) -> int:
    """How many lines share a sum."""
    return max(1, -(-number // MOST_SUMS))


class Fingerprint:
    """A digest over all lines, and a short sum over each few of them. Takes one line at a time, so that there
    may be any number of them.
    """

    def __init__(self, *, first: int, each: int) -> None:
        """`first`: the number of the first line. `each`: how many share a sum."""
        self._first, self._each = first, each
        self._whole = hashlib.sha256(b"[")
        self._part, self._place = hashlib.sha256(), 0
        self.lines = 0
        self.sums: dict[int, str] = {}

    def add(self, number: int, line: Any) -> None:
        """In the order of their numbers."""
        said = _canonical(line).encode()
        self._whole.update(b"," + said if self.lines else said)
        place = (number - self._first) // self._each
        if place != self._place:
            self._close()
            self._place = place
        self._part.update(said)
        self.lines += 1

    def _close(self) -> None:
        """What was added last is all of its part."""
        if self.lines:
            self.sums[self._place] = self._part.hexdigest()[:SUM_LENGTH]
        self._part = hashlib.sha256()

    def result(self) -> dict[str, Any]:
        """To be called once, after the last line. `digest`: of the canonical JSON of the list of lines."""
        self._close()
        self._whole.update(b"]")
        return {
            "digest": self._whole.hexdigest(),
            "lines": self.lines,
            "first": self._first,
            "each": self._each,
            "sums": list(self.sums.values()),
        }


def like(known: Mapping[str, Any]) -> Fingerprint:
    """To add the same lines up again, and compare."""
    return Fingerprint(first=known["first"], each=known["each"])


def differing(known: Mapping[str, Any], found: Fingerprint) -> Iterator[range]:
    """The numbers of the lines that share a sum which is not what it was. `found`: after its result."""
    was = dict(enumerate(known["sums"]))
    for place in sorted(was.keys() | found.sums.keys()):
        if was.get(place) != found.sums.get(place):
            begin = known["first"] + place * known["each"]
            yield range(begin, begin + known["each"])
