"""Keep what can be held in each remote, with its name, for pages and exports."""

from collections import Counter
from datetime import datetime

from integrations.models import Integration
from provisioning.group_planning import GroupReading
from provisioning.models import Entitlement
from provisioning.reading import Reading

FIELDS = ("name", "unmanageable", "within", "holders", "group_roles", "last_seen_at", "gone_at")
LONGEST_NAME = 255


def remember(integration: Integration, reading: Reading, *, now: datetime) -> None:
    """Write what a complete read saw of the kinds it asked for. What it did not ask for stays as it was."""
    held = Counter(grants for account in reading.accounts if (grants := account.grants))
    holders = Counter[tuple[str, str]]()
    for grants, number in held.items():
        for grant in grants:
            holders[grant.kind, grant.id] += number
    seen = {(found.kind, found.id): found for found in reading.entitlements if found.id}
    kinds = {kind for kind, _ in seen}
    group_roles = _group_roles(reading.groups)
    named = _named_by_group_rules(integration) if seen else set()
    stored = integration.entitlements.filter(kind__in=kinds)
    rows = {(row.kind, row.remote_id): row for row in stored}
    fresh: list[Entitlement] = []
    changed: list[Entitlement] = []
    for key, found in seen.items():
        row = rows.get(key) or Entitlement(
            integration=integration, kind=found.kind, remote_id=found.id, first_seen_at=now
        )
        values = {
            "name": found.name[:LONGEST_NAME],
            "unmanageable": found.unmanageable,
            "within": list(found.within) if found.within else None,
            "holders": holders[key] if key in reading.held else None,
            "group_roles": group_roles.get(key, row.group_roles if found.name.casefold() in named else None),
            "gone_at": None,
        }
        if row.pk is None or any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.last_seen_at = now
            (changed if row.pk else fresh).append(row)
    Entitlement.objects.bulk_create(fresh, batch_size=500)
    Entitlement.objects.bulk_update(changed, FIELDS, batch_size=500)
    gone = [row for key, row in rows.items() if key not in seen and row.gone_at is None]
    for row in gone:
        row.last_seen_at, row.gone_at = row.seen_at, now
    Entitlement.objects.bulk_update(gone, ("last_seen_at", "gone_at"), batch_size=500)
    if kinds:
        read_at = (integration.kinds_read_at or {}) | dict.fromkeys(kinds, now.isoformat())
        integration.note_read(kinds_read_at=read_at)


def _group_roles(reading: GroupReading) -> dict[tuple[str, str], dict[str, list[str]]]:
    """The names of roles: of a place by the names of groups, of a group by those of places."""
    if reading.unread:
        return {}
    known = {one.id: one for one in reading.entitlements if one.id}
    found: dict[tuple[str, str], dict[str, list[str]]] = {(one.kind, one.id): {} for one in known.values()}
    for (group_id, place_id), roles in reading.grants.held.items():
        group, place = known[group_id], known[place_id]
        for one, other in ((group, place), (place, group)):
            if roles:
                found[one.kind, one.id][other.name] = sorted(role.name for role in roles)
    return found


def _named_by_group_rules(integration: Integration) -> set[str]:
    """Without case. Not every job looks at what groups hold, and what it did not look at stays known."""
    rules = integration.group_rules.planned().as_values()
    return {name.casefold() for rule in rules for name in (rule.name, *(one.place for one in rule.grants))}


def names(integration: Integration) -> dict[tuple[str, str], str]:
    """By kind and id."""
    known = Entitlement.objects.filter(integration=integration)
    return {(kind, id): name for kind, id, name in known.values_list("kind", "remote_id", "name")}
