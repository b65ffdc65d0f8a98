"""Keep which keys and service accounts there are, for people: once a day, after all else of a sync.

It decides nothing. Whatever goes wrong in it leaves the job as it is, and what is known of keys, too.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseTrouble
from django.db import transaction
from django.utils import timezone

from directory.bulk import batches
from integrations.connectors.base import Connector, ConnectorError, Keys
from integrations.connectors.base import Key as Seen
from integrations.models import Integration
from provisioning import accounts
from provisioning.applying import KeepAlive
from provisioning.models import Account, JobLost, Key, ProvisioningJob

log = logging.getLogger(__name__)

READ_EVERY = timedelta(days=1)
"""It takes two calls for each project."""
TRIED_EVERY = timedelta(hours=1)
"""After a read that failed, or a worker that was killed in it."""

LONGEST_NAME = 300


def look(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> None:
    """For jobs about everyone, when it is time. All lists are read to their end, or nothing is changed."""
    integration, began = job.integration, timezone.now()
    if not job.about_everyone or not job.follows_rules:
        return
    integration.refresh_from_db(fields=["keys_read_at", "keys_asked_at"])  # another job may have listed them
    if not is_due(integration, now=began):
        return
    job.enter("listing keys", now=timezone.now())
    integration.note_read(keys_asked_at=began)
    try:
        owners = accounts.known_owners(integration, connector.vocabulary.owner_role)
        found = connector.fetch_keys(owners)
        with transaction.atomic():
            keep_alive.now("Storing the keys")
            remember(integration, found, began=began, now=timezone.now())
    except (JobLost, DatabaseTrouble):
        raise
    except ConnectorError as error:
        log.info("%s has not listed keys: %s", job, error)
        integration.note_read(keys_unread=[str(error)])
    except Exception:
        log.exception("%s has not listed keys.", job)


def is_due(integration: Integration, *, now: datetime) -> bool:
    read_at, asked_at = integration.keys_read_at, integration.keys_asked_at
    return (read_at is None or now - read_at >= READ_EVERY) and (
        asked_at is None or now - asked_at >= TRIED_EVERY
    )


def remember(integration: Integration, found: Keys, *, began: datetime, now: datetime) -> None:
    """Write what a complete read saw. Kinds that the credential may not read stay as they were, and what
    another job has revoked since the read `began` stays gone.
    """
    stored = Key.objects.filter(integration=integration, kind__in=found.kinds)
    rows = {(row.kind, row.remote_id): row for row in stored}
    owners = _accounts_of(integration, found.keys)
    fresh: list[Key] = []
    changed: list[Key] = []
    for seen in found.keys:
        row = rows.pop((seen.kind, seen.id), None) or Key(
            integration=integration, kind=seen.kind, remote_id=seen.id, first_seen_at=now, last_seen_at=now
        )
        if row.gone_at and row.gone_at >= began:
            continue
        values = _values(seen, owners.get(seen.owner_id))
        if any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            (changed if row.pk else fresh).append(row)
    Key.objects.bulk_create(fresh, batch_size=500)
    Key.objects.bulk_update(changed, FIELDS, batch_size=500)
    for gone in batches([row.pk for row in rows.values() if row.gone_at is None]):
        Key.objects.filter(pk__in=gone).update(gone_at=now)
    stored.present().update(last_seen_at=now)
    integration.note_read(keys_read_at=now, keys_unread=list(found.unread))


FIELDS = (
    "name",
    "place",
    "shown",
    "owner_id",
    "owner_name",
    "account_id",
    "of_machine",
    "is_ours",
    "unattended",
    "made_at",
    "last_used_at",
    "expires_at",
    "gone_at",
)


def _values(seen: Seen, account_id: int | None) -> dict[str, Any]:
    return {
        "name": seen.name[:LONGEST_NAME],
        "place": seen.place[:LONGEST_NAME],
        "shown": seen.shown,
        "owner_id": seen.owner_id,
        "owner_name": seen.owner_name[:LONGEST_NAME],
        "account_id": account_id,
        "of_machine": seen.of_machine,
        "is_ours": seen.is_ours,
        "unattended": seen.unattended,
        "made_at": seen.made_at,
        "last_used_at": seen.last_used_at,
        "expires_at": seen.expires_at,
        "gone_at": None,
    }


def _accounts_of(integration: Integration, keys: Iterable[Seen]) -> dict[str, int]:
    """Of the owners of keys, by their ids in the remote."""
    accounts = Account.objects.filter(integration=integration)
    found: dict[str, int] = {}
    for owners in batches(sorted({key.owner_id for key in keys})):
        found |= dict(accounts.filter(remote_id__in=owners).values_list("remote_id", "pk"))
    return found
