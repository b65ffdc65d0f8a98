"""Keep what can be held in each remote, with its name, for pages and exports."""

from collections import Counter
from datetime import datetime

from integrations.models import Integration
from provisioning.models import Entitlement
from provisioning.reading import Reading

FIELDS = ("name", "unmanageable", "holders", "last_seen_at", "gone_at")
LONGEST_NAME = 255


def remember(integration: Integration, reading: Reading, *, now: datetime) -> None:
    """Write what a complete read saw of the kinds it asked for. What it did not ask for stays as it was."""
    held = Counter((grant.kind, grant.id) for account in reading.accounts for grant in account.grants)
    seen = {(found.kind, found.id): found for found in reading.entitlements if found.id}
    kinds = {kind for kind, _ in seen}
    stored = Entitlement.objects.filter(integration=integration, kind__in=kinds)
    rows = {(row.kind, row.remote_id): row for row in stored}
    fresh: list[Entitlement] = []
    changed: list[Entitlement] = []
    for key, found in seen.items():
        row = rows.get(key) or Entitlement(
            integration=integration, kind=found.kind, remote_id=found.id, first_seen_at=now
        )
        row.name, row.unmanageable = found.name[:LONGEST_NAME], found.unmanageable
        row.holders = held[key] if key in reading.held else None
        row.last_seen_at, row.gone_at = now, None
        (changed if row.pk else fresh).append(row)
    Entitlement.objects.bulk_create(fresh, batch_size=500)
    Entitlement.objects.bulk_update(changed, FIELDS, batch_size=500)
    gone = [row.pk for key, row in rows.items() if key not in seen and row.gone_at is None]
    Entitlement.objects.filter(pk__in=gone).update(gone_at=now)


def names(integration: Integration) -> dict[tuple[str, str], str]:
    """By kind and id."""
    known = Entitlement.objects.filter(integration=integration)
    return {(kind, id): name for kind, id, name in known.values_list("kind", "remote_id", "name")}
