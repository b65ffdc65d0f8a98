"""Only its own source changes a person, whatever the two are. Who is wanted by two is settled by hand."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from directory import importing
from directory.import_plan import ImportPlan, Options
from directory.models import Conflict, Person, Revision, Source, Upload
from directory.people_table import Entry, Reading
from provisioning import uploads
from tests.admin.builders import staff
from tests.directory.builders import NOW, csv_file, directory, import_lines, person, source
from tests.scim.builders import USER, ScimClient

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
Kind = Source.Kind


@pytest.fixture
def chief() -> Client:
    client = Client()
    client.force_login(staff("chief", is_superuser=True))
    return client


def by_file(name: str = "hers") -> None:
    import_lines("email,name,active,groups", f"{ADA},Hers,no,spies", source=name, allow_drop=True)


def by_ldap(name: str = "hers", *, others: tuple[str, ...] = ()) -> ImportPlan:
    said = [{"email": email, "external_id": f"id-{email}", "name": "Hers"} for email in (ADA, *others)]
    entries = [Entry(one["email"], (), {**one, "groups": ("spies",)}) for one in said]
    options = Options(name, replace=True, allow_drop=True, kind=Kind.LDAP)
    return importing.import_reading("ldaps://x", Reading(len(entries), entries=entries), options, now=NOW)


def by_scim(name: str = "hers") -> None:
    ScimClient(name).post(
        "/Users", {"schemas": [USER], "userName": ADA, "displayName": "Hers", "active": True}
    )


CLAIMS: dict[str, Callable[[], object]] = {Kind.FILE: by_file, Kind.LDAP: by_ldap, Kind.SCIM: by_scim}


@pytest.mark.parametrize("claimant", CLAIMS)
@pytest.mark.parametrize("owner", Kind)
def test_a_source_that_wants_anothers_person_changes_nothing_until_they_are_handed_over(
    chief: Client, owner: str, claimant: str
) -> None:
    ada = person(ADA, name="Ada", groups=("engineering",), source=source("his", owner))
    before = directory()

    CLAIMS[claimant]()

    assert directory() == before
    conflict = Conflict.objects.get()
    assert (conflict.source.name, conflict.source.kind, conflict.address) == ("hers", claimant, ADA)
    assert (conflict.person, conflict.state, conflict.times) == (ada, "open", 1)
    assert not Revision.objects.exists()

    chief.post(reverse("admin:directory_conflict_hand_over", args=[conflict.pk]))
    CLAIMS[claimant]()

    ada.refresh_from_db()
    assert (ada.name, ada.source.name, Person.objects.count()) == ("Hers", "hers", 1)
    if owner == Kind.FILE:  # whoever had her says she left
        import_lines("email", source="his", replace=True, allow_drop=True)
    ada.refresh_from_db()
    assert (ada.name, ada.active) == ("Hers", claimant != Kind.FILE)


@pytest.mark.parametrize("owner", [Kind.FILE, Kind.LDAP, Kind.SCIM])
def test_by_hand_nobody_of_another_source_is_entered_again(chief: Client, owner: str) -> None:
    person(ADA, source=source("his", owner))
    answer = chief.post(reverse("admin:directory_person_add"), {"email": ADA, "active": "on"})
    assert "already belongs to ada@example.org of source &#x27;his&#x27;" in answer.content.decode()
    assert Person.objects.count() == 1


def test_one_conflict_keeps_nobody_else_out_of_a_pull() -> None:
    person(ADA, source=source("his"))

    plan = by_ldap(others=("bob@example.org",))

    assert [change.after["email"] for change in plan.added] == ["bob@example.org"]
    assert plan.warnings == [
        "ada@example.org is not added: ada@example.org belongs to ada@example.org of source 'his'. Conflicts "
        "has the two."
    ]
    assert by_ldap(others=("bob@example.org",)).changes == []
    assert Conflict.objects.get().times == 2


def test_an_address_that_moves_to_anothers_leaves_the_puller_s_person_as_known() -> None:
    by_ldap()
    person("eve@example.org", source=source("his"))
    values = {"email": "eve@example.org", "external_id": f"id-{ADA}", "name": "New"}
    reading = Reading(1, entries=[Entry("eve@example.org", (), values)])

    plan = importing.import_reading("ldaps://x", reading, Options("hers", True, kind=Kind.LDAP), now=NOW)

    assert (plan.applied, plan.changes, plan.untouched) == (True, [], 1)
    assert directory()[ADA]["active"] is True
    assert Conflict.objects.get().address == "eve@example.org"


def test_a_file_with_a_conflict_still_names_the_row_and_imports_nothing() -> None:
    person(ADA, source=source("okta", Kind.SCIM))

    plan = import_lines("email", "bob@example.org", ADA)

    [problem] = plan.errors
    assert (problem.row, problem.column) == (3, "email")
    assert [person.email for person in Person.objects.all()] == [ADA]


def test_the_import_page_lists_what_belongs_to_others_and_leads_there(chief: Client) -> None:
    person(ADA, source=source("okta", Kind.SCIM))
    page = reverse("admin:directory_person_import_people")

    file = SimpleUploadedFile("people.csv", csv_file("email", ADA))
    answer = chief.post(page, {"file": file, "source": "file"})
    uploads.go_on(Upload.objects.get().pk)

    html = chief.get(answer["Location"]).content.decode()
    assert reverse("admin:directory_conflict_changelist") in html
    assert "where a person can be handed over" in html
    assert Conflict.objects.get().source.name == "file"


def test_what_is_only_tried_notes_no_conflict() -> None:
    person(ADA, source=source("okta", Kind.SCIM))
    importing.preview("people.csv", csv_file("email", ADA), Options(), now=timezone.now())
    assert not Conflict.objects.exists()


def test_a_file_for_another_source_fills_no_list_of_conflicts() -> None:
    rows = [f"p{number}@example.org" for number in range(150)]
    import_lines("email", *rows, source="his")

    plan = import_lines("email", *rows, source="hers")

    assert (len(plan.errors), Conflict.objects.count()) == (150, importing.MOST_CONFLICTS)
