"""Accounts as a table for a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from provisioning import inventory, wording
from provisioning.models import Account

COLUMNS = (
    "integration",
    "email",
    "name",
    "state",
    "role",
    "grants",
    "person",
    "matched",
    "situation",
    "invite_expires",
    "first_seen",
    "last_seen",
    "gone",
    "id",
)


class Line:
    """What `csv` writes to, and what it wrote."""

    def write(self, text: str) -> str:
        return text


def csv_of(accounts: QuerySet[Account]) -> HttpResponse:
    name = f"accounts-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(_lines(accounts), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(accounts: QuerySet[Account]) -> Iterator[str]:
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    names: dict[int, dict[tuple[str, str], str]] = {}
    for account in accounts.iterator(chunk_size=1000):
        known = names.get(account.integration_id)
        if known is None:
            known = names[account.integration_id] = inventory.names(account.integration)
        yield writer.writerow(map(_harmless, _cells(account, known)))


def _cells(account: Account, names: dict[tuple[str, str], str]) -> Iterable[str]:
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
        _moment(account.expires_at),
        _moment(account.first_seen_at),
        _moment(account.last_seen_at),
        _moment(account.gone_at),
        account.remote_id,
    )


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _harmless(cell: str) -> str:
    """A spreadsheet takes what begins so for a formula, and names are typed by people outside (OWASP, CSV
    injection).
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
