"""What a job's page says of each account that was removed: every item, and the read that showed it.

What nobody could revoke, or was to revoke, stays open until a later read of the keys finds it gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from provisioning.actions import Kind, Situation
from provisioning.models import Action, Key, ProvisioningJob

SHOWN = 50
"""Checklists on one page; a job that removed more lists the rest among its actions."""


@dataclass(frozen=True, slots=True)
class Item:
    """`tone`: success where a read has confirmed it, warning where somebody must act, plain otherwise."""

    text: str
    tone: str
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    """`about`: an address, or what belongs to nobody."""

    about: str
    items: Sequence[Item]

    @property
    def is_closed(self) -> bool:
        return all(item.tone == "success" for item in self.items)


def checklists(job: ProvisioningJob) -> list[Checklist]:
    removed = list(job.actions.filter(kind=Kind.REMOVE, state=Action.State.DONE).order_by("seq")[:SHOWN])
    if not removed:
        return []
    found = list(job.actions.filter(situation=Situation.LEFT_BEHIND).order_by("seq"))
    gone = _gone(job, found)
    by_account: dict[str | None, list[Action]] = defaultdict(list)
    for row in found:
        by_account[row.account_id].append(row)
    lists = [
        Checklist(row.email, [*_items(row, by_account[row.account_id], gone, job.swept)]) for row in removed
    ]
    unread = (job.swept or {}).get("unread", ())
    robots = [Item(row.detail, "warning") for row in by_account[None] if row.detail not in unread]
    return [*lists, Checklist(gettext("Service accounts without a person"), robots)] if robots else lists


def _gone(job: ProvisioningJob, found: Iterable[Action]) -> Mapping[str, datetime]:
    """Keys that a read found gone, by their ids, with when."""
    ids = [row.entitlement["id"] for row in found if row.entitlement]
    keys = Key.objects.filter(integration=job.integration_id, remote_id__in=ids, gone_at__isnull=False)
    return {id: gone_at for id, gone_at in keys.values_list("remote_id", "gone_at") if gone_at}


def _items(
    removal: Action, keys: Sequence[Action], gone: Mapping[str, datetime], swept: Mapping[str, Any] | None
) -> Iterable[Item]:
    seen = removal.confirmed_at
    removed = gettext("Removed from the organization, with all that the account held")
    yield Item(removed, _tone(seen), seen)
    if swept is None or removal.account_id not in swept["accounts"]:
        yield Item(gettext("Its keys have not been looked for yet; the next sync does"), "warning")
        return
    for row in keys:
        yield _key(row, gone.get((row.entitlement or {}).get("id", "")))
    yield from (Item(sentence, "warning") for sentence in swept["unread"])
    if not keys:
        lists = len(swept["listings"])
        said = gettext("No key of theirs is on the %(number)d lists that were read to their end")
        yield Item(said % {"number": lists}, "success")


def _key(row: Action, gone_at: datetime | None) -> Item:
    key = row.entitlement or {}
    what = (
        f"{str(key.get('kind', 'key')).capitalize()} {key.get('name')} for {(row.before or {}).get('place')}"
    )
    if row.confirmed_at:
        return Item(gettext("%(key)s: revoked") % {"key": what}, "success", row.confirmed_at)
    if gone_at:
        return Item(gettext("%(key)s: revoked by others") % {"key": what}, "success", gone_at)
    if row.kind == Kind.REPORT:
        said = gettext("%(key)s: reported, and still to be revoked by hand")
        return Item(said % {"key": what}, "warning")
    why = (row.error or {}).get("detail", "")
    return Item(f"{what}: {row.get_state_display().lower()}. {why}".strip(), "warning")


def _tone(seen_at: datetime | None) -> str:
    return "success" if seen_at else "warning"
