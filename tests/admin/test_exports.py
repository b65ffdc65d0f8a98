"""Accounts as a table for a spreadsheet."""

import csv
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.portions import FIRST
from provisioning.models import Account, Action, Key
from tests.admin.builders import account, actions, entitlement, integration, job, key
from tests.directory.builders import person

EXPORT = "admin:provisioning_account_export"


def exported(client: Client, query: str = "", page: str = EXPORT) -> list[dict[str, str]]:
    answer: Any = client.get(reverse(page) + query)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    return list(csv.DictReader(answer.getvalue().decode().splitlines()))


@pytest.mark.django_db
def test_an_export_names_people_and_projects(clients: dict[str, Client]) -> None:
    acme = integration("Acme")
    entitlement(acme)
    account(acme, "user-1", name="Ada", person=person("ada@example.org"), match="email")
    [row] = exported(clients["auditor"])
    assert row | {"first_seen": "", "last_seen": ""} == {
        "integration": "Acme",
        "email": "user-1@example.org",
        "name": "Ada",
        "state": "active",
        "role": "reader",
        "grants": "project Search (member)",
        "person": "ada@example.org",
        "matched": "By e-mail",
        "situation": "",
        "managed_elsewhere": "",
        "invite_expires": "",
        "first_seen": "",
        "last_seen": "",
        "gone": "",
        "id": "user-1",
    }


@pytest.mark.django_db
def test_an_export_holds_just_what_the_list_shows(clients: dict[str, Client]) -> None:
    acme = integration("Acme")
    account(acme, "user-1")
    account(acme, "user-2", gone_at=timezone.now())
    account(integration("Other"), "user-3")
    client = clients["operator"]
    assert [row["id"] for row in exported(client)] == ["user-1", "user-3"]
    assert [(row["id"], row["state"]) for row in exported(client, "?presence=gone")] == [("user-2", "gone")]
    assert [row["id"] for row in exported(client, f"?integration__id__exact={acme.pk}")] == ["user-1"]
    assert [row["id"] for row in exported(client, "?q=user-3")] == ["user-3"]


@pytest.mark.django_db
def test_the_button_leads_to_what_the_list_shows(clients: dict[str, Client]) -> None:
    account(integration("Acme"), "user-1", gone_at=timezone.now())
    account(integration("Other"), "user-2")
    page = reverse("admin:provisioning_account_changelist") + "?presence=gone&q=user"
    html = clients["auditor"].get(page).content.decode()
    [link] = re.findall(rf'href="({re.escape(reverse(EXPORT))}[^"]*)"', html)
    _, _, query = unescape(link).partition("?")
    assert [row["id"] for row in exported(clients["auditor"], f"?{query}")] == ["user-1"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_a_name_is_no_formula(clients: dict[str, Client], name: str) -> None:
    account(integration(), "user-1", name=name)
    [row] = exported(clients["auditor"])
    assert row["name"] == f"'{name}"


@pytest.mark.django_db
def test_an_export_asks_no_more_of_the_database_for_more_rows(
    clients: dict[str, Client], django_assert_max_num_queries: Any
) -> None:
    acme = integration("Acme")
    for number in range(30):
        account(acme, f"user-{number}")
    auditor = clients["auditor"]
    with django_assert_max_num_queries(15):
        assert len(exported(auditor)) == 30


@pytest.mark.django_db
def test_the_first_row_leaves_before_the_last_is_read(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cakewalk.exporting", "provisioning.admin.exporting"):
        monkeypatch.setattr(f"{module}.CHUNK", 10)
    acme = integration("Acme")
    for number in range(30):
        account(acme, f"user-{number}")
    answer: Any = clients["auditor"].get(reverse(EXPORT))
    rows = iter(answer)
    assert next(rows).startswith(b"integration,")
    assert b"user-0@" in next(rows)
    Account.objects.filter(remote_id="user-9").update(name="As it is at last")
    assert b"As it is at last" in list(rows)[-1]


def rows_told_while_read(pages: Iterator[bytes]) -> bytes:
    """The first row is taken, then what comes later is changed in the database."""
    begun = b""
    while begun.count(b"@example.org") < 1:
        begun += next(pages)
    Account.objects.update(name="As it is at last")
    Key.objects.update(name="As it is at last")
    Action.objects.update(detail="As it is at last")
    return b"".join(pages)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    ["account_export", "key_export", "action_export_csv", "action_export_jsonl", "provisioningjob_export"],
)
def test_few_rows_are_read_before_the_first_one_leaves(clients: dict[str, Client], name: str) -> None:
    """Or whoever waits for a file would wait longer for its beginning where rows are far apart on a disk."""
    acme = integration("Acme")
    for number in range(FIRST + 1):
        owner = account(acme, f"user-{number}")
        key(acme, f"key-{number}", account=owner)
    made = job(acme)
    actions(made, [("invite", "done")] * (FIRST + 1), finished_at=timezone.now())
    args = [made.pk] if name.startswith("provisioningjob") else []

    answer: Any = clients["auditor"].get(reverse(f"admin:provisioning_{name}", args=args))

    assert b"As it is at last" in rows_told_while_read(iter(answer))


@pytest.mark.django_db
def test_what_can_be_held_is_exported_with_what_groups_hold_there(clients: dict[str, Client]) -> None:
    acme, page = integration("Acme"), "admin:provisioning_entitlement_export"
    entitlement(acme, holders=None, group_roles={"platform": ["member"], "data": ["Prompt editor", "viewer"]})
    entitlement(acme, "Old", remote_id="proj_old", gone_at=timezone.now())
    [row] = exported(clients["auditor"], page=page)
    assert row | {"first_seen": "", "last_seen": ""} == {
        "integration": "Acme",
        "kind": "project",
        "name": "Search",
        "holders": "",
        "group_roles": "data (Prompt editor, viewer), platform (member)",
        "treatment": "Kept in step",
        "first_seen": "",
        "last_seen": "",
        "gone": "",
        "id": "proj_search",
    }
    assert [row["name"] for row in exported(clients["auditor"], "?presence=ended", page)] == ["Old"]
