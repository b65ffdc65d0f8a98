"""Let old rows go: write them into a file, note that in the ledger, and then delete what the file holds.

Whoever is killed on the way has lost nothing and repeats nothing: until the file is whole and noted nothing
is deleted, and after that the next process deletes what is left of what the file holds.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from cakewalk.ledger import chain
from cakewalk.ledger.models import Head, Pruning
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from provisioning import recovering
from provisioning.retention import archive as files
from provisioning.retention.kinds import KINDS, Kind, Span, cutoff
from provisioning.retention.models import Archive, PruningLost, days_of_all

PORTION = 2_000
"""Lines of a file whose rows are deleted in one transaction."""
PAUSE = 0.02
"""Seconds between two of them: SQLite has one writer, and the others want a turn."""
TOLD_EVERY = 20_000

Say = Callable[[str], None]


class Refused(Exception):
    """Nothing was done; says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """By kind: what the ledger tells of it. `path`: empty where there was nothing to write."""

    contents: Mapping[str, Mapping[str, Any]]
    path: str = ""
    sha256: str = ""


@dataclass(slots=True)
class _Went:
    """What has been written of one kind."""

    before: datetime
    span: Span
    rows: int = 0
    last: Mapping[str, Any] = field(default_factory=dict)


Cutoffs = Mapping[str, datetime]
"""By kind: what is older goes."""


def by_retention(kinds: Collection[str] = (), *, now: datetime) -> dict[str, datetime]:
    """Of these kinds, or all of them, those that are not kept for ever."""
    return {
        key: cutoff(days, now=timezone.localtime(now))
        for key, days in days_of_all().items()
        if days is not None and KINDS[key].is_exported and (not kinds or key in kinds)
    }


def before(day: datetime, kinds: Collection[str] = (), *, now: datetime) -> dict[str, datetime]:
    """The same up to a day. Raises Refused where retention does not let that much go."""
    allowed = by_retention(kinds, now=now)
    for key in kinds:
        if key not in allowed:
            raise Refused(f"{key} is kept for ever. Say on the page Retention how long it is to be kept.")
    for key, latest in allowed.items():
        if day > latest:
            raise Refused(
                f"{key} is kept from {latest:%Y-%m-%d} on, which retention says. Name no later day."
            )
    return dict.fromkeys(allowed, day)


def forecast(cutoffs: Cutoffs) -> dict[str, int]:
    """How many would go now."""
    return {key: sum(map(len, KINDS[key].going(latest))) for key, latest in cutoffs.items()}


def nothing(text: str) -> None:
    """For whoever wants to be told nothing."""


def prune(cutoffs: Cutoffs, path: Path, *, say: Say = nothing) -> Result:
    """Go on with what was interrupted first. Raises Refused, OSError, BadArchive or PruningLost."""
    finish_interrupted(say=say)
    if not _any_goes(cutoffs):
        return Result({})
    work = _begin(path)
    try:
        _check(path)
        _write(work, cutoffs, say)
        _delete(work, say)
    except PruningLost:
        raise
    except BaseException as error:
        _stop(work, error)
        raise
    return Result(work.contents, work.path, work.sha256)


def _any_goes(cutoffs: Cutoffs) -> bool:
    return any(some for key, latest in cutoffs.items() for some in KINDS[key].going(latest))


def finish_interrupted(*, say: Say = nothing) -> None:
    """What another process began. Raises Refused where one is at work, or its file is not here."""
    work, now = Archive.objects.unfinished().first(), timezone.now()
    if work is None:
        return
    if not work.is_free(now=now) or not work.claim(holder=recovering.worker_name(), now=now):
        raise Refused(f"Another process prunes since {work.began_at:%Y-%m-%d %H:%M}, into {work.path}.")
    if work.state == Archive.State.WRITING:
        _give_up(work, "It was interrupted before its file was noted.")
        return
    say(f"Going on with what {work.path} holds")
    try:
        _delete(work, say)
    except PruningLost:
        raise
    except BaseException as error:
        _stop(work, error)
        raise


def _stop(work: Archive, error: BaseException) -> None:
    note = str(error) or type(error).__name__
    if work.state == Archive.State.WRITING:
        _give_up(work, note)
    else:
        work.let_go(note)


def _give_up(work: Archive, note: str) -> None:
    """And leave no file behind of which nobody could tell that its rows are still there."""
    work.give_up(note, now=timezone.now())
    path = Path(work.path)
    with suppress(OSError, files.BadArchive):
        files.unfinished(path).unlink(missing_ok=True)
        if files.head_of(path).get("number") == work.pk:  # and not one that was there before
            path.unlink()


