"""Keep what was last seen and left of each account, so that matches, drift and losses can be told.

Ids are interned where many are kept, as they are where lists are parsed: one text of each id for a whole job.
"""

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

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
    return {sys.intern(id) for id in _members(integration).values_list("remote_id", flat=True)}


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
            by_match.setdefault(how, {})[sys.intern(remote_id)] = person_id
    return Links(found=by_match[Account.Match.EMAIL], by_hand=by_match[Account.Match.MANUAL])


def _rows(integration: Integration, ids: Collection[str] | None) -> QuerySet[Account]:
    return integration.accounts.all() if ids is None else integration.accounts.filter(remote_id__in=ids)


def as_left(integration: Integration, ids: Collection[str] | None = None) -> dict[str, Left]:
    rows = _rows(integration, ids).filter(gone_at=None, left__isnull=False)
    lefts = LeftByText()
    kept = rows.values_list("remote_id", Cast("left", TextField()))
    return {sys.intern(remote_id): lefts[left] for remote_id, left in kept.iterator(chunk_size=CHUNK)}


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


@dataclass(frozen=True, slots=True)
class Compared:
    """What a read saw beside what was known. What is the same is only counted.

    `altered`: by the numbers of rows. `fresh`: never seen before, or gone since. `missing`: ids of those that
    were there. `known`: the altered and the missing, as they were. `are_known`: whether any account was.
    """

    altered: dict[int, Seen] = field(default_factory=dict)
    fresh: list[Seen] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    are_known: bool = False

    @property
    def seen(self) -> list[Seen]:
        return [*self.altered.values(), *self.fresh]


class Whose:
    """What a plan has found out: whose each account is, and whether it is as it should be."""

    def __init__(self, matches: Iterable[Match], to_change: Collection[str]) -> None:
        """`to_change`: ids of accounts that are not as they should be."""
        self._found = _findings(matches)
        self._to_change = to_change

    def values(
        self, seen: Seen, match: str = "", person_id: int | None = None, left: Any = None
    ) -> tuple[Any, ...]:
        """What is kept of an account that is there, in the order of FIELDS. The others are of its row.

        A link by hand stays. So does the match of an account that has become ambiguous: forgotten, the next
        plan would know the address only, and guess.
        """
        found, situation = self._found.get(seen.id, (None, ""))
        by_hand = match == Account.Match.MANUAL and person_id is not None
        if not (by_hand or situation == "ambiguous"):
            match, person_id = Account.Match.EMAIL if found else Account.Match.NONE, found
        # An invite does not change: what we sent stays true, whatever part of it the remote shows.
        sent = left is not None and seen.state is AccountState.INVITED
        if seen.id not in self._to_change and not sent:
            left = (seen.role, seen.grants)
        return (
            seen.email or "",
            (seen.name or "")[:LONGEST_NAME],
            seen.role or "",
            seen.state,
            seen.expires_at,
            seen.grants,
            left,
            person_id,
            match,
            situation,
            seen.managed_elsewhere,
            None,
            None,
        )


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
    "missing_since",
    "gone_at",
)
TEXTS = {"grants": Cast("grants", TextField()), "left": Cast("left", TextField())}
LONGEST_NAME = 300
CHUNK = 2_000


class _LeftInOrder(dict[str | None, tuple[str | None, tuple[Grant, ...]] | None]):
    """How accounts were left, in the order in which it is kept."""

    def __missing__(self, text: str | None) -> tuple[str | None, tuple[Grant, ...]] | None:
        kept = json.loads(text) if text else None
        found = self[text] = kept and (kept["role"], tuple(Grant(**one) for one in kept["grants"]))
        return found


