"""The ledger's word for what became of people: an entry for each operation, and none of its rows altered."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from cakewalk.ledger import chain
from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory import witnessing
from directory.models import Person, Revision
from directory.witnessing import Witness
from provisioning import proving
from tests.directory.builders import NOW, csv_file, import_lines, person
from tests.ledger.told import facts, last, told
from tests.scim.builders import ScimClient

pytestmark = pytest.mark.django_db
LINES = ("email,name", "ada@example.org,Ada", "bob@example.org,Bob", "eve@example.org,Eve")
WILLIAM = Actor(Kind.COMMAND, "william")


def altered() -> list[chain.Break]:
    return list(witnessing.altered_revisions(Entry.objects.order_by("seq")))


def test_an_import_is_one_entry_with_its_file_its_numbers_and_a_digest() -> None:
    with acting(WILLIAM):
        import_lines(*LINES)
        import_lines(*LINES)

    first, second = Entry.objects.filter(verb=Verb.PEOPLE_IMPORTED).order_by("seq")
    assert (first.actor_kind, first.actor, first.object_name) == ("command", "william", "file")
    said = first.told()["facts"]
    assert said["file"] == "people.csv"
    assert said["sha256"] == hashlib.sha256(csv_file(*LINES)).hexdigest()
    assert (said["rows"], said["added"], said["changed"], said["unchanged"]) == (3, 3, 0, 0)
    rows = list(Revision.objects.order_by("pk"))
    assert (said["revisions"]["first"], said["revisions"]["last"]) == (rows[0].pk, rows[-1].pk)
    assert said["revisions"]["number"] == 3
    assert "revisions" not in second.told()["facts"]
    assert Entry.objects.count() == 2
    assert altered() == []


def test_an_import_that_changes_one_person_says_what() -> None:
    import_lines(*LINES)
    import_lines("email,title,groups", "ada@example.org,Countess,nobles")
    entry = last(Verb.PEOPLE_IMPORTED)
    assert entry.email == "ada@example.org"
    assert entry.told()["before"] == {"title": "", "groups": []}
    assert entry.told()["after"] == {"title": "Countess", "groups": ["nobles"]}
    assert altered() == []


def test_an_import_that_is_refused_leaves_no_entry() -> None:
    import_lines(*LINES)
    import_lines("email", "ada@example.org", replace=True)
    import_lines("email", "no address")
    assert len(told()) == 1


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            """UPDATE directory_revision SET fields = '{"name": [null, "Mallory"]}' WHERE id = {id}""",
            "In changes",
        ),
        ("UPDATE directory_revision SET person_id = {other} WHERE id = {id}", "In changes"),
        ("UPDATE directory_revision SET by = 'eve' WHERE id = {id}", "3 were written and 2 are there"),
        ("UPDATE directory_revision SET at = '2020-01-01 00:00:00+00:00' WHERE id = {id}", "2 are there"),
        ("DELETE FROM directory_revision WHERE id = {id}", "2 are there"),
        ("DELETE FROM directory_revision", "0 are there"),
    ],
    ids=["edited", "given to somebody else", "another author", "backdated", "deleted", "emptied"],
)
def test_what_was_altered_since_shows(statement: str, says: str) -> None:
    import_lines(*LINES)
    middle = Revision.objects.order_by("pk")[1]
    other = Person.objects.get(email="ada@example.org")
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("{id}", str(middle.pk)).replace("{other}", str(other.pk)))
    [found] = altered()
    assert found.seq == last(Verb.PEOPLE_IMPORTED).seq
    assert says in found.detail


def test_history_verify_finds_it_and_asks_nothing_of_what_retention_let_go() -> None:
    import_lines(*LINES)
    assert proving.verify().is_intact
    Revision.objects.order_by("pk")[1].delete()
    [broken] = proving.verify().breaks
    assert (broken["seq"], broken["fault"]) == (last(Verb.PEOPLE_IMPORTED).seq, "altered")
    later = chain.moment(NOW + timedelta(days=1))
    record(Verb.HISTORY_PRUNED, facts={"kind": "revisions", "before": later})
    assert proving.verify().is_intact


@pytest.mark.parametrize("forged", ["alone", "among others", "after others"])
def test_a_change_that_no_entry_tells_of_is_found(forged: str) -> None:
    ada = person("ada@example.org")
    Revision.objects.create(person=ada, at=NOW, by="before the ledger", fields={"name": [None, "A"]})
    import_lines(*LINES)
    assert proving.verify().is_intact
    theirs = Revision.objects.latest("pk")
    where: dict[str, dict[str, Any]] = {
        "alone": {"by": "eve"},
        "among others": {"by": "eve", "pk": theirs.pk},
        "after others": {},
    }
    if forged == "among others":  # an import had numbers between which another had its own
        Revision.objects.filter(pk=theirs.pk).update(id=theirs.pk + 5)
    Revision.objects.create(
        **{"person": ada, "at": theirs.at, "by": theirs.by, "fields": {"name": ["A", "B"]}} | where[forged]
    )
    told = [one["detail"] for one in proving.verify().breaks if one["fault"] == "unknown"]
    newest = theirs.pk if forged == "among others" else Revision.objects.latest("pk").pk
    assert f"Change {newest} of people is there, and no entry tells of it." in told


def test_operations_at_the_same_time_are_told_apart() -> None:
    """Their revisions get their numbers crosswise."""
    ada, later = person("ada@example.org"), NOW + timedelta(seconds=1)
    seen = Witness(NOW, "file"), Witness(later, "okta")
    for one in (*seen, *seen):
        row = Revision.objects.create(person=ada, at=one.at, by=one.by, fields={"name": ["a", "b"]})
        one.see(row.pk, ada.pk, row.fields)
    entries = [Entry(seq=seq, body=body_of(one)) for seq, one in enumerate(seen, start=1)]
    assert list(witnessing.altered_revisions(entries)) == []
    Revision.objects.filter(by="okta").order_by("pk")[0].delete()
    assert [one.seq for one in witnessing.altered_revisions(entries)] == [2]


def body_of(seen: Witness) -> str:
    from cakewalk.ledger.recording import _body  # noqa: PLC0415 - what an entry is made with

    return _body(facts=seen.facts())


def test_a_scim_client_acts_in_its_own_name_with_an_entry_for_each_request_that_changes_something() -> None:
    okta = ScimClient("okta")
    since = Entry.objects.count()
    ada, bob = (okta.user(f"{name}@example.org")["id"] for name in ("ada", "bob"))
    okta.patch(f"/Users/{ada}", {"op": "replace", "path": "active", "value": False})
    okta.group("Engineering", ada, bob)
    okta.get(f"/Users/{ada}")
    okta.post("/Users", {"userName": "ada@example.org"})

    client = "SCIM client of okta, with its token"
    assert told(since) == [
        (client, Verb.ADDED),
        (client, Verb.ADDED),
        (client, Verb.CHANGED),
        (client, Verb.ADDED),
        (client, Verb.PEOPLE_CHANGED),
    ]
    deactivated = Entry.objects.filter(verb=Verb.CHANGED).get()
    assert (deactivated.email, deactivated.address) == ("ada@example.org", "127.0.0.1")
    assert (deactivated.actor_kind, deactivated.object_kind) == ("source", "directory.person")
    assert (deactivated.told()["before"], deactivated.told()["after"]) == (
        {"active": True},
        {"active": False},
    )
    assert (last(Verb.PEOPLE_CHANGED).object_name, facts(Verb.PEOPLE_CHANGED)["people"]) == ("Engineering", 2)
    assert altered() == []
    Revision.objects.filter(fields__has_key="active").order_by("-pk")[0].delete()
    assert [one.seq for one in altered()] == [deactivated.seq]
