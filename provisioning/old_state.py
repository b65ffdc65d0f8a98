"""A database that is older than what happened: a backup was restored. Found out, and made harmless.

Such a directory knows the leavers of since then as active, and would invite them again; a plan from then is
not what an approver would say yes to today. So no job does anything until somebody has run `after_restore`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session

from cakewalk.ledger import checkpoints
from cakewalk.ledger.checkpoints import Checkpoint, Unreadable
from cakewalk.ledger.models import Entry, Head, Pruning
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.restored import acknowledged
from cakewalk.ledger.verbs import Verb
from integrations.configuring import configure
from integrations.models import Integration, KeyLink
from provisioning import requesting
from provisioning.models import ProvisioningJob

WHY = "An older state of the database was restored."
OBSERVE = Integration.Mode.OBSERVE


@dataclass(frozen=True, slots=True)
class Gap:
    """What signed checkpoints know and the database does not: `lost` of them, the newest last."""

    head: int
    lost: Sequence[Checkpoint]

    @property
    def sentence(self) -> str:
        newest = self.lost[-1]
        return (
            f"{WHY} Its ledger ends at entry {self.head} or goes on otherwise, and a checkpoint of "
            f"{newest.at[:16].replace('T', ' ')} UTC knows entry {newest.seq}. Run `after_restore`."
        )

    def refusal(self) -> dict[str, str]:
        return {"code": "older_state", "detail": self.sentence}


@dataclass(frozen=True, slots=True)
class Harmless:
    """What was done: former modes by integration, and in numbers what else."""

    modes: dict[str, str]
    jobs: Sequence[int]
    sessions: int
    key_links: int


def newest_gap() -> Gap | None:
    """Whether the newest checkpoint fits the ledger: cheap enough to be asked by each job."""
    newest = checkpoints.newest_in(settings.LEDGER_CHECKPOINTS)
    return gap([newest]) if newest else None


def whole_gap() -> Gap | None:
    return gap(list(checkpoints.kept_in(settings.LEDGER_CHECKPOINTS)))


def gap(paths: Sequence[Path]) -> Gap | None:
    head = Head.objects.first() or Head()
    known, begin = acknowledged(), Pruning.begin().seq
    lost = [
        one
        for one in map(_ours, paths)
        if one
        and one.installation == str(head.installation)
        and one.seq >= begin
        and (one.seq, one.hash) not in known
        and not _is_entry(one, begin)
    ]
    return Gap(head.seq, lost) if lost else None


def _is_entry(one: Checkpoint, begin: int) -> bool:
    return one.seq == begin or Entry.objects.filter(seq=one.seq, hash=one.hash).exists()


def _ours(path: Path) -> Checkpoint | None:
    """One that was signed here. What others put into the folder stops no work; verifying tells of it."""
    try:
        one = checkpoints.read(path)
    except Unreadable:
        return None
    own = checkpoints.public_key(settings.LEDGER_KEY) if settings.LEDGER_KEY else ""
    return one if one.is_signed_by([own, *settings.LEDGER_PUBLIC_KEYS]) else None


def make_harmless(*, now: datetime, facts: dict[str, Any]) -> Harmless:
    """Every integration only observes, no plan and no job of then goes on, nobody is signed in as then, and
    no one-time link of then works. `facts`: what else the ledger is to know of the restore.
    """
    with together():
        found = whole_gap()
        head = Head.objects.first() or Head()
        done = Harmless(
            modes=_only_observe(now),
            jobs=_cancel_jobs(),
            sessions=Session.objects.all().delete()[0],
            key_links=_revoke_links(now),
        )
        lost = [[one.seq, one.hash, one.at] for one in found.lost] if found else []
        record(
            Verb.RESTORED,
            name="database",
            facts={
                **facts,
                "ledger_ended_at": head.seq,
                "checkpoints_lost": lost,
                "modes": done.modes,
                "jobs_cancelled": list(done.jobs),
                "sessions_ended": done.sessions,
                "key_links_revoked": done.key_links,
            },
        )
    return done


def _only_observe(now: datetime) -> dict[str, str]:
    before = {}
    for integration in Integration.objects.exclude(mode=OBSERVE).order_by("name"):
        before[integration.name] = integration.mode
        configure(integration, {"mode": OBSERVE}, now=now, facts={"because": WHY})
    return before


def _cancel_jobs() -> list[int]:
    going = (*ProvisioningJob.LIVE, ProvisioningJob.State.AWAITING_APPROVAL)
    jobs = list(ProvisioningJob.objects.filter(state__in=going).order_by("pk"))
    for job in jobs:
        requesting.cancel(job, by=None, reason=WHY)
    return [job.pk for job in jobs]


def _revoke_links(now: datetime) -> int:
    return sum(link.revoke(now=now) for link in KeyLink.objects.open(now))
