"""What a job's page says of each account that was removed: every item, and the read that showed it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioning.actions import Kind, Situation
from provisioning.models import Action, ProvisioningJob

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
    email: str
    items: Sequence[Item]

    @property
    def is_closed(self) -> bool:
        return all(item.tone == "success" for item in self.items)


def checklists(job: ProvisioningJob) -> list[Checklist]:
    removed = list(job.actions.filter(kind=Kind.REMOVE, state=Action.State.DONE).order_by("seq")[:SHOWN])
    if not removed:
        return []
    ids = [row.account_id for row in removed]
    found = job.actions.filter(situation=Situation.LEFT_BEHIND, account_id__in=ids).order_by("seq")
    by_account: dict[str | None, list[Action]] = defaultdict(list)
    for row in found:
        by_account[row.account_id].append(row)
    return [Checklist(row.email, [*_items(row, by_account[row.account_id], job.swept)]) for row in removed]


def _items(removal: Action, keys: Sequence[Action], swept: Mapping[str, Any] | None) -> Iterable[Item]:
    seen = removal.confirmed_at
    yield Item("Removed from the organization", "success" if seen else "warning", seen)
    if swept is None or removal.account_id not in swept["accounts"]:
        yield Item("Its keys have not been looked for yet; the next sync does", "warning")
        return
    yield from map(_key, keys)
    yield from (Item(sentence, "warning") for sentence in swept["unread"])
    if not keys:
        lists = len(swept["listings"])
        yield Item(f"No key of theirs is on the {lists} lists that were read", "success")


def _key(row: Action) -> Item:
    key = row.entitlement or {}
    what = (
        f"{str(key.get('kind', 'key')).capitalize()} {key.get('name')} for {(row.before or {}).get('place')}"
    )
    if row.kind == Kind.REPORT:
        return Item(f"{what}: reported, and left as it is", "warning")
    if row.confirmed_at:
        return Item(f"{what}: revoked", "success", row.confirmed_at)
    why = (row.error or {}).get("detail", "")
    return Item(f"{what}: {row.get_state_display().lower()}. {why}".strip(), "warning")
