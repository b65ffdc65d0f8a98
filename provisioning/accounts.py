"""Keep what was last seen and left of each account, so that matches, drift and losses can be told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from directory.bulk import batches
from integrations.connectors.base import Account as Seen
from integrations.connectors.base import AccountState, Grant
from integrations.models import Integration
from provisioning.actions import Kind
from provisioning.differences import Known
from provisioning.matching import AcceptedElsewhere, Ambiguous, Leftover, Linked, Links, Match, Orphan
from provisioning.models import Account, Action, Key, ProvisioningJob
from provisioning.planning import Left


def known_members(integration: Integration) -> set[str]:
    """Ids of the members that the last complete read saw and nothing has removed since."""
    return set(_members(integration).values_list("remote_id", flat=True))


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


def known_links(integration: Integration, ids: Collection[str] | None = None) -> Links:
    """Of all accounts, or of these."""
    matched = _rows(integration, ids).filter(person__isnull=False)
    by_match: dict[str, dict[str, int]] = {Account.Match.EMAIL: {}, Account.Match.MANUAL: {}}
    for remote_id, person_id, how in matched.values_list("remote_id", "person_id", "match"):
        if person_id is not None:
            by_match.setdefault(how, {})[remote_id] = person_id
    return Links(found=by_match[Account.Match.EMAIL], by_hand=by_match[Account.Match.MANUAL])


def _rows(integration: Integration, ids: Collection[str] | None) -> QuerySet[Account]:
    return integration.accounts.all() if ids is None else integration.accounts.filter(remote_id__in=ids)


def stored(integration: Integration, ids: Collection[str] | None = None) -> dict[str, Account]:
    """Every account that was ever seen, or these, by its id in the remote."""
    return {row.remote_id: row for row in _rows(integration, ids)}


def as_known(rows: Iterable[Account]) -> list[Known]:
    """Those that are present, as they were last seen, or left by us since."""
    return [
        Known(row.remote_id, row.email, row.state, row.role, frozenset(Grant(**one) for one in row.grants))
        for row in rows
        if row.gone_at is None
    ]


def as_left(integration: Integration, ids: Collection[str] | None = None) -> dict[str, Left]:
    rows = _rows(integration, ids).filter(gone_at=None)
    return {
        remote_id: _as_left(left)
        for remote_id, left in rows.values_list("remote_id", "left")
        if left is not None
    }


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


def remember(
    integration: Integration,
    stored: Mapping[str, Account],
    accounts: Sequence[Seen],
    matches: Iterable[Match],
    *,
    to_change: Collection[str],
    missed: Collection[str],
    whole: bool,
    now: datetime,
) -> None:
    """Write what a read saw. Rows that did not change are only touched for when they were seen.

    `stored`: what was known until now of what was read; without `whole` these are some accounts alone.
    `to_change`: account ids that are not as they should be. `missed`: ids whose absence nobody has accepted
    yet, so that the next read misses them again.
    """
    people, situations = _findings(matches)
    fresh: list[Account] = []
    changed: list[Account] = []
    for seen in accounts:
        row = stored.get(seen.id) or Account(
            integration=integration, remote_id=seen.id, first_seen_at=now, last_seen_at=now
        )
        values = _values(seen, people.get(seen.id), situations.get(seen.id, ""), row)
        # An invite does not change: what we sent stays true, whatever part of it the remote shows.
        sent = row.left is not None and seen.state is AccountState.INVITED
        if seen.id not in to_change and not sent:
            values["left"] = {"role": seen.role, "grants": values["grants"]}
        if any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            (changed if row.pk else fresh).append(row)
    Account.objects.bulk_create(fresh, batch_size=500)
    Account.objects.bulk_update(changed, FIELDS, batch_size=500)
    present = {seen.id for seen in accounts}
    absent = [
        row.remote_id for row in stored.values() if row.gone_at is None and row.remote_id not in present
    ]
    mark_gone(integration, set(absent) - set(missed), now=now)
    if missed or not whole:
        _touch(integration, present, now=now)
    else:
        Account.objects.filter(integration=integration, gone_at=None).update(last_seen_at=now)


FIELDS = (
    "email",
    "name",
    "role",
    "state",
    "expires_at",
    "grants",
    "left",
    "person_id",
    "match",
    "situation",
    "managed_elsewhere",
    "gone_at",
)


LONGEST_NAME = 300


def _values(seen: Seen, person_id: int | None, situation: str, row: Account) -> dict[str, Any]:
    """A link by hand stays. So does the match of an account that has become ambiguous: forgotten, the
    next plan would know the address only, and guess.
    """
    by_hand = row.match == Account.Match.MANUAL and row.person_id is not None
    stays = by_hand or situation == "ambiguous"
    found = Account.Match.EMAIL if person_id else Account.Match.NONE
    return {
        "email": seen.email or "",
        "name": (seen.name or "")[:LONGEST_NAME],
        "role": seen.role or "",
        "state": str(seen.state),
        "expires_at": seen.expires_at,
        "grants": [asdict(grant) for grant in seen.grants],
        "person_id": row.person_id if stays else person_id,
        "match": str(row.match if stays else found),
        "situation": situation,
        "managed_elsewhere": seen.managed_elsewhere,
        "gone_at": None,
    }


def _findings(matches: Iterable[Match]) -> tuple[Mapping[str, int], Mapping[str, str]]:
    people: dict[str, int] = {}
    situations: dict[str, str] = {}
    for found in matches:
        match found:
            case Linked(person, account) | Leftover(person, account):
                people[account.id] = person.id
                situations[account.id] = "matched"
            case Orphan(account):
                situations[account.id] = "orphan"
            case AcceptedElsewhere(_, account):
                situations[account.id] = "accepted_elsewhere"
            case Ambiguous(_, accounts):
                situations |= {account.id: "ambiguous" for account in accounts}
            case _:
                pass
    return people, situations


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
        integration.accounts.filter(gone_at=None, remote_id__in=some).update(gone_at=now)


def accept_absences(job: ProvisioningJob, *, now: datetime) -> None:
    """Somebody has agreed that the accounts which the job missed are gone, but for those seen again since."""
    missed = Account.objects.filter(integration=job.integration, last_seen_at__lt=job.planned_at)
    still = missed.filter(remote_id__in=job.read.get("vanished", []))
    mark_gone(job.integration, still.values_list("remote_id", flat=True), now=now)


def _touch(integration: Integration, remote_ids: Collection[str], *, now: datetime) -> None:
    for some in batches(sorted(remote_ids)):
        integration.accounts.filter(remote_id__in=some).update(last_seen_at=now)


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
        row.gone_at = now
    elif action.kind == Kind.CHANGE_ROLE:
        row.role = action.role or ""
    elif action.entitlement:
        held = (action.entitlement["kind"], action.entitlement["id"])
        others = [grant for grant in row.grants if (grant["kind"], grant["id"]) != held]
        gained = [{"kind": held[0], "id": held[1], "role": action.role}] if action.role else []
        row.grants = sorted(others + gained, key=lambda grant: (grant["kind"], grant["id"]))
    row.left = {"role": row.role or None, "grants": row.grants}
    row.changed_at = now
    row.save(update_fields=["gone_at", "role", "grants", "left", "changed_at"])


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