def compare(
    integration: Integration,
    seen: Sequence[Seen],
    whose: Whose,
    *,
    ids: Collection[str] | None,
    outdated: Collection[str],
) -> Compared:
    """Row by row, so that it takes no memory to find out that nothing has changed. `ids`: of which accounts
    there was a look; None for all. `outdated`: of these we know better, since we changed them meanwhile.
    """
    unseen = {account.id: account for account in seen if account.id not in outdated}
    compared = Compared()
    grants, lefts = GrantsByText(), _LeftInOrder()
    are_known = False
    columns = [TEXTS.get(name, name) for name in FIELDS]
    rows = _rows(integration, ids).filter(gone_at=None).values_list("pk", "remote_id", *columns)
    for pk, remote_id, *kept in rows.iterator(chunk_size=CHUNK):
        if remote_id in outdated:
            continue
        are_known = True
        kept[GRANTS], kept[LEFT] = grants[kept[GRANTS]], lefts[kept[LEFT]]
        account = unseen.pop(remote_id, None)
        if account is None:
            compared.missing.append(remote_id)
        elif whose.values(account, kept[MATCH], kept[PERSON], kept[LEFT]) == tuple(kept):
            continue
        else:
            compared.altered[pk] = account
        email, _, role, state, *_ = kept
        compared.known.append(Known(remote_id, email, state, role, frozenset(kept[GRANTS])))
    compared.fresh.extend(unseen.values())
    return replace(compared, are_known=are_known)


GRANTS, LEFT, PERSON, MATCH = (FIELDS.index(name) for name in ("grants", "left", "person_id", "match"))


def remember(
    integration: Integration,
    compared: Compared,
    whose: Whose,
    *,
    seen: Collection[str],
    missed: Collection[str],
    whole: bool,
    now: datetime,
) -> None:
    """Write what a read saw, where it is not what was known.

    `seen`: the ids of all that was seen; without `whole` these are some accounts alone. `missed`: ids whose
    absence nobody has accepted yet, so that the next read misses them again.
    """
    came_back = list(
        _by_ids(integration, [account.id for account in compared.fresh]) if compared.are_known else ()
    )
    back = {row.remote_id: row for row in came_back}
    changed = [(row, compared.altered[row.pk]) for row in _by_number(compared.altered)]
    changed += [(back[account.id], account) for account in compared.fresh if account.id in back]
    for row, account in changed:
        _fill(row, whose, account)
        row.last_seen_at = now
    fresh = [
        _fill(
            Account(integration=integration, remote_id=account.id, first_seen_at=now, last_seen_at=now),
            whose,
            account,
        )
        for account in compared.fresh
        if account.id not in back
    ]
    Account.objects.bulk_create(fresh, batch_size=500)
    Account.objects.bulk_update([row for row, _ in changed], (*FIELDS, "last_seen_at"), batch_size=500)
    mark_gone(integration, set(compared.missing) - set(missed), now=now)
    _note_missing(integration, set(compared.missing) & set(missed), now=now)
    if whole:
        integration.note_read(accounts_read_at=now)
    else:
        for some in batches(sorted(seen)):
            integration.accounts.filter(remote_id__in=some).update(last_seen_at=now, missing_since=None)


def _fill(row: Account, whose: Whose, account: Seen) -> Account:
    left = row.left and (row.left["role"], tuple(Grant(**one) for one in row.left["grants"]))
    values = dict(zip(FIELDS, whose.values(account, row.match, row.person_id, left), strict=True))
    values["state"] = str(account.state)
    values["grants"] = [asdict(grant) for grant in account.grants]
    if values["left"]:
        role, grants = values["left"]
        values["left"] = {"role": role, "grants": [asdict(grant) for grant in grants]}
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _by_ids(integration: Integration, ids: Iterable[str]) -> Iterator[Account]:
    for some in batches(sorted(ids)):
        yield from integration.accounts.filter(remote_id__in=some)


def _by_number(numbers: Iterable[int]) -> Iterator[Account]:
    for some in batches(sorted(numbers)):
        yield from Account.objects.filter(pk__in=some)


def _findings(matches: Iterable[Match]) -> Mapping[str, tuple[int | None, str]]:
    """By the ids of accounts, the person and the situation."""
    found: dict[str, tuple[int | None, str]] = {}
    for one in matches:
        match one:
            case Linked(person, account) | Leftover(person, account):
                found[account.id] = person.id, "matched"
            case Orphan(account):
                found[account.id] = None, "orphan"
            case AcceptedElsewhere(_, account):
                found[account.id] = None, "accepted_elsewhere"
            case Ambiguous(_, accounts):
                found |= {account.id: (None, "ambiguous") for account in accounts}
            case _:
                pass
    return found


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


def _note_missing(integration: Integration, remote_ids: Collection[str], *, now: datetime) -> None:
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
