"""Entries that are no more: whether they went as the ledger itself tells, and how those that a file holds
are read before the rest.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cakewalk.ledger.chain import FIELDS, Break, Fault, Link, Row
from cakewalk.ledger.models import Entry, Pruning
from cakewalk.ledger.verbs import Verb

PRUNINGS = (Verb.LEDGER_PRUNED, Verb.HISTORY_PRUNED)
"""Entries that name a file and its SHA-256."""


@dataclass(frozen=True, slots=True)
class Archived:
    """Entries out of files. `after`: the link that the first of them follows from."""

    after: Link
    rows: Callable[[], Iterator[Row]]


def breaks(hashes: Mapping[int, str]) -> Iterator[Break]:
    """Where the beginning is gone by no pruning that an entry tells of. `hashes`: of entries that
    were read, by their numbers.
    """
    prunings = {one.seq: one for one in Pruning.objects.order_by("seq")}
    told = _told()
    for seq, one in prunings.items():
        said = told.pop(seq, None)
        if said is None and seq < max(prunings):
            said = one.hash, one.exported  # its entry went with a later pruning
        if said is None:
            yield Break(
                seq, Fault.PRUNED, f"Entries up to {seq} are gone, and no entry tells that they were pruned."
            )
        elif said != (one.hash, one.exported) or hashes.get(seq, one.hash) != one.hash:
            yield Break(
                seq, Fault.PRUNED, f"Entries up to {seq} were pruned otherwise than the ledger tells."
            )
    for seq in told:
        yield Break(
            seq, Fault.PRUNED, f"An entry tells that entries up to {seq} were pruned, and nothing else does."
        )


def _told() -> dict[int, tuple[str, str]]:
    entries = Entry.objects.filter(verb=Verb.LEDGER_PRUNED, seq__gt=Pruning.begin().seq).order_by("seq")
    facts = (_facts(body) for body in entries.values_list("body", flat=True))
    return {said["seq"]: (said["hash"], said["sha256"]) for said in facts if "seq" in said}


def files_told() -> set[str]:
    """The SHA-256 of each file that an entry here names, or a row of Pruning."""
    entries = Entry.objects.filter(verb__in=PRUNINGS)
    said = {_facts(body).get("sha256", "") for body in entries.values_list("body", flat=True)}
    return said | set(Pruning.objects.values_list("exported", flat=True)) - {""}


def file_of(row: Row) -> str:
    """The SHA-256 of the file that this entry names, if it does."""
    verb, body = (row.values[FIELDS.index(name)] for name in ("verb", "body"))
    return str(_facts(str(body)).get("sha256", "")) if verb in PRUNINGS else ""


def _facts(body: str) -> Mapping[str, Any]:
    try:
        facts: Mapping[str, Any] = json.loads(body).get("facts", {})
    except (ValueError, AttributeError):  # somebody has written something else there
        return {}
    return facts
