"""What many lines add up to, so that one which is altered shows, and about where. Pure."""

import hashlib
import json
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

    def __init__(self, each: int) -> None:
        self._each, self._number = each, 0
        self._whole, self._part = hashlib.sha256(b"["), hashlib.sha256()
        self._sums: list[str] = []

    def add(self, line: Any) -> None:
        said = _canonical(line).encode()
        self._whole.update(b"," + said if self._number else said)
        self._part.update(said)
        self._number += 1
        if self._number % self._each == 0:
            self._close()

    def _close(self) -> None:
        self._sums.append(self._part.hexdigest()[:SUM_LENGTH])
        self._part = hashlib.sha256()

    def result(self) -> dict[str, Any]:
        """To be called once, after the last line. `digest`: of the canonical JSON of the list of lines."""
        if self._number % self._each:
            self._close()
        self._whole.update(b"]")
        return {
            "digest": self._whole.hexdigest(),
            "lines": self._number,
            "each": self._each,
            "sums": self._sums,
        }
