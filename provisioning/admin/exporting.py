"""Accounts, keys and what can be held as tables for a spreadsheet."""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from cakewalk.theme import ModelAdmin, action
from provisioning import inventory, wording
from provisioning.models import Account, Entitlement, Key

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


class ExportedAdmin(ModelAdmin):
    """A list with a button that exports just what it shows, filtered and searched as it is, all its pages."""

    actions_list: tuple[str, ...] = ("export",)
    related_to_export: tuple[str, ...] = ()
    as_table: Callable[[QuerySet[Any]], HttpResponse]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The theme's button leads to the bare address, without what the list is filtered and searched by."""
        page = super().changelist_view(request, extra_context)
        for button in (getattr(page, "context_data", None) or {}).get("actions_list", []):
            button["path"] = f"{button['path']}?{request.GET.urlencode()}"
        return page

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @action(description="Export", url_path="export", permissions=["export"], icon="download")
    def export(self, request: HttpRequest) -> HttpResponse:
        found = self.get_changelist_instance(request).get_queryset(request)
        return type(self).as_table(found.select_related(*self.related_to_export))


class Line:
    """What `csv` writes to, and what it wrote."""

    def write(self, text: str) -> str:
        return text


def accounts_table(accounts: QuerySet[Account]) -> HttpResponse:
    return _csv("accounts", ACCOUNT_COLUMNS, _account_rows(accounts))


def keys_table(keys: QuerySet[Key]) -> HttpResponse:
    return _csv("keys", KEY_COLUMNS, map(_key_cells, keys.iterator(chunk_size=1000)))


def entitlements_table(entitlements: QuerySet[Entitlement]) -> HttpResponse:
    rows = map(_entitlement_cells, entitlements.iterator(chunk_size=1000))
    return _csv("projects-groups-roles", ENTITLEMENT_COLUMNS, rows)


def _csv(called: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> HttpResponse:
    name = f"{called}-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    writer = csv.writer(Line())
    lines = (writer.writerow(map(_harmless, cells)) for cells in (columns, *rows))
    return HttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _account_rows(accounts: QuerySet[Account]) -> Iterator[Iterable[str]]:
    names: dict[int, dict[tuple[str, str], str]] = {}
    for account in accounts.iterator(chunk_size=1000):
        known = names.get(account.integration_id)
        if known is None:
            known = names[account.integration_id] = inventory.names(account.integration)
        yield _account_cells(account, known)


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
        _moment(account.expires_at),
        _moment(account.first_seen_at),
        _moment(account.last_seen_at),
        _moment(account.gone_at),
        account.remote_id,
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
        _moment(key.made_at),
        _moment(key.last_used_at),
        _moment(key.expires_at),
        _moment(key.first_seen_at),
        _moment(key.last_seen_at),
        _moment(key.gone_at),
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
        _moment(entitlement.first_seen_at),
        _moment(entitlement.last_seen_at),
        _moment(entitlement.gone_at),
        entitlement.remote_id,
    )


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _harmless(cell: str) -> str:
    """A spreadsheet takes what begins so for a formula, and names are typed by people outside (OWASP, CSV
    injection).
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
