"""What the ledger keeps of many changes of people: which revisions they are, and a digest over them.

An operation may write 100,000 revisions. Its one entry names the first and the last of them, and says by
their digest that none is another than it was. Those of other operations may lie between them: it is the
moment and the author that tell which are whose.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from cakewalk.ledger.chain import Break, Fault, moment
from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from directory.models import Revision

FACT = "revisions"
"""Under which name an entry has it among its facts."""
CHUNK = 500

_written = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(slots=True)
class Witness:
    """Of revisions that were written at one moment, in the name of one. They come in order."""

    at: datetime
    by: str
    first: int = 0
    last: int = 0
    number: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._digest.update(_written([moment(self.at), self.by]).encode())

    def see(self, revision: int, person: int, fields: Mapping[str, Any]) -> None:
        self._digest.update(_written([revision, person, fields]).encode())
        self.first, self.last = self.first or revision, revision
        self.number += 1

    def facts(self) -> dict[str, Any]:
        if not self.number:
            return {}
        said = {"first": self.first, "last": self.last, "number": self.number}
        return {FACT: said | {"at": moment(self.at), "by": self.by, "sha256": self._digest.hexdigest()}}


def entries_about_people() -> QuerySet[Entry]:
    several = (Verb.PEOPLE_CHANGED, Verb.PEOPLE_IMPORTED)
    return Entry.objects.filter(Q(object_kind="directory.person") | Q(verb__in=several)).order_by("seq")


@dataclass(slots=True)
class Told:
    """Which revisions entries tell of: those that are told of alone, and who wrote several, and when.

    `seq`: of the last entry that was heard.
    """

    alone: "array[int]" = field(default_factory=lambda: array("q"))
    several: dict[tuple[str, str], list[range]] = field(default_factory=dict)
    first: int | None = None
    seq: int = 0

    def hear(self, seq: int, said: Mapping[str, Any]) -> None:
        first, last = said["first"], said["last"]
        self.seq = seq
        self.first = first if self.first is None else min(self.first, first)
        if said["number"] == 1:
            self.alone.append(first)
        else:
            self.several.setdefault((said["at"], said["by"]), []).append(range(first, last + 1))

    def untold(self, begins: datetime | None = None) -> Iterator[Break]:
        """Revisions that no entry tells of. What is from before the first that one tells of is older than the
        ledger; `begins`: where that was cut, so that what is older may have been told by what is gone.
        """
        if self.first is None:
            return
        rows = Revision.objects.filter(pk__gte=self.first).order_by("pk").values_list("pk", "at", "by")
        strays = list(self._strange(rows.iterator(chunk_size=2000)))
        for entry in entries_about_people().filter(seq__gt=self.seq):  # written meanwhile, with its revisions
            if said := entry.told().get("facts", {}).get(FACT):
                self.hear(entry.seq, said)
        for pk, at, _by in self._strange(strays):
            if begins is None or at >= begins:
                yield Break(0, Fault.UNKNOWN, f"Change {pk} of people is there, and no entry tells of it.")

    def _strange(self, rows: Iterable[tuple[int, datetime, str]]) -> Iterator[tuple[int, datetime, str]]:
        alone = set(self.alone)
        for pk, at, by in rows:
            if pk not in alone and not any(pk in some for some in self.several.get((moment(at), by), ())):
                yield pk, at, by


def altered_revisions(
    entries: Iterable[Entry], kept_since: datetime | None = None, told: Told | None = None
) -> Iterator[Break]:
    """Which of these entries tell of changes of people that are not there any more as they were written.

    Most tell of one, so that these are read many at once. `kept_since`: of what is older than that, some may
    rightly be gone, so that nothing follows. `told`: hears of all of them.
    """
    waiting: list[tuple[int, dict[str, Any]]] = []
    for entry in entries:
        said = entry.told().get("facts", {}).get(FACT)
        if said and told:
            told.hear(entry.seq, said)
        if said is None or (kept_since and datetime.fromisoformat(said["at"]) < kept_since):
            continue
        if said["number"] == 1:
            waiting.append((entry.seq, said))
        elif detail := _wrong(said, _between(said)):
            yield Break(entry.seq, Fault.ALTERED, detail)
        if len(waiting) == CHUNK:
            yield from _look_at(waiting)
            waiting = []
    yield from _look_at(waiting)


def _look_at(waiting: list[tuple[int, dict[str, Any]]]) -> Iterator[Break]:
    found = Revision.objects.in_bulk([said["first"] for _, said in waiting])
    for seq, said in waiting:
        revision = found.get(said["first"])
        if detail := _wrong(said, [revision] if revision else []):
            yield Break(seq, Fault.ALTERED, detail)


def _between(said: dict[str, Any]) -> Iterable[Revision]:
    at = datetime.fromisoformat(said["at"])
    theirs = Revision.objects.filter(pk__range=(said["first"], said["last"]), at=at, by=said["by"])
    return theirs.order_by("pk").iterator(chunk_size=2000)


def _wrong(said: dict[str, Any], revisions: Iterable[Revision]) -> str:
    seen = None
    for revision in revisions:
        seen = seen or Witness(revision.at, revision.by)
        seen.see(revision.pk, revision.person_id, revision.fields)
    number = seen.number if seen else 0
    which = f"change {said['first']} of people"
    if said["number"] > 1:
        which = f"changes {said['first']} to {said['last']} of people"
    if number != said["number"]:
        return f"Of {which}, {said['number']} were written and {number} are there."
    if seen and seen.facts()[FACT] != said:
        return f"In {which}, something is not what was written."
    return ""
