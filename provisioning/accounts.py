"""Keep what was last seen and left of each account, so that matches, drift and losses can be told.

Ids are interned where many are kept, as they are where lists are parsed: one text of each id for a whole job.
"""

import json
import sys
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from directory.bulk import batches
from integrations.connectors.base import Account as Seen
from integrations.connectors.base import AccountState, Grant
from integrations.models import Integration
from provisioning.actions import Kind
from provisioning.models import Account, Action, Key, ProvisioningJob
from provisioning.planning import Left

CHUNK = 1_000
"""Rows at a time, where there are many."""


def known_members(integration: Integration) -> set[str]:
    """Ids of the members that the last complete read saw and nothing has removed since."""
    ids = _members(integration).values_list("remote_id", flat=True).iterator(chunk_size=CHUNK)
    return {sys.intern(id) for id in ids}


def number_of_members(integration: Integration) -> int:
    return _members(integration).count()


def _members(integration: Integration) -> QuerySet[Account]:
    return integration.accounts.filter(state=AccountState.ACTIVE, gone_at=None)


def known_invites(integration: Integration) -> dict[str, str]:
    """The addresses of the open invites that the last complete read saw, by id."""
    present = Account.objects.filter(integration=integration, state=AccountState.INVITED, gone_at=None)
    return dict(present.values_list("remote_id", "email"))


def known_owners(integration: Integration, owner_role: str) -> list[str]:
    return list(
        _members(integration).filter(role=owner_role).order_by("pk").values_list("remote_id", flat=True)
    )


def number_known(integration: Integration) -> int:
    return integration.accounts.filter(gone_at=None).count()


class GrantsByText(dict[str, tuple[Grant, ...]]):
    """Most accounts hold what others hold, and a text is read once."""

    def __missing__(self, text: str) -> tuple[Grant, ...]:
        found = self[text] = tuple(Grant(**one) for one in json.loads(text))
        return found


class LeftByText(dict[str, Left]):
    """Likewise of how they were left."""

    def __missing__(self, text: str) -> Left:
        found = self[text] = _as_left(json.loads(text))
        return found


def as_seen(row: Account, *, is_service: bool = False) -> Seen:
    """A row as the read that wrote it saw the account. That it is a machine's, no column keeps."""
    return Seen(
        row.remote_id,
        AccountState(row.state),
        row.email or None,
        row.role or None,
        row.name or None,
        grants=tuple(Grant(**one) for one in row.grants),
        managed_elsewhere=row.managed_elsewhere,
        is_service=is_service,
        expires_at=row.expires_at,
    )


def left_of(row: Account) -> Left | None:
    return _as_left(row.left) if row.left else None


def _as_left(kept: Mapping[str, Any]) -> Left:
    return Left(kept["role"], frozenset(Grant(**grant) for grant in kept["grants"]))


def changed_since(integration: Integration, began_at: datetime) -> frozenset[str]:
    """Accounts that we have changed since then: a read that began before it may show them as they were."""
    changed = Account.objects.filter(integration=integration, changed_at__gte=began_at)
    return frozenset(changed.values_list("remote_id", flat=True))


def owed_a_sweep(integration: Integration) -> list[Account]:
    """Accounts that we removed, and whose leavings are not settled since then."""
    removals = Action.objects.filter(job__integration=integration, kind=Kind.REMOVE).that_took()
    never_since = Q(swept_at=None) | Q(swept_at__lt=F("gone_at"))
    gone = Account.objects.filter(never_since, integration=integration, gone_at__isnull=False)
    return list(gone.filter(remote_id__in=removals.values("account_id")).order_by("pk"))


def note_swept(swept: Iterable[Account], *, now: datetime) -> None:
    Account.objects.filter(pk__in=[account.pk for account in swept]).update(swept_at=now)


def mark_gone(integration: Integration, remote_ids: Collection[str], *, now: datetime) -> None:
    """These accounts are no longer there; later reads are compared without them."""
    for some in batches(sorted(remote_ids)):
        rows = integration.accounts.present().filter(remote_id__in=some)
        _keep_last_seen(rows, integration)
        rows.update(gone_at=now)


def accept_absences(job: ProvisioningJob, *, now: datetime) -> None:
    """Somebody has agreed that the accounts which the job missed are gone, but for those seen again since."""
    seen_since = job.integration.accounts.seen_since(job.planned_at or now)
    for some in batches(job.read.get("vanished", [])):
        seen_again = seen_since.filter(remote_id__in=some).values_list("remote_id", flat=True)
        mark_gone(job.integration, set(some) - set(seen_again), now=now)


def note_missing(integration: Integration, remote_ids: Collection[str], *, now: datetime) -> None:
    """Once, by the first read that misses them."""
    for some in batches(sorted(remote_ids)):
        rows = integration.accounts.present().filter(remote_id__in=some, missing_since=None)
        _keep_last_seen(rows, integration)
        rows.update(missing_since=now)


def _keep_last_seen(rows: QuerySet[Account], integration: Integration) -> None:
    """From here on the last read of all accounts tells nothing of these."""
    if read_at := integration.accounts_read_at:
        rows.filter(missing_since=None, last_seen_at__lt=read_at).update(last_seen_at=read_at)


def remember_effect(action: Action, *, now: datetime) -> None:
    """After a confirmed action: the account as we left it, so that what differs later is drift."""
    if action.kind == Kind.INVITE:
        remember_invite(action, now=now)
        return
    if action.kind == Kind.REVOKE_KEY:
        _remember_revocation(action, now=now)
        return
    if action.kind == Kind.CREATE or action.holder:
        return  # about no account's hold on anything, but for what it has through a group
    row = Account.objects.filter(
        integration=action.job.integration_id, remote_id=action.account_id or "", gone_at=None
    ).first()
    if row is None:
        return
    if action.kind in (Kind.REMOVE, Kind.WITHDRAW_INVITE):
        row.gone_at, row.last_seen_at = now, action.started_at or now  # it was looked at just before
    elif action.kind == Kind.CHANGE_ROLE:
        row.role = action.role or ""
    elif action.entitlement:
        held = (action.entitlement["kind"], action.entitlement["id"])
        others = [grant for grant in row.grants if (grant["kind"], grant["id"]) != held]
        gained = [{"kind": held[0], "id": held[1], "role": action.role}] if action.role else []
        row.grants = sorted(others + gained, key=lambda grant: (grant["kind"], grant["id"]))
    row.left = {"role": row.role or None, "grants": row.grants}
    row.changed_at = now
    row.save(update_fields=["gone_at", "last_seen_at", "role", "grants", "left", "changed_at"])


def _remember_revocation(action: Action, *, now: datetime) -> None:
    held = action.entitlement or {}
    known = Key.objects.filter(integration=action.job.integration_id, kind=held.get("kind"))
    known.present().filter(remote_id=held.get("id")).update(gone_at=now)


def remember_invite(action: Action, *, now: datetime) -> None:
    """Already when it is sent: whoever leaves before the next read has something to lose."""
    if not action.new_account_id:
        return
    Account.objects.get_or_create(
        integration=action.job.integration,
        remote_id=action.new_account_id,
        defaults={
            "email": action.email,
            "role": action.role or "",
            "state": AccountState.INVITED,
            "grants": action.grants,
            "left": {"role": action.role, "grants": action.grants},
            "person_id": action.person_id,
            "match": Account.Match.EMAIL if action.person_id else Account.Match.NONE,
            "situation": "matched",
            "first_seen_at": now,
            "last_seen_at": now,
            "changed_at": now,
        },
    )
