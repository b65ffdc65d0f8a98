"""What the history is asked is answered wholly, newest first, however many actions there are of each sort."""

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from directory import former, revising
from directory.models import FormerEmail, Person, Revision
from integrations.models import Integration
from provisioning.models import Action, ProvisioningJob
from provisioning.search import finding, mentions, whom
from provisioning.search.models import Mention, Name
from provisioning.search.question import Question
from tests.admin.builders import READER, SEARCH, account, integration, job, staff
from tests.directory.builders import NOW, import_lines, person
from tests.provisioning.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["looked up", "walked through"])
def both_ways(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found by ids where it is narrow, and by walking where it is wide, is the same."""
    if request.param == "walked through":
        monkeypatch.setattr(finding, "NARROW", 0)


def did(of: ProvisioningJob, what: str, email: str, day: int = 1, **values: Any) -> Action:
    """An action that ended on that day of March; it bears its name in its detail."""
    values = {"kind": "remove", "situation": "leaver", "state": "done", "rule": "Engineers"} | values
    values.setdefault("finished_at", datetime(2026, 3, day, 12, tzinfo=UTC))
    made = Action.objects.create(job=of, seq=of.actions.count() + 1, email=email, detail=what, **values)
    mentions.note([made])
    return made


def found(**asked: Any) -> list[str]:
    question = Question(**asked)
    rows = finding.matching(question, finding.whom(question))
    return [row.detail for row in finding.in_order(finding.places(question, rows, None, 100))]


@pytest.fixture
def acme() -> Integration:
    return integration("Acme")


@pytest.fixture
def history(acme: Integration) -> None:
    """One action that differs from the others in each respect."""
    boss, ada = staff("boss"), staff("ada")
    at: dict[str, Any] = {"planned_at": datetime(2026, 3, 9, tzinfo=UTC), "requested_at": NOW}
    usual = job(acme, trigger="schedule", requested_by=None, **at)
    did(usual, "usual", "p@x.org", day=2)
    did(usual, "other rule", "p@x.org", day=3, rule="Sales, Engineers of Rome")
    did(usual, "project", "p@x.org", day=4, kind="grant", entitlement=SEARCH, situation="mover")
    did(usual, "report", "p@x.org", day=5, kind="report", before=READER)
    did(usual, "held", "p@x.org", state="held", finished_at=None)
    did(usual, "failed", "p@x.org", day=6, state="failed")
    did(usual, "proposed", "p@x.org", day=7, state="skipped", proposed=True)
    did(usual, "of a group", "", day=8, kind="grant", holder={"kind": "group", "id": "g", "name": "platform"})
    did(job(integration("Other"), requested_by=ada, **at), "elsewhere", "q@x.org", day=9)
    overrides = [{"code": "removal_limit", "by": "ada", "at": NOW.isoformat(), "reason": "."}]
    did(job(acme, approved_by=boss, overrides=overrides, **at), "approved", "r@x.org", day=10)
    did(job(acme, rejected_by=boss, **at), "rejected", "s@x.org", day=11)
    did(job(acme, preview=True, **at), "preview", "p@x.org", day=12)


EVERYTHING = [
    "held",
    "rejected",
    "approved",
    "elsewhere",
    "of a group",
    "proposed",
    "failed",
    "report",
    "project",
    "other rule",
    "usual",
]


OF_P = ["held", "proposed", "failed", "report", "project", "other rule", "usual"]
MARCH = {day: datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 32)}


@pytest.mark.usefixtures("both_ways", "history")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, EVERYTHING),
        ({"who": "p@x.org"}, OF_P),
        ({"who": "Q@X.org "}, ["elsewhere"]),
        ({"who": "nobody@x.org"}, []),
        ({"rule": "sales"}, ["other rule"]),
        ({"rule": "engineers of rome"}, ["other rule"]),
        ({"rule": "of rome"}, ["other rule"]),
        ({"rule": "Engineers"}, [one for one in EVERYTHING if one != "other rule"]),
        ({"rule": "nothing of the kind"}, []),
        ({"held": "search"}, ["report", "project"]),
        ({"held": "plat"}, ["of a group"]),
        ({"held": "search", "rule": "engineers", "kind": "grant"}, ["project"]),
        ({"held": "search", "rule": "sales"}, []),
        ({"kind": "changes", "who": "p@x.org"}, [one for one in OF_P if one != "report"]),
        ({"kind": "grant"}, ["of a group", "project"]),
        ({"state": "failed"}, ["failed"]),
        ({"state": "held"}, ["held"]),
        ({"state": "reported"}, ["report"]),
        ({"state": "proposed"}, ["proposed"]),
        ({"situation": "mover"}, ["project"]),
        ({"since": MARCH[3], "until": MARCH[5]}, ["project", "other rule"]),
        ({"since": MARCH[10]}, ["rejected", "approved"]),
        ({"until": MARCH[3]}, ["usual"]),
        ({"by": "boss"}, ["rejected", "approved"]),
        ({"by": "boss", "part": "approved"}, ["approved"]),
        ({"by": "ada"}, ["approved", "elsewhere"]),
        ({"by": "ada", "part": "approved"}, ["approved"]),
        ({"by": "nobody"}, []),
        ({"by": ":schedule", "state": "failed"}, ["failed"]),
        ({"previews": True}, ["preview"]),
        ({"who": "p@x.org", "by": "boss"}, []),
    ],
    ids=str,
)  # fmt: skip
def test_each_part_of_a_question_narrows_what_is_found(asked: dict[str, Any], expected: list[str]) -> None:
    assert found(**asked) == expected


@pytest.mark.usefixtures("history")
def test_an_integration_is_asked_for_by_its_number() -> None:
    assert found(integration=Integration.objects.get(name="Other").pk) == ["elsewhere"]


@pytest.mark.usefixtures("both_ways", "history")
def test_page_by_page_everything_is_told_once_and_in_order() -> None:
    question, after, told = Question(), None, []
    rows = finding.matching(question, None)
    while page := finding.places(question, rows, after, 2):
        told += [row.detail for row in finding.in_order(page)]
        after = page[-1]
    assert told == EVERYTHING
    assert [row.detail for row in finding.one_by_one(question, rows)] == EVERYTHING


def test_what_ends_while_it_is_exported_is_told_once(
    acme: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "CHUNK", 1)
    made = job(acme)
    did(made, "first", "a@x.org", state="held", finished_at=None)
    second = did(made, "second", "a@x.org")
    question = Question()
    told = []
    for row in finding.one_by_one(question, finding.matching(question, None)):
        told.append(row.detail)
        Action.objects.exclude(pk=second.pk).update(state="done", finished_at=timezone.now())
    assert told == ["first", "second"]


# -- whom a text means


@pytest.fixture
def ada(acme: Integration) -> Person:
    """Whose address has changed twice, and whose account goes by one that the directory never knew."""
    ada = person("ada@x.org", name="Ada Byron", aliases=("a.byron@x.org",))
    for email, aliases in (("ada.king@x.org", ["a.byron@x.org"]), ("countess@x.org", [])):
        before = revising.known([ada.pk])
        ada.email = email
        ada.save()
        ada.claim_addresses(aliases)
        revising.note(before, [ada.pk], by="hr", now=NOW)
    account(acme, "user-ada", email="lovelace@private.example", person=ada)
    made = job(acme)
    did(made, "as ada", "Ada@x.org", day=1)
    did(made, "as king", "ada.king@x.org", day=2, person=ada)
    did(made, "by account", "lovelace@private.example", day=3, account_id="user-ada")
    did(made, "renamed there", "other@private.example", day=4, account_id="user-ada")
    did(made, "bob", "Bob@x.org", day=5)
    did(made, "zoë", "zoë@x.org", day=6)
    return ada


ALL_OF_ADA = ["renamed there", "by account", "as king", "as ada"]


@pytest.mark.parametrize(
    "typed",
    [
        "ada@x.org",
        "ADA.KING@x.org",
        "countess@x.org",
        "a.byron@x.org",
        "lovelace@private.example",
        "other@private.example",
        "user-ada",
        "ada byron",
    ],
)
@pytest.mark.usefixtures("both_ways")
def test_by_any_address_that_somebody_ever_had_all_of_theirs_is_found(ada: Person, typed: str) -> None:
    assert found(who=typed) == ALL_OF_ADA


def test_who_was_deleted_since_is_found_by_what_their_actions_tell(ada: Person) -> None:
    ada.delete()
    assert found(who="user-ada") == ["renamed there", "by account"]
    assert found(who="other@private.example") == ["renamed there", "by account"]
    assert found(who="ada.king@x.org") == ["as king"]


def test_a_person_is_asked_for_by_their_number_alone(ada: Person) -> None:
    assert found(person=ada.pk) == ALL_OF_ADA


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("bo", ["bob"]),
        (" BOB@X", ["bob"]),
        ("ob@x", []),
        ("bob_", []),
        ("%", []),
        ("zoë", ["zoë"]),
    ],
)
@pytest.mark.usefixtures("ada")
def test_what_is_no_address_yet_is_how_one_begins(typed: str, expected: list[str]) -> None:
    assert found(who=typed) == expected


@pytest.mark.usefixtures("ada")
def test_where_too_much_begins_so_the_addresses_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whom, "NARROW", 1)
    assert whom.meant_by("ada").choices == ("ada.king@x.org", "ada@x.org")
    assert found(who="zzz") == []


def test_a_crowd_of_one_name_is_not_looked_for() -> None:
    for number in range(whom.MOST_PEOPLE + 1):
        person(f"p{number}@x.org", name="Smith")
    assert whom.meant_by("smith") == whom.Whom(begins="smith", crowd=True)


# -- what is written for it


def test_a_sync_writes_down_what_its_actions_speak_of(world: World) -> None:
    world.organization.add_project("Search")
    world.hire("ada@x.org", "engineering")
    world.rule("Engineers", group="engineering", Search="member")

    world.sync()

    invite = Action.objects.get(kind="invite")
    said = Mention.objects.filter(action=invite).values_list("name__kind", "name__text")
    assert set(said) == {("rules", "Engineers"), ("held", "Search")}


def test_actions_from_before_are_noted_in_portions_and_it_may_be_stopped_between(
    acme: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = importlib.import_module("provisioning.search.migrations.0002_mentions")
    monkeypatch.setattr(migration, "PORTION", 2)
    made = job(acme)
    for number in range(5):
        did(made, str(number), "a@x.org", entitlement=SEARCH, rule=f"Rule {number}")
    as_it_was = set(Mention.objects.values_list("name__text", "action"))
    Mention.objects.filter(action__gt=made.actions.order_by("pk")[2].pk).delete()
    Name.objects.filter(text="Rule 4").delete()

    migration.note(apps, connection.schema_editor())

    assert set(Mention.objects.values_list("name__text", "action")) == as_it_was


def test_addresses_left_before_are_learned_from_the_revisions() -> None:
    migration = importlib.import_module("directory.migrations.0011_former_emails")
    ada = person("ada@x.org")
    for fields in ({"email": ["Old@x.org", "ada@x.org"]}, {"aliases": [["a@x.org", "b@x.org"], ["b@x.org"]]}):
        Revision.objects.create(person=ada, at=NOW, by="hr", fields=fields)

    for _ in range(2):
        migration.remember(apps, connection.schema_editor())

    assert set(FormerEmail.objects.values_list("person", "key")) == {
        (ada.pk, "old@x.org"),
        (ada.pk, "a@x.org"),
    }


def test_an_import_that_takes_an_alias_remembers_it() -> None:
    import_lines("email,aliases", "ada@x.org,a@x.org;b@x.org")
    import_lines("email,aliases", "ada@x.org,b@x.org")
    assert list(FormerEmail.objects.values_list("key", flat=True)) == ["a@x.org"]


def test_what_somebody_still_answers_to_is_not_left() -> None:
    assert former.left({"email": ["A@x.org", "b@x.org"], "aliases": [["b@x.org"], ["a@x.org"]]}) == set()
    assert former.left({"email": [None, "a@x.org"], "name": ["A", "B"]}) == set()
