"""Prove that the record is what was written: read all of it, keep the result, and sign where it stands."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from cakewalk.ledger import checkpoints, verifying
from cakewalk.ledger.chain import Break
from cakewalk.ledger.models import Entry, Head, Verification
from cakewalk.ledger.restored import acknowledged
from cakewalk.ledger.verbs import Verb
from directory import witnessing
from provisioning import old_state, vouching
from provisioning.retention import archived

log = logging.getLogger(__name__)

VERIFY_EVERY = timedelta(hours=24)

Say = Callable[[str, int, int], None]
"""What is done, how far it is, and of how much."""


def trusted_keys() -> list[str]:
    """The public keys whose checkpoints are believed here."""
    own = [checkpoints.public_key(settings.LEDGER_KEY)] if settings.LEDGER_KEY else []
    return [*own, *settings.LEDGER_PUBLIC_KEYS]


def verify(
    *,
    more_checkpoints: Sequence[Path] = (),
    more_keys: Collection[str] = (),
    archives: Sequence[Path] = (),
    chain_only: bool = False,
    say: Say = lambda _what, _done, _all: None,
) -> Verification:
    """Read the whole record, and keep what came of it. `archives`: files of pruned entries, read with the
    rest. Raises BadArchive where one of them is none at all. `chain_only`: without comparing jobs and their
    actions with it.
    """
    now, began = timezone.now(), time.monotonic()
    paths = [*checkpoints.kept_in(settings.LEDGER_CHECKPOINTS), *more_checkpoints]
    files = archived.files(archives) if archives else None
    found = verifying.verify(
        [*trusted_keys(), *more_keys],
        paths,
        partial(say, "Reading the ledger"),
        files.archived if files else None,
    )
    records, altered = _compared(say) if not chain_only else (0, [])
    told = sorted([*(files.breaks() if files else ()), *found.breaks, *altered], key=lambda one: one.seq)
    for one in told:
        log.error("The record is broken: %s", one.detail)
    return Verification.objects.create(
        at=now,
        seconds=time.monotonic() - began,
        entries=found.entries,
        seq=found.end.seq,
        hash=found.end.hash,
        checkpoints=found.compared,
        records=records,
        breaks=[asdict(one) for one in told],
    )


def _compared(say: Say) -> tuple[int, list[Break]]:
    """How many actions were, and where jobs, actions or changes of people are not what the ledger says."""
    records, told = 0, list[Break]()
    for one in vouching.altered(partial(say, "Comparing actions")):
        if isinstance(one, int):
            records = one
        elif len(told) < verifying.MOST_TOLD:
            told.append(one)
    entries = witnessing.entries_about_people().iterator(chunk_size=2_000)
    heard = witnessing.Told()
    altered = witnessing.altered_revisions(entries, _revisions_kept_since(), heard)
    told += islice(altered, verifying.MOST_TOLD - len(told))
    if len(told) < verifying.MOST_TOLD:  # else not all that is told of was heard
        told += islice(heard.untold(_ledger_cut_at()), verifying.MOST_TOLD - len(told))
    return records, told


def _ledger_cut_at() -> datetime | None:
    """When the first entry that is left was written, where older ones were pruned."""
    first = Entry.objects.order_by("seq").first()
    return first.at if first and first.seq > 1 else None


def _revisions_kept_since() -> datetime | None:
    """Retention lets older changes of people go, but for the last one of each."""
    pruned = Entry.objects.filter(verb=Verb.HISTORY_PRUNED).order_by("-seq")
    facts = (entry.told()["facts"] for entry in pruned)
    befores = [datetime.fromisoformat(said["before"]) for said in facts if said["kind"] == "revisions"]
    return max(befores, default=None)


def verify_if_due(now: datetime) -> None:
    if not Verification.objects.filter(at__gt=now - VERIFY_EVERY).exists():
        verify()


def keep_checkpoint(now: datetime) -> Path | None:
    """Where there is a key to sign with, and something new since the last one."""
    head = Head.objects.first()
    if not settings.LEDGER_KEY or head is None or not head.seq:
        return None
    folder = settings.LEDGER_CHECKPOINTS
    if old_state.newest_gap():  # verifying says so, and a newer checkpoint must not hide it
        return None
    kept = {_seq_of(path) for path in checkpoints.kept_in(folder)} - {seq for seq, _ in acknowledged()}
    if max(kept, default=0) >= head.seq:
        return None
    made = state(settings.LEDGER_KEY, head, now)
    # One of what a restore has lost may have this very name: it stays, and the next hour has another.
    return None if checkpoints.path_of(made, folder).exists() else checkpoints.keep(made, folder)


def state(key: str, head: Head, now: datetime) -> checkpoints.Checkpoint:
    """A checkpoint of where the chain stands now, signed with this private key."""
    return checkpoints.sign(key, str(head.installation), head.link, now)


def _seq_of(path: Path) -> int:
    number = path.stem.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else 0
