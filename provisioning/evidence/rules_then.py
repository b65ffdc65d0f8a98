"""Access rules as they stood at both ends of a period, and each change between, by whom."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import translation

from cakewalk.ledger.chain import Link
from cakewalk.ledger.models import Entry
from cakewalk.ledger.saying import said_of
from provisioning.evidence.ordering import Order, Stand
from provisioning.evidence.rewinding import Rows, Told, rewound
from provisioning.models import AccessRule, GroupRule

KINDS = ("provisioning.accessrule", "provisioning.grouprule")

COLUMNS = ("kind", "id", "name", "state", "group", "role", "grants")
CHANGE_COLUMNS = (
    "at",
    "by",
    "by_kind",
    "address",
    "verb",
    "kind",
    "id",
    "name",
    "field",
    "before",
    "after",
    "entry",
    "hash",
)


@dataclass(frozen=True, slots=True)
class RulesThen:
    at_start: list[dict[str, Any]]
    at_end: list[dict[str, Any]]


def rules_then(asked: Order, told: Stand) -> RulesThen:
    start: list[dict[str, Any]] = []
    end: list[dict[str, Any]] = []
    of = asked.integration
    sorts: tuple[Iterable[AccessRule | GroupRule], ...] = (of.rules.all(), of.group_rules.all())
    for kind, rules in zip(KINDS, sorts, strict=True):
        now = {str(row.pk): _said(row) for row in rules}
        about = Entry.objects.filter(object_kind=kind, integration=of.pk)
        at_end = rewound(now, told_of(about, after=told.last))
        at_start = rewound(at_end, told_of(about, after=told.before, until=told.last))
        end += _rows(kind, at_end)
        start += _rows(kind, at_start)
    return RulesThen(start, end)


def _said(row: AccessRule | GroupRule) -> dict[str, Any]:
    """As the ledger tells of a rule: its fields, and what it grants."""
    with translation.override("en"):
        return {**said_of(row), "grants": sorted(str(grant) for grant in row.grants.all())}


def told_of(about: "QuerySet[Entry]", *, after: Link, until: Link | None = None) -> Iterator[Told]:
    """The newest first."""
    entries = about.filter(Q(seq__lte=until.seq) if until else Q(), seq__gt=after.seq).order_by("-seq")
    for entry in entries.iterator():
        said = entry.told()
        yield Told(entry.verb, entry.object_id, said.get("before") or {}, said.get("after") or {})


def _rows(kind: str, rows: Rows) -> list[dict[str, Any]]:
    found = [
        {
            "kind": kind.rpartition(".")[2],
            "id": id,
            "name": fields.get("name"),
            "state": fields.get("state"),
            "group": fields.get("group") or ("every active person" if kind == KINDS[0] else None),
            "role": fields.get("role"),
            "grants": fields.get("grants", []),
        }
        for id, fields in rows.items()
    ]
    return sorted(found, key=lambda row: (row["kind"], str(row["name"]).casefold(), int(row["id"])))


def rule_changes(asked: Order, told: Stand) -> Iterator[dict[str, Any]]:
    return changes(
        Entry.objects.filter(object_kind__in=KINDS, integration=asked.integration.pk), told, lambda said: said
    )


def changes(about: "QuerySet[Entry]", told: Stand, only: Any) -> Iterator[dict[str, Any]]:
    """A row for each field that an entry of the period tells of."""
    entries = about.filter(seq__gt=told.before.seq, seq__lte=told.last.seq).order_by("seq")
    for entry in entries.iterator():
        said = entry.told()
        before, after = only(said.get("before") or {}), only(said.get("after") or {})
        for name in _fields(before, after):
            yield {
                "at": entry.at,
                "by": entry.actor,
                "by_kind": entry.actor_kind,
                "address": entry.address,
                "verb": entry.verb,
                "kind": entry.object_kind.rpartition(".")[2],
                "id": entry.object_id,
                "name": entry.object_name,
                "field": name,
                "before": before.get(name),
                "after": after.get(name),
                "entry": entry.seq,
                "hash": entry.hash,
            }


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    return {**before, **after}
