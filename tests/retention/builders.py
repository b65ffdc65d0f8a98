"""Short ways to make history old, and to see what is left of it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, F
from django.utils import timezone

from cakewalk.ledger import chain, guards
from cakewalk.ledger.models import Entry, Head, Pruning
from directory.models import Revision
from integrations.models import Integration
from provisioning.models import Account, Action, Entitlement, Key, PersonChange, ProvisioningJob
from provisioning.retention import pruning
from provisioning.retention.kinds import KINDS

OLD = timedelta(days=500)
AGING = (ProvisioningJob, Action, PersonChange, Revision, Account, Entitlement, Key, Integration)


def age(by: timedelta = OLD) -> None:
    """As if all that has happened until now had happened so much earlier."""
    for model in AGING:
        columns = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
        model._base_manager.update(**{name: F(name) - by for name in columns})
    _age_ledger(by)


def _age_ledger(by: timedelta) -> None:
    """Written anew, with all its hashes, as its triggers let nobody else do."""
    entries, at = list(Entry.objects.order_by("seq")), Pruning.begin()
    guards.remove(connection)
    for entry in entries:
        entry.at -= by
        entry.previous = at.hash
        entry.hash = chain.hash_of(at.hash, entry.values())
        at = chain.Link(entry.seq, entry.hash)
        entry.save()
    if entries:
        Head.objects.get().move_to(at)
    guards.install(connection)


def everything_old(days: int = 400) -> dict[str, datetime]:
    latest = timezone.now() - timedelta(days=days)
    return {key: latest for key, kind in KINDS.items() if kind.is_exported}


def prune(
    folder: Path, cutoffs: dict[str, datetime] | None = None, name: str = "old.jsonl.gz", **more: Any
) -> Any:
    return pruning.prune(everything_old() if cutoffs is None else cutoffs, folder / name, **more)


def jobs() -> list[int]:
    return list(ProvisioningJob.objects.order_by("pk").values_list("pk", flat=True))


def chain_is_whole() -> bool:
    """From where pruning left it up to its head."""
    after = Pruning.begin()
    rows = [entry.as_row() for entry in Entry.objects.filter(seq__gt=after.seq).order_by("seq")]
    head = Head.objects.filter(pk=1).first()
    return list(chain.breaks(rows, after)) == [head.link if head else chain.START]
