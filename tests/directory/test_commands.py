"""What an operator, or a script of theirs, gets from the commands of the directory."""

import hashlib
import io
import json
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from directory.models import Person, Source
from provisioning import requesting
from tests.directory.builders import csv_file, excel_file, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """Each time that the integrations were told of people who changed, how many there were."""
    calls: list[int] = []
    monkeypatch.setattr(requesting, "people_changed", lambda ids: calls.append(len(ids)) if ids else None)
    return calls


@pytest.fixture
def people(tmp_path):
    def write(content: bytes, name: str = "people.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def run(command: str, *arguments: object) -> tuple[str, str, int]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command(command, *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"{error}\n")
        status = error.returncode
    return out.getvalue(), err.getvalue(), status


def test_the_json_document_alone_is_on_standard_output(people, told):
    person("gone@x.org", active=False)
    path = people(excel_file(["email", "groups"], ["a@x.org", "p"]), "people.xlsx")
    out, err, status = run("import_people", path, "--source", "hr", "--json")
    document = json.loads(out)
    assert document.pop("people")["added"][0]["email"] == "a@x.org"
    assert document == {
        "file": "people.xlsx",
        "source": "hr",
        "dry_run": False,
        "applied": True,
        "rows": 1,
        "added": 1,
        "changed": 0,
        "deactivated": 0,
        "unchanged": 0,
        "untouched": 0,
        "groups_made": ["p"],
        "warnings": [],
        "errors": [],
    }
    assert (status, len(told)) == (0, 1)
    assert err == (
        "New groups: p\n"
        "people.xlsx, imported into source 'hr': 1 row, 1 added, 0 changed, 0 deactivated, 0 unchanged.\n"
    )


def test_a_dry_run_tells_every_change_and_makes_none(people, told):
    person("a@x.org", name="A")
    out, err, status = run(
        "import_people", people(csv_file("email,name", "a@x.org,Ada", "b@x.org,B")), "--dry-run"
    )
    assert (out, status, told) == ("", 0, [])
    assert err == (
        "+ b@x.org\n"
        "~ a@x.org: name A → Ada\n"
        "people.csv, not imported into source 'file': 2 rows, 1 added, 1 changed, 0 deactivated, "
        "0 unchanged.\n"
    )
    assert Person.objects.get().name == "A"


def test_an_import_that_changes_nothing_wakes_nobody(people, told):
    person("a@x.org")
    assert run("import_people", people(csv_file("email", "a@x.org")))[2] == 0
    assert told == []


def test_errors_go_to_both_readers_and_the_status_says_so(people, told):
    path = people(csv_file("email,active", "a@x.org,maybe"))
    out, err, status = run("import_people", path, "--json")
    assert json.loads(out)["errors"] == [
        {"row": 2, "column": "active", "detail": "'maybe' is neither true nor false."}
    ]
    assert err == "Row 2, active: 'maybe' is neither true nor false.\nNothing was imported.\n"
    assert (status, told) == (2, [])


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path):
    out, err, status = run("import_people", tmp_path / "none.csv", "--json")
    detail = f"{tmp_path / 'none.csv'} cannot be read: No such file or directory."
    assert json.loads(out)["errors"] == [{"row": None, "column": None, "detail": detail}]
    assert (err, status) == (f"{detail}\nNothing was imported.\n", 2)


def test_a_refused_drop_names_the_option_that_allows_it(people, told):
    person("a@x.org")
    person("b@x.org")
    path = people(csv_file("email", "a@x.org"))
    out, err, status = run("import_people", path, "--replace", "--json")
    assert json.loads(out)["errors"][0]["detail"].startswith("1 of 2 active people of source 'file'")
    assert err.endswith("Nothing was imported. Allow it with --allow-drop.\n")
    assert (status, told) == (2, [])
    assert run("import_people", path, "--replace", "--allow-drop")[2] == 0
    assert (Person.objects.get(email="b@x.org").active, len(told)) == (False, 1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_it_is_and_then_only_what_was_done(people):
    screen = Terminal()
    call_command("import_people", str(people(csv_file("email", "a@x.org"))), stderr=screen)
    shown = [
        line.partition("%")[0].rstrip(" 0123456789") for line in re.split(r"\r|\x1b\[K", screen.getvalue())
    ]
    assert [line for line in dict.fromkeys(shown) if line][:3] == [
        "Checking the rows",
        "Comparing with the directory",
        "Writing",
    ]
    assert screen.getvalue().rpartition("\r\x1b[K")[2] == (
        "people.csv, imported into source 'file': 1 row, 1 added, 0 changed, 0 deactivated, 0 unchanged.\n"
    )


def test_many_errors_are_counted_for_people_and_listed_for_programs(people):
    path = people(csv_file("email", *(f"wrong{number}" for number in range(60))))
    out, err, _ = run("import_people", path, "--json")
    assert len(json.loads(out)["errors"]) == 60
    assert err.splitlines()[50:] == ["… and 10 more", "Nothing was imported."]


def test_a_scim_source_is_made_and_its_token_printed_once():
    out, err, status = run("scim_source", "okta")
    token = out.strip()
    made = Source.objects.get()
    assert (made.name, made.kind, status) == ("okta", Source.Kind.SCIM, 0)
    assert made.token_digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in err


def test_an_existing_scim_source_keeps_its_token_unless_rotated():
    before = run("scim_source", "okta")[0].strip()
    assert run("scim_source", "okta")[1:] == (
        "There is a source 'okta' already. --rotate renews its token.\n",
        2,
    )
    assert Source.objects.get().token_digest == hashlib.sha256(before.encode()).hexdigest()
    document = json.loads(run("scim_source", "okta", "--rotate", "--json")[0])
    assert document.pop("token") != before
    assert document == {
        "source": "okta",
        "kind": "scim",
        "rotated": True,
        "old_token_valid_until": Source.objects.get().old_token_valid_until.isoformat(),
    }
    assert run("scim_source", "okta", "--rotate")[1].startswith("The token before works until ")


def test_the_token_before_the_newest_works_for_a_day_or_until_it_is_revoked():
    first, second, third = (
        run("scim_source", "okta", *more)[0].strip() for more in ((), ("--rotate",), ("--rotate",))
    )
    source, now = Source.objects.get(), timezone.now()

    def working(at):
        tokens = (first, second, third)
        return [token for token in tokens if Source.objects.with_token(token, now=at) == source]

    assert working(now) == [second, third]
    assert working(now + timedelta(hours=24, seconds=1)) == [third]
    source.revoke_old_token()
    assert working(now) == [third]
    assert Source.objects.with_token("", now=now) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["hr"], "There is a source 'hr' already."),
        (["hr", "--rotate"], "There is no SCIM source 'hr'. Without --rotate it is made."),
        ([" "], "The name of a source has 1 to 100 characters."),
    ],
)
def test_a_source_of_another_kind_gets_no_token(arguments, sentence):
    Source.objects.create(name="hr", kind=Source.Kind.FILE)
    assert run("scim_source", *arguments) == ("", f"{sentence}\n", 2)
    assert Source.objects.get().token_digest == ""
