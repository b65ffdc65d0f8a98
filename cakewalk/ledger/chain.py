"""How entries are chained and how a chain is checked. Pure: the same few lines prove an export elsewhere.

Each entry's hash is the SHA-256, in hexadecimal, of a JSON array without spaces, in ASCII: the hash of the
entry before it, then its own `FIELDS` in their order.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

FIELDS = (
    "seq",
    "at",
    "actor_kind",
    "actor",
    "address",
    "verb",
    "object_kind",
    "object_id",
    "object_name",
    "integration",
    "email",
    "body",
)

GENESIS = "0" * 64
"""What the first entry names as the hash before it."""


class Link(NamedTuple):
    """Where a chain stands: its last entry's number and hash."""

    seq: int
    hash: str


_encoded = json.JSONEncoder(separators=(",", ":")).encode

START = Link(0, GENESIS)


def moment(at: datetime) -> str:
    """As it is hashed and exported: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hash_of(previous: str, values: Sequence[str | int | None]) -> str:
    """`values`: of FIELDS, in their order."""
    return hashlib.sha256(_encoded([previous, *values]).encode("ascii")).hexdigest()


class Row(NamedTuple):
    """An entry as it is stored. `values`: of FIELDS, in their order."""

    seq: int
    values: Sequence[str | int | None]
    previous: str
    hash: str


class Fault(StrEnum):
    ALTERED = "altered"
    MISSING = "missing"
    UNLINKED = "unlinked"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    SIGNATURE = "signature"
    PRUNED = "pruned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is not what it was. `seq`: the entry at which it shows."""

    seq: int
    fault: Fault
    detail: str


def breaks(rows: Iterable[Row], after: Link = START) -> Iterator[Break | Link]:
    """Whatever is wrong with these entries, in the order of their numbers; then where the chain ends.

    Each entry is judged by what it says of itself and of the one before it, so that one fault is told once.
    """
    at = after
    for row in rows:
        seq = row.seq
        if seq > at.seq + 1:
            yield Break(seq, Fault.MISSING, f"{_numbers(at.seq + 1, seq - 1)} missing.")
        elif row.previous != at.hash:
            yield Break(seq, Fault.UNLINKED, f"Entry {seq} does not follow from the one before it.")
        if hash_of(row.previous, row.values) != row.hash:
            yield Break(seq, Fault.ALTERED, f"Entry {seq} is not what was written.")
        at = Link(seq, row.hash)
    yield at


def _numbers(first: int, last: int) -> str:
    return f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
