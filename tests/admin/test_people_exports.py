"""People as a file for a spreadsheet, which can be imported again."""

from datetime import date
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from directory import importing
from directory.admin.people_export import CSV, XLSX
from directory.import_plan import ImportPlan, Options
from directory.models import Person
from directory.tabular import read_table
from tests.directory.builders import NOW, person, problems, source

pytestmark = pytest.mark.django_db

LIST = "admin:directory_person_changelist"
NASTY = ("=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''+1", "'t Hooft", "007", "a_x0041_b", '"<&>;,', "Ünï 中")
KINDS = pytest.mark.parametrize("kind", [CSV, XLSX])


def button(client: Client, kind: str, query: str = "") -> bytes:
    return content(client.get(reverse(f"admin:directory_person_export_{kind}") + query), kind)


def selected(client: Client, kind: str, *people: Person) -> bytes:
    typed = {"action": f"export_selected_{kind}", ACTION_CHECKBOX_NAME: [person.pk for person in people]}
    return content(client.post(reverse(LIST), typed), kind)


def content(answer: Any, kind: str) -> bytes:
    assert answer.status_code == 200
    assert f'.{kind}"' in answer["Content-Disposition"]
    return b"".join(answer.streaming_content)


def emails(file: bytes) -> list[str]:
    return [row.cells[0] for row in read_table(file).rows]


def imported_again(file: bytes, **options: Any) -> ImportPlan:
    return importing.preview("people", file, Options(replace=True, **options), now=NOW)


@KINDS
def test_what_is_exported_is_untouched_when_it_is_imported_again(
    clients: dict[str, Client], kind: str
) -> None:
    for number, name in enumerate(NASTY):
        person(
            f"p{number}@example.org",
            name=name,
            title=name,
            groups=("Q", "=q"),
            aliases=(f"+{number}@example.org", f"b{number}@x.org"),
            employee_id="007",
            start_date=date(2026, 1, 31),
            time_zone="Europe/Berlin",
        )
    person("=p@example.org", active=False, end_date=date(2026, 12, 31))

    plan = imported_again(button(clients["auditor"], kind))

    assert problems(plan) == []
    assert [(change.after["email"], change.fields) for change in plan.changes] == []
    assert plan.unchanged == len(NASTY) + 1


@KINDS
def test_an_export_holds_just_who_is_shown_or_selected(clients: dict[str, Client], kind: str) -> None:
    ada, eve = person("ada@x.org", groups=("p",)), person("eve@x.org", active=False)
    bob = person("bob@x.org", source=source("hr"))
    client = clients["operator"]
    assert emails(button(client, kind)) == ["ada@x.org", "bob@x.org", "eve@x.org"]
    assert emails(button(client, kind, f"?source__id__exact={bob.source_id}")) == ["bob@x.org"]
    assert emails(button(client, kind, "?q=ada")) == ["ada@x.org"]
    assert emails(selected(client, kind, eve, ada)) == ["ada@x.org", "eve@x.org"]


@KINDS
def test_no_cell_of_an_export_is_a_formula(clients: dict[str, Client], kind: str) -> None:
    person("=cmd@x.org", name="=HYPERLINK(1)", title="\t=1", department="@a")
    [row] = read_table(button(clients["auditor"], kind)).rows
    assert [cell for cell in row.cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert row.cells[:2] == ("'=cmd@x.org", "'=HYPERLINK(1)")


def test_excel_knows_the_csv_for_unicode(clients: dict[str, Client]) -> None:
    assert button(clients["auditor"], CSV).startswith(b"\xef\xbb\xbfemail,name,active,")


@KINDS
def test_a_large_export_is_sent_as_it_is_read(
    clients: dict[str, Client], kind: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        person(f"p{number}@example.org", groups=("p",))
    auditor = clients["auditor"]
    with django_assert_max_num_queries(19):
        answer: Any = auditor.get(reverse(f"admin:directory_person_export_{kind}"))
        assert len(emails(b"".join(answer.streaming_content))) == 30
    assert answer.streaming
