"""What was said of a person is kept, whoever said it: files, the admin, SCIM clients, LDAP servers."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from directory.models import Conflict, Person, Revision, Source
from tests.admin.browser import as_shown
from tests.admin.builders import staff
from tests.directory.builders import import_lines, person, source
from tests.scim.builders import USER, ScimClient

pytestmark = pytest.mark.django_db


def told(of: Person) -> list[tuple[str, dict[str, list[object]]]]:
    return [(row.by, row.fields) for row in of.revisions.order_by("pk")]


@pytest.fixture
def chief() -> Client:
    client = Client()
    client.force_login(staff("chief", is_superuser=True))
    return client


def test_imports_tell_what_they_changed_and_nothing_of_who_stayed_the_same() -> None:
    import_lines("email,name,groups", "ada@example.org,Ada,engineering", "bob@example.org,Bob,")
    import_lines("email,name,groups", "ada@example.org,Ada,sales", "bob@example.org,Bob,")
    import_lines("email", "bob@example.org", replace=True, allow_drop=True)

    ada = Person.objects.get(email="ada@example.org")
    by = "import of people.csv into file"
    first = {"email": [None, "ada@example.org"], "name": [None, "Ada"], "active": [None, True]}
    assert told(ada) == [
        (by, {**first, "groups": [None, ["engineering"]]}),
        (by, {"groups": [["engineering"], ["sales"]]}),
        (by, {"active": [True, False]}),
    ]
    assert Revision.objects.filter(person__email="bob@example.org").count() == 1


def test_the_admin_tells_what_staff_changed(chief: Client) -> None:
    ada = person("ada@example.org", groups=("engineering",), source=source("by hand", Source.Kind.MANUAL))
    page = reverse("admin:directory_person_change", args=[ada.pk])

    chief.post(page, as_shown(chief, page, "person_form", email="a@example.org", aliases="ada@example.org"))
    chief.post(page, as_shown(chief, page, "person_form"))  # sent back as it was
    chief.post(reverse("admin:directory_person_deactivate", args=[ada.pk]))
    chief.post(reverse("admin:directory_group_delete", args=[ada.groups.get().pk]), {"post": "yes"})

    by = "chief, in the admin"
    assert told(ada) == [
        (by, {"email": ["ada@example.org", "a@example.org"], "aliases": [[], ["ada@example.org"]]}),
        (by, {"active": [True, False]}),
        (by, {"groups": [["engineering"], []]}),
    ]
    for shown in (page, reverse("admin:directory_person_history", args=[ada.pk])):
        html = chief.get(shown).content.decode()
        assert "<del>ada@example.org</del> → <ins>a@example.org</ins>" in html
        assert by in html


def test_who_is_handed_over_to_another_source_is_told_so(chief: Client) -> None:
    ada, okta = person("ada@example.org"), source("okta", Source.Kind.SCIM)
    Conflict.objects.note(okta, "ada@example.org", ada, now=timezone.now())

    chief.post(reverse("admin:directory_conflict_hand_over", args=[okta.conflicts.get().pk]))

    assert told(ada) == [("chief, in the admin", {"source": ["file", "okta"]})]


def test_a_scim_client_tells_what_it_changed_and_with_which_token() -> None:
    okta = ScimClient("okta")
    made = okta.user("ada@example.org", displayName="Ada")
    path = f"/Users/{made['id']}"
    group = okta.group("Engineering", made["id"])
    okta.put(path, {"schemas": [USER], "userName": "ada@example.org", "displayName": "Ada"})  # as it is
    okta.source.issue_token(now=timezone.now())
    okta.patch(path, {"op": "replace", "path": "userName", "value": "a@example.org"})
    okta.patch(f"/Groups/{group['id']}", {"op": "remove", "path": "members"})
    okta.delete(path)
    okta.delete(path)  # 404

    new, old = (f"SCIM client of okta, with its {name}" for name in ("token", "old token"))
    first = {"email": [None, "ada@example.org"], "name": [None, "Ada"], "active": [None, True]}
    assert told(Person.objects.get()) == [
        (new, {**first, "source": [None, "okta"]}),
        (new, {"groups": [[], ["Engineering"]]}),
        (old, {"email": ["ada@example.org", "a@example.org"], "aliases": [[], ["ada@example.org"]]}),
        (old, {"groups": [["Engineering"], []]}),
        (old, {"active": [True, False]}),
    ]


def test_whose_former_address_goes_to_another_is_told_so() -> None:
    okta = ScimClient("okta")
    ada = okta.user("ada@example.org")
    okta.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "userName", "value": "a@example.org"})
    okta.user("ada@example.org")

    first = Person.objects.get(public_id=ada["id"])
    assert told(first)[-1][1] == {"aliases": [["ada@example.org"], []]}


def test_a_request_that_is_refused_leaves_no_trace() -> None:
    okta = ScimClient("okta")
    person("ada@example.org")
    body = {"schemas": [USER], "userName": "eve@example.org", "emails": [{"value": "ada@example.org"}]}
    assert okta.post("/Users", body).status == 409
    assert not Revision.objects.exists()


def test_a_person_entered_by_hand_begins_with_all_that_was_typed(chief: Client) -> None:
    chief.post(reverse("admin:directory_person_add"), {"email": "eve@example.org", "active": "on"})

    [(_, fields)] = told(Person.objects.get())
    assert fields == {"email": [None, "eve@example.org"], "active": [None, True], "source": [None, "by hand"]}
