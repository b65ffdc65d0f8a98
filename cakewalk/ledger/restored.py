"""Restores of an older state that somebody has told of: what was lost by them is a known gap, always told."""

from dataclasses import dataclass
from typing import Any

from cakewalk.ledger.chain import moment
from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb


@dataclass(frozen=True, slots=True)
class Restore:
    """`seq`: of its entry. The ledger ended at `ended_at` then; checkpoints knew entries up to `knew`."""

    seq: int
    at: str
    actor: str
    ended_at: int
    knew: int
    lost: tuple[tuple[int, str], ...]

    @property
    def sentence(self) -> str:
        when = f"{self.at[:16].replace('T', ' ')} UTC"
        said = f"Entry {self.seq}, {when}, by {self.actor}: an older state was restored"
        gone = self.knew - self.ended_at
        if gone <= 0:
            return f"{said}, which ended at entry {self.ended_at}. No checkpoint knows of a later one."
        return (
            f"{said}. At least the {gone} entries from {self.ended_at + 1} to {self.knew} of before are lost."
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "entry": self.seq,
            "at": self.at,
            "by": self.actor,
            "ended_at": self.ended_at,
            "knew": self.knew,
        }


def restores() -> list[Restore]:
    return [_restore(entry) for entry in Entry.objects.filter(verb=Verb.RESTORED).order_by("seq")]


def acknowledged() -> set[tuple[int, str]]:
    """Checkpoints, by entry and hash, of which a restore is known to have lost the entries."""
    return {one for restore in restores() for one in restore.lost}


def _restore(entry: Entry) -> Restore:
    facts = entry.told()["facts"]
    lost = tuple((int(seq), str(hashed)) for seq, hashed, _ in facts["checkpoints_lost"])
    ended_at = int(facts["ledger_ended_at"])
    knew = max((seq for seq, _ in lost), default=ended_at)
    return Restore(entry.seq, moment(entry.at), entry.actor, ended_at, knew, lost)
