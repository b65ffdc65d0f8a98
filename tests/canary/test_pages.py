"""Every page for every role, and a dump of SQLite. `make canary` follows the links of a superuser."""

import secrets

import pytest
from django.db import connection

from cakewalk import sealed
from directory.models import LdapServer
from tests.admin.builders import Company
from tests.admin.pages import address
from tests.admin.roles import ROLES, SHOWN_TO
from tests.canary.searching import Canary, Found, search

PUBLIC = ("sk-admin-", "whsec_")
SHOWN = "alarms.Channel.address"
"""In part, on purpose: its host."""


def kept() -> list[Canary]:
    """All that is stored encrypted. The builders' password is made of words, which stand elsewhere too."""
    LdapServer.objects.update(password=secrets.token_urlsafe(20))
    found = []
    for column in sealed.columns():
        for row in column.rows():
            text = column.field.decrypted(row.token).reveal()
            public = next((start for start in PUBLIC if text.startswith(start)), "")
            if len(text) > 12 and str(column) != SHOWN:
                found.append(Canary(f"{column} {row.pk}", text, public))
    return found


@pytest.mark.soak
@pytest.mark.parametrize("role", ROLES)
def test_no_page_shows_any_role_a_secret(company: Company, clients, role: str):
    canaries, found, read = kept(), list[Found](), 0
    assert len(canaries) >= 4
    for name in sorted(SHOWN_TO):
        answer = clients[role].get(address(name, company))
        content = b"".join(answer) if answer.streaming else answer.content
        read += answer.status_code == 200
        found += search(canaries, name, content)
    assert found == []
    assert read > 5


def test_a_dump_of_sqlite_holds_no_secret(company: Company):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's dump is read by make canary")
    canaries = kept()
    dump = "\n".join(connection.connection.iterdump()).encode()
    assert search(canaries, "dump", dump) == []
    planted = canaries[0].text[12:30].encode()
    assert search(canaries, "dump", dump + planted) != []