def _check(path: Path) -> None:
    if not path.parent.is_dir():
        raise Refused(f"There is no folder {path.parent}.")
    if path.exists():
        raise Refused(f"{path} exists already; name a file that does not.")


def _begin(path: Path) -> Archive:
    try:
        with transaction.atomic():
            return Archive.begin(str(path.absolute()), holder=recovering.worker_name(), now=timezone.now())
    except IntegrityError:
        raise Refused("Another process has just begun to prune.") from None


# -- writing


def _write(work: Archive, cutoffs: Cutoffs, say: Say) -> None:
    path, went = Path(work.path), dict[str, _Went]()
    with files.Writer(path, _head(work, cutoffs)) as writer:
        for key, latest in cutoffs.items():
            found = _write_kind(work, writer, KINDS[key], latest, say)
            if found.span.number:
                went[key] = found
        say(f"Bringing {path} to the disk")
        sha256 = writer.close()
    say(f"Noting {path} in the ledger")
    _note(work, went, sha256)


def _head(work: Archive, cutoffs: Cutoffs) -> dict[str, Any]:
    """Which installation wrote it, and after which entry of its ledger it begins."""
    after = Pruning.begin()
    head, _ = Head.objects.get_or_create(pk=1)
    return {
        "number": work.pk,
        "installation": head.installation,
        "at": timezone.now(),
        "before": dict(cutoffs),
        "after": {"seq": after.seq, "hash": after.hash},
    }


def _write_kind(work: Archive, writer: files.Writer, kind: Kind, latest: datetime, say: Say) -> _Went:
    went = _Went(latest, Span(with_numbers=kind.key == "jobs"))
    for keys in kind.going(latest):
        work.renew(now=timezone.now())
        went.span.add(keys)
        for table, row in kind.lines(keys):
            writer.add(table, row)
            went.rows += 1
            if went.rows % TOLD_EVERY == 0:
                say(f"{kind.key}: {went.rows} rows")
                work.renew(now=timezone.now())
            went.last = row
    say(f"{kind.key}: {went.rows} rows written")
    return went


def _note(work: Archive, went: Mapping[str, _Went], sha256: str) -> None:
    """In one transaction: that these rows go, in the ledger, and where its own chain goes on."""
    now = timezone.now()
    with together():
        contents = {key: _facts(key, one) for key, one in went.items()}
        work.note_written(sha256, contents, now=now)
        file = {"file": work.name, "sha256": sha256}
        for key, facts in contents.items():
            if key == "ledger":
                Pruning.objects.create(seq=facts["seq"], hash=facts["hash"], at=now, exported=sha256)
                record(Verb.LEDGER_PRUNED, work, facts={**facts, **file})
            else:
                record(Verb.HISTORY_PRUNED, work, facts={"kind": key, **facts, **file})


def _facts(key: str, went: _Went) -> dict[str, Any]:
    of_chain = {"seq": went.last["seq"], "hash": went.last["hash"]} if key == "ledger" else {}
    return {
        "before": chain.moment(went.before),
        "number": went.span.number,
        "rows": went.rows,
        **KINDS[key].facts(went.span),
        **of_chain,
    }


# -- deleting


def _delete(work: Archive, say: Say) -> None:
    """What the file holds, as it stands on the disk now."""
    path = Path(work.path)
    say(f"Reading {path} again")
    if not path.is_file():
        raise Refused(f"{path} is not here; what it holds is deleted where it is, and not without it.")
    if files.sha256_of(path) != work.sha256:
        raise Refused(f"{path} is not what was written; nothing more is deleted.")
    deleted = 0
    for kind, keys in _portions(path, work.contents):
        latest = parse_datetime(work.contents[kind.key]["before"])
        with transaction.atomic():
            work.renew(now=timezone.now())
            kind.delete(keys, latest or work.began_at)
        deleted += len(keys)
        say(f"{kind.key}: {deleted} deleted")
        time.sleep(PAUSE)
    work.finish(now=timezone.now())
    say("Done")


def _portions(path: Path, contents: Collection[str]) -> Iterator[tuple[Kind, Sequence[Any]]]:
    """Whole rows of one kind each, with what belongs to them."""
    kinds = {KINDS[key].model._meta.label_lower: KINDS[key] for key in contents}
    names = {table: kind.model._meta.pk.attname for table, kind in kinds.items()}
    of, keys, lines = None, list[Any](), 0
    for table, row in files.rows_of(path):
        lines += 1
        kind = kinds.get(table)
        if kind is None:
            continue  # it belongs to the row of a kind that follows
        if of is not None and keys and (of is not kind or lines >= PORTION):
            yield of, keys
            keys, lines = [], 0
        of = kind
        keys.append(row[names[table]])
    if of is not None and keys:
        yield of, keys
