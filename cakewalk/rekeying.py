"""Encrypt every stored secret with the newest of FERNET_KEYS, row by row, beside whatever else is at work.

What is done already is known by the key that opens it. So a run that was killed leaves nothing to mend, and
the next one goes on. docs/secrets.md has the steps of a change of keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.conf import settings

from cakewalk.encryption import key_fingerprint
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.sealed import Column, Keys, columns

NAMED = 50
"""Unreadable rows of a column that are named; all are counted."""


@dataclass(slots=True)
class Tally:
    """What is in one column, by the place of the key that opens it: 0 is the newest."""

    column: Column
    on: list[int]
    unreadable: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return sum(self.on[1:]) + self.unreadable


@dataclass(frozen=True, slots=True)
class Survey:
    tallies: Sequence[Tally]
    keys: Sequence[str]
    """Fingerprints, the newest key first."""

    @property
    def on_older_keys(self) -> int:
        return sum(sum(tally.on[1:]) for tally in self.tallies)

    @property
    def unreadable(self) -> int:
        return sum(tally.unreadable for tally in self.tallies)

    @property
    def is_done(self) -> bool:
        return not self.on_older_keys and not self.unreadable

    def on(self, place: int) -> int:
        return sum(tally.on[place] for tally in self.tallies)

    def spare_keys(self) -> list[str]:
        """Older keys that open nothing any more. None while something is opened by no key at all: what it
        needs may be a key that was taken out too soon, and the next one should not follow.
        """
        return [] if self.unreadable else [key for place, key in self._older() if not self.on(place)]

    def _older(self) -> list[tuple[int, str]]:
        return list(enumerate(self.keys))[1:]


Step = Callable[[Column, int], None]
"""Told of how many rows of a column have been looked at."""


def _nobody(column: Column, done: int) -> None:
    """Where nobody looks on."""


def survey(step: Step = _nobody) -> Survey:
    """What is encrypted with which key. Changes nothing."""
    keys, names = Keys(), [key_fingerprint(key) for key in settings.FERNET_KEYS]
    return Survey([_tally(column, keys, len(names), step) for column in columns()], names)


def _tally(column: Column, keys: Keys, number: int, step: Step) -> Tally:
    tally = Tally(column, [0] * number)
    for done, row in enumerate(column.rows(), start=1):
        step(column, done)
        place = keys.place_of(row.token)
        if place is not None:
            tally.on[place] += 1
            continue
        tally.unreadable += 1
        if len(tally.named) < NAMED:
            tally.named.append(column.name_of(row))
    return tally


def rekey(step: Step = _nobody) -> Survey:
    """Returns what is so afterwards: rows that others wrote meanwhile are looked at, too."""
    before = survey(step)
    if not before.on_older_keys:
        return before
    told = {"newest_key": before.keys[0], "on_older_keys": before.on_older_keys}
    record(Verb.REKEY_BEGUN, facts=told | {"unreadable": before.unreadable})
    keys = Keys()
    written = sum(_rewrite(tally.column, keys, step) for tally in before.tallies if any(tally.on[1:]))
    after = survey(step)
    left = {"on_older_keys": after.on_older_keys, "unreadable": after.unreadable}
    record(Verb.REKEYED, facts={"newest_key": after.keys[0], "written": written, **left})
    return after


def _rewrite(column: Column, keys: Keys, step: Step) -> int:
    """Each row is a transaction of its own: none is locked for longer than its writing takes."""
    written = 0
    for done, row in enumerate(column.rows(), start=1):
        if keys.place_of(row.token):
            written += column.replace(row)
        step(column, done)
    return written
