"""Whether the ledger is what was written: each entry, their order, their end, and what checkpoints say."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from django.db.models import Subquery

from cakewalk.ledger import checkpoints, pruned
from cakewalk.ledger.chain import FIELDS, Break, Fault, Link, Row, breaks, moment
from cakewalk.ledger.checkpoints import Checkpoint, Unreadable
from cakewalk.ledger.models import Entry, Head, Pruning
from cakewalk.ledger.pruned import Archived
from cakewalk.ledger.restored import acknowledged

TELL_EVERY = 20_000
"""Entries between two words of how far it is."""

MOST_TOLD = 100
"""So many breaks are told; a chain with more is no better or worse."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`end`: where the chain ends. `compared`: how many checkpoints say so of an earlier place."""

    entries: int
    end: Link
    compared: int
    breaks: Sequence[Break]


Say = Callable[[int, int], None]
"""How many entries were read, of how many."""


def verify(
    trusted: Collection[str],
    paths: Sequence[Path],
    say: Say = lambda _done, _all: None,
    archived: Archived | None = None,
) -> Verdict:
    """Read the whole chain. `trusted`: the public keys that are believed. `paths`: checkpoints to compare.
    `archived`: what was pruned, to be read before the rest.
    """
    begin = Pruning.begin()
    found = _walk(begin, list(_read(trusted, paths)), say, archived)
    return found if Pruning.begin() == begin else verify(trusted, paths, say, archived)


def _walk(remains: Link, read: Sequence[Checkpoint | Break], say: Say, archived: Archived | None) -> Verdict:
    head, begin = Head.objects.first() or Head(), archived.after if archived else remains
    told = [one for one in read if isinstance(one, Break)]
    stated = [one for one in read if isinstance(one, Checkpoint)]
    wanted = {one.seq for one in stated} | set(Pruning.objects.values_list("seq", flat=True))
    tally = _Tally(begin, wanted, say, expected=head.seq - begin.seq)
    end = begin
    rows = chain(archived.rows() if archived else (), _rows(remains, head.seq))
    for one in breaks(tally.counted(rows), begin):
        if isinstance(one, Link):
            end = one
        elif len(told) < MOST_TOLD:
            told.append(one)
    told += _end_breaks(end, head)
    told += pruned.breaks(tally.hashes)
    known = acknowledged()  # of what a restore has lost; whoever looks is told of each restore
    against = [one for one in stated if (one.seq, one.hash) not in known]
    told += [wrong for one in against if (wrong := _against(one, begin, end, tally.hashes, head))]
    return Verdict(tally.number, end, len(against), sorted(told, key=lambda one: one.seq))


class _Tally:
    """Counts the entries that pass, and keeps the hashes that checkpoints speak of."""

    def __init__(self, begin: Link, wanted: Collection[int], say: Say, *, expected: int) -> None:
        self.hashes = {begin.seq: begin.hash}
        self.number = 0
        self._wanted, self._say, self._expected = wanted, say, expected

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.seq in self._wanted:
                self.hashes[row.seq] = row.hash
            self.number += 1
            if self.number % TELL_EVERY == 0:
                self._say(self.number, self._expected)
            yield row


def _rows(begin: Link, last: int) -> Iterator[Row]:
    """Up to where the chain stood a moment ago, whatever is appended meanwhile."""
    entries = Entry.objects.filter(seq__gt=begin.seq, seq__lte=last).order_by("seq")
    stored: Iterable[Any] = entries.values_list(*FIELDS, "previous", "hash").iterator(chunk_size=5_000)
    for seq, at, *others, previous, hashed in stored:
        yield Row(seq, (seq, moment(at), *others), previous, hashed)


def _end_breaks(end: Link, head: Head) -> Iterator[Break]:
    if end.seq < head.seq:
        yield Break(
            end.seq + 1, Fault.TRUNCATED, f"The chain went to entry {head.seq}, and ends at {end.seq}."
        )
    elif end != head.link:
        yield Break(end.seq, Fault.REWRITTEN, f"Entry {end.seq} is not the one that was appended last.")
    beyond = Entry.objects.filter(seq__gt=Subquery(Head.objects.values("seq")[:1])).order_by("seq").first()
    if beyond:
        yield Break(beyond.seq, Fault.UNLINKED, f"Entry {beyond.seq} was not appended by Cakewalk.")


def _read(trusted: Collection[str], paths: Iterable[Path]) -> Iterator[Checkpoint | Break]:
    for path in paths:
        try:
            one = checkpoints.read(path)
        except Unreadable as error:
            yield Break(0, Fault.SIGNATURE, str(error))
            continue
        if one.is_signed_by(trusted):
            yield one
        else:
            yield Break(
                one.seq, Fault.SIGNATURE, f"{path.name} is not signed by a key that is believed here."
            )


def _against(one: Checkpoint, begin: Link, end: Link, hashes: dict[int, str], head: Head) -> Break | None:
    said = f"The checkpoint of {one.at[:16].replace('T', ' ')} UTC"
    if one.installation != str(head.installation):
        return Break(
            one.seq, Fault.REWRITTEN, f"{said} is of another installation, or the ledger was begun anew."
        )
    if one.seq > end.seq:
        detail = f"{said} knows entry {one.seq}, and the chain ends at {end.seq}: newer entries are gone."
        return Break(end.seq + 1, Fault.TRUNCATED, detail)
    if one.seq < begin.seq or hashes.get(one.seq) == one.hash:
        return None
    return Break(one.seq, Fault.REWRITTEN, f"{said} knows another entry {one.seq}: it was replaced since.")
