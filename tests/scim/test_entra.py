"""What Microsoft Entra ID sends (its tutorial on provisioning by SCIM), with all that is its own."""

from typing import Any
from uuid import uuid4

import pytest

from directory.models import Person
from tests.directory.builders import directory
from tests.scim.builders import ENTERPRISE, GROUP, USER, ScimClient

pytestmark = pytest.mark.django_db

ENTRA_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


@pytest.fixture
def entra() -> ScimClient:
    return ScimClient("entra", media_type="application/scim+json; charset=utf-8")


def ada(**changes: Any) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Ada.Lovelace@Example.org",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "ada@example.org"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        "roles": [],
        **changes,
    }


def test_the_connection_is_tried_with_somebody_who_is_not_there(entra: ScimClient) -> None:
    answer = entra.get(f"/Users?filter=userName+eq+%22{uuid4()}%22")
    assert (answer.status, answer["totalResults"], answer["Resources"], answer["itemsPerPage"]) == (
        200,
        0,
        [],
        0,
    )
    assert answer.headers["Content-Type"].startswith("application/scim+json")


def test_a_user_is_made_and_reads_back_as_written(entra: ScimClient) -> None:
    made = entra.post("/Users", ada())
    assert made.status == 201
    for name in ("externalId", "userName", "active", "emails", "name"):
        assert made[name] == ada()[name]
    found = entra.get(f"/Users?filter=externalId+eq+%22{ada()['externalId']}%22")
    assert [user["id"] for user in found["Resources"]] == [made["id"]]
    assert directory()["Ada.Lovelace@Example.org"]["addresses"] == [
        "ada.lovelace@example.org",
        "ada@example.org",
    ]


@pytest.mark.parametrize("value", ["False", False, "false"])
def test_a_leaver_is_deactivated_with_a_word(entra: ScimClient, value: Any) -> None:
    id = entra.post("/Users", ada())["id"]
    answer = entra.patch(f"/Users/{id}", {"op": "Replace", "path": "active", "value": value})
    assert answer.status in (200, 204)
    assert (entra.get(f"/Users/{id}")["active"], Person.objects.get().active) == (False, False)


def test_several_attributes_change_in_one_request(entra: ScimClient) -> None:
    id = entra.post("/Users", ada())["id"]

    answer = entra.patch(
        f"/Users/{id}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "countess@example.org"},
        {"op": "Replace", "path": "name.familyName", "value": "King"},
        {"op": "Add", "path": "title", "value": "Countess"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Mathematics"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "b1f4d2a0"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+44 20 7946 0958"},
        {"op": "Add", "path": 'addresses[type eq "work"].locality', "value": "London"},
    )

    assert answer.status in (200, 204), answer.body
    user = entra.get(f"/Users/{id}")
    assert user["emails"] == [{"primary": True, "type": "work", "value": "countess@example.org"}]
    assert user[ENTERPRISE] == {"department": "Mathematics", "manager": {"value": "b1f4d2a0"}}
    assert user["phoneNumbers"] == [{"type": "mobile", "value": "+44 20 7946 0958"}]
    assert user["addresses"] == [{"type": "work", "locality": "London"}]
    person = Person.objects.get()
    assert (person.title, person.department) == ("Countess", "Mathematics")
    assert "ada@example.org" not in directory()[person.email]["addresses"]


def test_keys_with_dots_and_without_a_path_are_paths(entra: ScimClient) -> None:
    id = entra.post("/Users", ada())["id"]
    value = {"displayName": "Countess", "name.givenName": "Augusta", f"{ENTERPRISE}:department": "Maths"}
    assert entra.patch(f"/Users/{id}", {"op": "replace", "value": value}).status in (200, 204)
    user = entra.get(f"/Users/{id}")
    assert (user["name"]["givenName"], user[ENTERPRISE]["department"]) == ("Augusta", "Maths")


def test_an_address_is_added_where_there_was_none(entra: ScimClient) -> None:
    id = entra.post("/Users", ada(emails=[]))["id"]
    path = 'emails[type eq "work"].value'
    assert entra.patch(f"/Users/{id}", {"op": "Add", "path": path, "value": "a@example.org"}).status < 300
    assert entra.get(f"/Users/{id}")["emails"] == [{"type": "work", "value": "a@example.org"}]


def test_a_renamed_user_keeps_the_id_and_the_former_address(entra: ScimClient) -> None:
    id = entra.post("/Users", ada(emails=[]))["id"]
    entra.patch(f"/Users/{id}", {"op": "Replace", "path": "userName", "value": "ada.king@example.org"})
    assert entra.get(f"/Users/{id}")["userName"] == "ada.king@example.org"
    assert directory()["ada.king@example.org"]["addresses"] == [
        "ada.king@example.org",
        "ada.lovelace@example.org",
    ]


def test_a_group_is_made_filled_checked_and_emptied(entra: ScimClient) -> None:
    people = [entra.user(f"p{number}@example.org")["id"] for number in range(3)]
    assert (
        entra.get("/Groups?excludedAttributes=members&filter=displayName+eq+%22Builders%22")["totalResults"]
        == 0
    )
    made = entra.post(
        "/Groups",
        {
            "schemas": [GROUP, ENTRA_GROUP],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
            "displayName": "Builders",
            "meta": {"resourceType": "Group"},
        },
    )
    assert made.status == 201, made.body
    id = made["id"]

    added = entra.patch(
        f"/Groups/{id}",
        {"op": "Add", "path": "members", "value": [{"value": person} for person in people]},
    )
    assert added.status in (200, 204), added.body

    shown = entra.get(f"/Groups/{id}?excludedAttributes=members")
    assert (shown.status, "members" in shown.body) == (200, False)
    assert shown.headers["ETag"] == entra.get(f"/Groups/{id}").headers["ETag"]
    is_in = entra.get(f'/Groups?excludedAttributes=members&filter=id eq "{id}" and members eq "{people[0]}"')
    assert is_in["totalResults"] == 1

    for removal in (
        {"op": "Remove", "path": f'members[value eq "{people[0]}"]'},
        {"op": "Remove", "path": "members", "value": [{"value": people[1]}]},
    ):
        assert entra.patch(f"/Groups/{id}", removal).status in (200, 204)
    assert [member["value"] for member in entra.get(f"/Groups/{id}")["members"]] == [people[2]]
    assert (
        entra.patch(f"/Groups/{id}", {"op": "Replace", "path": "displayName", "value": "Makers"}).status < 300
    )
    assert directory()["p2@example.org"]["groups"] == ["Makers"]


def test_somebody_deleted_is_gone_for_entra_and_comes_back_as_the_same_person(entra: ScimClient) -> None:
    made = entra.post("/Users", ada())
    group = entra.group("Builders", made["id"])

    assert entra.delete(f"/Users/{made['id']}").status == 204

    assert entra.get(f"/Users/{made['id']}").status == 404
    assert entra.get("/Users")["totalResults"] == 0
    assert "members" not in entra.get(f"/Groups/{group['id']}").body
    person = Person.objects.get()
    assert (person.active, person.groups.count()) == (False, 0)

    back = entra.post("/Users", ada(externalId="another"))

    assert (back.status, back["id"], back["externalId"]) == (201, made["id"], "another")
    assert (Person.objects.get().pk, Person.objects.get().active) == (person.pk, True)
