"""Actions, accounts, keys and what can be held as tables for a spreadsheet, sent while they are read."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from cakewalk.exporting import CHUNK, table
from cakewalk.portions import growing
from provisioning import because, inventory, wording
from provisioning.models import Account, Action, Entitlement, Key, ProvisioningJob

ACCOUNT_COLUMNS = (
    "integration",
    "email",
    "name",
    "state",
    "role",
    "grants",
    "person",
    "matched",
    "situation",
    "managed_elsewhere",
    "invite_expires",
    "first_seen",
    "last_seen",
    "gone",
    "id",
)
KEY_COLUMNS = (
    "integration",
    "kind",
    "name",
    "key",
    "place",
    "owner",
    "person",
    "owner_left",
    "unattended",
    "made",
    "last_used",
    "expires",
    "first_seen",
    "last_seen",
    "gone",
    "id",
)
ENTITLEMENT_COLUMNS = (
    "integration",
    "kind",
    "name",
    "holders",
    "group_roles",
    "treatment",
    "first_seen",
    "last_seen",
    "gone",
    "id",
)


ACTION_COLUMNS = (
    "job",
    "seq",
    "state",
    "kind",
    "what",
    "situation",
    "why",
    "email",
    "account_id",
    "entitlement",
    "role",
    "before",
    "after",
    "rule",
    "detail",
    "takes",
    "proposed",
    "held_for",
    "error",
    "error_detail",
    "started",
    "finished",
    "confirmed",
    "request_id",
)


def actions_table(job: ProvisioningJob, actions: QuerySet[Action]) -> StreamingHttpResponse:
    return table(f"job-{job.pk}", ACTION_COLUMNS, _read(actions), action_cells)


def accounts_table(accounts: QuerySet[Account]) -> StreamingHttpResponse:
    names: dict[int, dict[tuple[str, str], str]] = {}

    def cells(account: Account) -> Iterable[str]:
        known = names.get(account.integration_id)
        if known is None:
            known = names[account.integration_id] = inventory.names(account.integration)
        return _account_cells(account, known)

    return table("accounts", ACCOUNT_COLUMNS, _read(accounts), cells)


def keys_table(keys: QuerySet[Key]) -> StreamingHttpResponse:
    return table("keys", KEY_COLUMNS, _read(keys), _key_cells)


def entitlements_table(entitlements: QuerySet[Entitlement]) -> StreamingHttpResponse:
    return table("projects-groups-roles", ENTITLEMENT_COLUMNS, _read(entitlements), _entitlement_cells)


def _read(rows: QuerySet[Any]) -> Iterator[Any]:
    """A portion at a time, by their keys, which are a few bytes each: PostgreSQL would first put all of the
    rows aside, for a cursor that outlives its transaction. To put all keys in order takes a while as well,
    and the first ones are found by an index.
    """
    keys, sizes = rows.values_list("pk", flat=True), growing(CHUNK)
    size = next(sizes)
    first = list(keys[:size])
    yield from _in_order(rows, first)
    if len(first) < size:
        return
    told = set(first)
    rest = (key for key in list(keys) if key not in told)
    while portion := list(islice(rest, next(sizes))):
        yield from _in_order(rows, portion)


def _in_order(rows: QuerySet[Any], keys: Sequence[Any]) -> Iterator[Any]:
    found = rows.in_bulk(keys)
    return (found[key] for key in keys if key in found)


def _account_cells(account: Account, names: dict[tuple[str, str], str]) -> Iterable[str]:
    return (
        account.integration.name,
        account.email,
        account.name,
        "gone" if account.gone_at else account.state,
        account.role,
        wording.grants(account.grants, names),
        account.person.email if account.person else "",
        account.get_match_display() if account.person else "",
        account.situation,
        "yes" if account.managed_elsewhere else "",
        moment_cell(account.expires_at),
        moment_cell(account.first_seen_at),
        moment_cell(account.seen_at),
        moment_cell(account.gone_at),
        account.remote_id,
    )


def action_cells(action: Action) -> Iterable[str]:
    error = action.error or {}
    return (
        str(action.job_id),
        str(action.seq),
        action.state,
        action.kind,
        wording.what(action),
        action.situation,
        because.in_words(action.reasons),
        action.email,
        action.account_id or "",
        (action.entitlement or {}).get("name", ""),
        action.role or "",
        wording.picture(action.before),
        wording.after(action),
        action.rule,
        action.detail,
        "yes" if action.taking else "",
        "yes" if action.proposed else "",
        ", ".join(action.holds),
        error.get("code", ""),
        error.get("detail", ""),
        moment_cell(action.started_at),
        moment_cell(action.finished_at),
        moment_cell(action.confirmed_at),
        action.request_id or "",
    )


def _key_cells(key: Any) -> Iterable[str]:
    person = key.account.person if key.account else None
    return (
        key.integration.name,
        key.kind,
        key.name,
        key.shown,
        key.place,
        (key.account.email if key.account else "") or key.owner_name or key.owner_id,
        person.email if person else "",
        "yes" if key.owner_has_left else "",
        "yes" if key.unattended else "",
        moment_cell(key.made_at),
        moment_cell(key.last_used_at),
        moment_cell(key.expires_at),
        moment_cell(key.first_seen_at),
        moment_cell(key.last_seen_at),
        moment_cell(key.gone_at),
        key.remote_id,
    )


def _entitlement_cells(entitlement: Entitlement) -> Iterable[str]:
    return (
        entitlement.integration.name,
        entitlement.kind,
        entitlement.name,
        "" if entitlement.holders is None else str(entitlement.holders),
        wording.group_roles(entitlement.group_roles),
        entitlement.treatment,
        moment_cell(entitlement.first_seen_at),
        moment_cell(entitlement.seen_at),
        moment_cell(entitlement.gone_at),
        entitlement.remote_id,
    )


def moment_cell(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
