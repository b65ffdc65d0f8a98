"""Rows as they stood at an earlier moment: as they are now, without what the ledger has told since. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Fields = dict[str, Any]
Rows = dict[str, Fields]
"""What each row says, by its id."""

ADDED, CHANGED, DELETED = "row.added", "row.changed", "row.deleted"


class Told(NamedTuple):
    """One entry: what it did to which row."""

    verb: str
    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def rewound(now: Mapping[str, Fields], since: Iterable[Told]) -> Rows:
    """`since`: what was told after the moment, the newest first."""
    rows = {id: dict(fields) for id, fields in now.items()}
    for entry in since:
        if entry.verb == ADDED:
            rows.pop(entry.id, None)
        elif entry.verb == DELETED:
            rows[entry.id] = dict(entry.before)
        elif entry.verb == CHANGED and entry.id in rows:
            _undo(rows[entry.id], entry)
    return rows


def _undo(fields: Fields, entry: Told) -> None:
    for name in entry.after:
        if name not in entry.before:
            fields.pop(name, None)
    fields.update(entry.before)
