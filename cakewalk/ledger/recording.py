"""Write down what happened, in the transaction in which it happens.

The chain has one end, so whoever appends locks it until their transaction ends. Inside `together()` entries
are kept until the very last moment: nobody holds that lock for longer than a commit takes, or asks for
another one meanwhile, which two could do crosswise.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.utils import timezone, translation

from cakewalk.ledger import actors, chain
from cakewalk.ledger.models import LONGEST_NAME, Entry, Head
from cakewalk.ledger.verbs import Verb

Said = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry that has no place in the chain yet."""

    at: datetime
    actor_kind: str
    actor: str
    address: str
    verb: str
    object_kind: str
    object_id: str
    object_name: str
    integration: int | None
    email: str
    body: str


class _Pending(threading.local):
    lines: list[Line] | None = None


_pending = _Pending()


@contextmanager
def together(*, savepoint: bool = True) -> Iterator[None]:
    """A transaction whose entries are chained at its end. What is rolled back leaves no entry.

    Use it in place of `transaction.atomic()` around whatever records, inner blocks included: entries of a
    plain atomic block inside, if that alone is rolled back, would stay. Without a `savepoint`, an inner block
    that fails takes the whole transaction with it.
    """
    outer, mine = _pending.lines, list[Line]()
    _pending.lines = mine
    try:
        with transaction.atomic(savepoint=savepoint):
            yield
            if outer is None and mine:
                _check_references()
                append(mine)
    finally:
        _pending.lines = outer
    if outer is not None:
        outer.extend(mine)


def _check_references() -> None:
    """PostgreSQL checks foreign keys with the commit and waits, to do so, for whoever has locked the rows
    that are referred to. Those may wait for the chain, so it must not be held by then.
    """
    if connection.vendor == "postgresql":
        connection.check_constraints()


def record(
    verb: Verb,
    row: models.Model | None = None,
    *,
    before: Said = None,
    after: Said = None,
    facts: Said = None,
    email: str = "",
    name: str = "",
    by: actors.Actor | None = None,
) -> None:
    """One entry, of a row if there is one. `name`: what it is called, if the row does not tell.

    Raises TypeError where a Secret would be written down.
    """
    who = by or actors.current()
    line = Line(
        at=timezone.now(),
        actor_kind=who.kind,
        actor=_fitting(who.name),
        address=who.address[:45],
        verb=verb,
        object_kind=row._meta.label_lower if row else "",
        object_id=str(row.pk) if row else "",
        object_name=_fitting(name or (_name_of(row) if row else "")),
        integration=_integration_of(row),
        email=email[:320],
        body=_body(before=before, after=after, facts=facts),
    )
    if _pending.lines is None:
        append([line])
    else:
        _pending.lines.append(line)


def append(lines: Sequence[Line]) -> None:
    """Chain these to the end. The last thing in its transaction: the lock is held until that ends."""
    if not lines:
        return
    with transaction.atomic(savepoint=False):
        head = Head.locked()
        at, entries = head.link, []
        for line in lines:
            entry = Entry(seq=at.seq + 1, previous=at.hash, **asdict(line))
            entry.hash = chain.hash_of(entry.previous, entry.values())
            at = chain.Link(entry.seq, entry.hash)
            entries.append(entry)
        Entry.objects.bulk_create(entries, batch_size=500)
        head.move_to(at)


def _fitting(text: str) -> str:
    return text.replace("\0", "")[:LONGEST_NAME]


def _name_of(row: models.Model) -> str:
    with translation.override("en"):  # the record is English, whoever looks on
        return str(row)


def _integration_of(row: models.Model | None) -> int | None:
    itself = row is not None and row._meta.label_lower == "integrations.integration"
    found: int | None = getattr(row, "pk" if itself else "integration_id", None)
    return found


def _body(**parts: Said) -> str:
    said = {name: part for name, part in parts.items() if part is not None}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str | list[Any]:
    match value:
        case datetime():
            return chain.moment(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"The ledger takes no {type(value).__name__}.")
