"""A ledger as long as that of years: real entries in a real chain, put into the database in bulk."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction

from cakewalk.ledger import chain
from cakewalk.ledger.models import Entry, Head

ENTRIES = 1_000_000
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
BATCH = 10_000
COLUMNS = (*chain.FIELDS, "previous", "hash")
INSERT = f"INSERT INTO ledger_entry ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608


def write(number: int = ENTRIES) -> None:
    """Into an empty ledger."""
    rows = _rows(number)
    with transaction.atomic(), connection.cursor() as cursor:
        head = Head.locked()
        while some := list(islice(rows, BATCH)):
            cursor.executemany(INSERT, some)
            last = some[-1]
        head.move_to(chain.Link(last[0], last[-1]))


def _rows(number: int) -> Iterator[tuple[Any, ...]]:
    adapt = connection.ops.adapt_datetimefield_value
    previous = chain.GENESIS
    for seq in range(1, number + 1):
        entry = _entry(seq)
        hashed = chain.hash_of(previous, entry.values())
        fields = [getattr(entry, name) for name in chain.FIELDS]
        fields[1] = adapt(entry.at)
        yield (*fields, previous, hashed)
        previous = hashed


def _entry(seq: int) -> Entry:
    """The outcome of an action, which is what most entries tell."""
    body = {"after": {"state": "done"}, "facts": {"job": seq // 100, "request_id": f"req_{seq:032x}"}}
    return Entry(
        seq=seq,
        at=FIRST + timedelta(seconds=30 * seq),
        actor_kind="schedule",
        actor="Cakewalk",
        verb="action.done",
        object_kind="provisioning.action",
        object_id=str(seq),
        object_name=f"invite person{seq}@example.org",
        integration=1,
        email=f"person{seq % 100_000}@example.org",
        body=json.dumps(body, separators=(",", ":")),
    )
