"""The ledger as text, written as it is read, however long it is."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from cakewalk.ledger import chain
from cakewalk.ledger.models import EntryQuerySet, Head
from cakewalk.spreadsheets import csv_lines

COLUMNS = (*chain.FIELDS, "previous", "hash")
BATCH = 5_000


def as_document(entries: EntryQuerySet) -> Iterator[str]:
    """One JSON document: where the chain stands, and a line for each entry, its body as the text it is.

    All that is needed to check the entries elsewhere.
    """
    head = Head.objects.first() or Head()
    standing = {"installation": str(head.installation), "seq": head.seq, "hash": head.hash}
    yield f'{{"ledger": {json.dumps(standing)}, "entries": ['
    between = "\n"
    for values in _rows(entries):
        line = json.dumps(dict(zip(COLUMNS, values, strict=True)), ensure_ascii=False)
        yield f"{between}{line}"
        between = ",\n"
    yield "\n]}\n"


def as_table(entries: EntryQuerySet) -> Iterator[str]:
    """CSV, to look at: what a spreadsheet would take for a formula is escaped, so that its hash differs."""
    cells = ([str("" if value is None else value) for value in values] for values in _rows(entries))
    yield from csv_lines(itertools.chain([COLUMNS], cells))


FORMATS = {"csv": as_table, "json": as_document}


def _rows(entries: EntryQuerySet) -> Iterator[tuple[Any, ...]]:
    for seq, at, *others in entries.values_list(*COLUMNS).iterator(chunk_size=BATCH):
        yield (seq, chain.moment(at), *others)
