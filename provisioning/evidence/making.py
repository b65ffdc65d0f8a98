"""Make the packs that were asked for, in a worker or in a command, and write down that they were made."""

import logging
import time
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any

from django.db import OperationalError
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from cakewalk.ledger import actors
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from provisioning import recovering, requesting
from provisioning.evidence.building import Built, Tell, build
from provisioning.evidence.models import EvidencePack, Piece, TakenOver
from provisioning.evidence.ordering import Order

log = logging.getLogger(__name__)

STORING = _("Storing")
PIECE_BYTES = 1024 * 1024
TOLD_EVERY = 0.5
"""Seconds between two words of how far it is."""


def ask(asked: Order, *, by: User, now: datetime) -> EvidencePack:
    """Queue it, and wake a worker when that is committed."""
    from provisioning.evidence import tasks  # noqa: PLC0415 - which make what is asked for here

    with together():
        pack = _row(asked, by=by, now=now)
        record(Verb.EVIDENCE_ASKED, pack, facts=_of(asked))
        requesting.wake(tasks.make_pack, pack_id=pack.pk)
    return pack


def _row(asked: Order, *, by: User | None, now: datetime, **more: Any) -> EvidencePack:
    return EvidencePack.objects.create(
        integration=asked.integration,
        since=asked.since,
        until=asked.until,
        sample=asked.sample,
        seed=asked.seed,
        through=asked.through,
        asked_by=by,
        asked_at=now,
        stepped_at=now,
        **more,
    )


def _of(asked: Order) -> dict[str, Any]:
    return {
        "since": asked.since,
        "until": asked.until,
        "sample": asked.sample,
        "seed": asked.seed or None,
        "through": asked.through,
    }


def make_here(asked: Order, out: IO[bytes], *, tell: Tell) -> tuple[EvidencePack, Built]:
    """At once, into a file of the caller's own. Its row says that it was made, and keeps no copy."""
    built = build(asked, out, tell)
    now = timezone.now()
    with together():
        done = {
            "state": EvidencePack.State.DONE,
            "digest": built.digest,
            "size": out.tell(),
            "said": built.said,
        }
        pack = _row(asked, by=None, now=now, **done)
        _record_made(pack, built)
    return pack, built


def _record_made(pack: EvidencePack, built: Built, *, by: actors.Actor | None = None) -> None:
    of = _of(pack.order()) | {"seed": built.said["pack"]["seed"]}
    stand = built.said["pack"]["state_of_the_record"]
    facts = of | {"state": stand, "manifest_sha256": built.digest, "bytes": pack.size}
    record(Verb.EVIDENCE_MADE, pack, facts=facts, by=by)


def lost(*, now: datetime) -> list[int]:
    """Those whose message was lost, or whose worker died: to be sent again."""
    return [pack.pk for pack in EvidencePack.objects.live() if _is_free(pack, now=now)]


def _is_free(pack: EvidencePack, *, now: datetime) -> bool:
    return recovering.is_free(pack.holder, pack.lease_expires_at, now=now)


def go_on(pack_id: int) -> None:
    """From the beginning, for nothing of it is kept before its end. Nothing where another worker has it."""
    pack = EvidencePack.objects.select_related("integration", "asked_by").filter(pk=pack_id).first()
    now = timezone.now()
    if pack is None or not pack.is_live or not _is_free(pack, now=now):
        return
    if not pack.claim(holder=recovering.worker_name(), now=now, after=pack.holder):
        return
    try:
        _make(pack)
    except TakenOver:
        log.warning("Evidence pack %s was taken over by another worker.", pack.pk)
    except OperationalError:
        raise  # the database is away; the clock finds the pack again
    except Exception as error:
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("Evidence pack %s failed.", pack.pk)
        what = f"An error in Cakewalk itself: {type(error).__name__}."
        pack.fail(f"{what} The worker's log has more.", now=timezone.now())


def _make(pack: EvidencePack) -> None:
    with TemporaryFile() as out:
        built = build(pack.order(), out, _teller(pack))
        size = out.tell()
        out.seek(0)
        pack.tell(STORING, 0, now=timezone.now())
        with together():
            pack.pieces.all().delete()
            number = 0
            while content := out.read(PIECE_BYTES):
                Piece.objects.create(pack=pack, number=number, content=content)
                number += 1
            pack.finish(now=timezone.now(), digest=built.digest, size=size, said=built.said)
            _record_made(pack, built, by=actors.person(pack.asked_by))


def _teller(pack: EvidencePack) -> Tell:
    told_at = 0.0

    def tell(doing: str, share: float) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TOLD_EVERY:
            pack.tell(doing, share, now=timezone.now())
            told_at = time.monotonic()

    return tell
