"""The ledger's entries of a period, as lines of JSON that can be checked anywhere, and a check of them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from cakewalk.ledger import checkpoints
from cakewalk.ledger.chain import FIELDS, Break, Link, Row, breaks, moment
from cakewalk.ledger.checkpoints import Checkpoint, Unreadable
from cakewalk.ledger.models import Entry
from provisioning.evidence.archive import Archive, Writer
from provisioning.evidence.ordering import Order, Stand

COLUMNS = (*FIELDS, "previous", "hash")
BATCH = 5_000
MOST_BREAKS = 100

Tell = Callable[[float], None]


def put(archive: Archive, asked: Order, told: Stand, tell: Tell) -> dict[str, Any]:
    """Entries of other integrations are there with their links alone. Returns what the check said."""
    number = withheld = 0
    found: list[Break] = []
    end = told.before
    with archive.file("ledger/entries.jsonl") as out:
        checked = breaks(_written(out, asked, told, tell), told.before)
        for one in checked:
            if isinstance(one, Link):
                end = one
            elif len(found) < MOST_BREAKS:
                found.append(one)
    entries = Entry.objects.filter(seq__gt=told.before.seq, seq__lte=told.last.seq)
    number = entries.count()
    withheld = entries.exclude(integration=None).exclude(integration=asked.integration.pk).count()
    said = {
        "follows": told.before._asdict(),
        "last": told.last._asdict(),
        "entries": number,
        "withheld": withheld,
        "intact": not found and end == told.last,
        "breaks": [asdict(one) for one in found],
        "checkpoint": _checkpoint(archive, told.last),
    }
    archive.put_json("ledger/verification.json", said)
    return said


def _written(out: Writer, asked: Order, told: Stand, tell: Tell) -> Iterator[Row]:
    rows = Entry.objects.filter(seq__gt=told.before.seq, seq__lte=told.last.seq).order_by("seq")
    stored: Any = rows.values_list(*COLUMNS).iterator(chunk_size=BATCH)
    length = max(told.last.seq - told.before.seq, 1)
    of = FIELDS.index("integration")
    for seq, at, *others, previous, hashed in stored:
        values = (seq, moment(at), *others)
        ours = values[of] in (None, asked.integration.pk)
        out.write(_line((*values, previous, hashed)) if ours else _link(seq, previous, hashed))
        if seq % BATCH == 0:
            tell((seq - told.before.seq) / length)
        yield Row(seq, values, previous, hashed)


def _line(values: tuple[Any, ...]) -> str:
    return json.dumps(dict(zip(COLUMNS, values, strict=True)), ensure_ascii=False) + "\n"


def _link(seq: int, previous: str, hashed: str) -> str:
    """Of another integration, which is none of this auditor's business: enough to follow the chain."""
    return json.dumps({"seq": seq, "withheld": True, "previous": previous, "hash": hashed}) + "\n"


def _checkpoint(archive: Archive, last: Link) -> dict[str, Any] | None:
    """The first signed statement that covers the last entry, or else the newest one there is."""
    found = [one for path in checkpoints.kept_in(settings.LEDGER_CHECKPOINTS) if (one := _read(path))]
    later = [one for one in found if one.seq >= last.seq]
    newest = max(found, key=lambda one: one.seq, default=None)
    chosen = min(later, key=lambda one: one.seq, default=newest)
    if chosen is None:
        return None
    name = f"ledger/checkpoint-{chosen.seq}.json"
    archive.put(name, chosen.as_text())
    return {"file": name, "seq": chosen.seq, "covers_the_last_entry": chosen.seq >= last.seq}


def _read(path: Path) -> Checkpoint | None:
    try:
        return checkpoints.read(path)
    except Unreadable:
        return None
