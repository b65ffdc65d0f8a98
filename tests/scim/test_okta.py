"""What Okta sends, in the order in which it sends it (its SCIM 2.0 reference)."""

from typing import Any

import pytest

from directory.models import Person
from tests.directory.builders import directory
from tests.scim.builders import ENTERPRISE, GROUP, USER, ScimClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def okta() -> ScimClient:
    return ScimClient("okta")


def ada(**changes: Any) -> dict[str, Any]:
    """A new user as Okta sends one, its password and its empty groups included."""
    return {
        "schemas": [USER],
        "userName": "ada@example.org",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"primary": True, "value": "ada@example.org", "type": "work"}],
        "displayName": "Ada Lovelace",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **changes,
    }


def test_the_connection_is_tried(okta: ScimClient) -> None:
    answer = okta.get("/Users?startIndex=1&count=2")
    assert (answer.status, answer["totalResults"], answer["Resources"]) == (200, 0, [])
    assert okta.get("/ServiceProviderConfig")["patch"] == {"supported": True}


def test_a_user_is_looked_for_and_made(okta: ScimClient) -> None:
    looked = okta.get("/Users?filter=userName%20eq%20%22ada%40example.org%22&startIndex=1&count=100")
    assert (looked.status, looked["totalResults"]) == (200, 0)

    made = okta.post("/Users", ada())

    assert made.status == 201
    sent = ada()
    del sent["password"], sent["groups"]
    assert {name: made[name] for name in sent} == sent
    assert "password" not in made.body
    assert (
        made.headers["Location"]
        == made["meta"]["location"]
        == f"http://testserver/scim/v2/Users/{made['id']}"
    )
    found = okta.get("/Users?filter=userName%20eq%20%22ADA%40example.org%22&startIndex=1&count=100")
    assert [user["id"] for user in found["Resources"]] == [made["id"]]
    assert directory() == {
        "ada@example.org": {
            "name": "Ada Lovelace",
            "active": True,
            "groups": [],
            "addresses": ["ada@example.org"],
            "source": "okta",
        }
    }
    assert str(Person.objects.get().public_id) == made["id"]


def test_a_profile_is_replaced_in_full(okta: ScimClient) -> None:
    id = okta.post("/Users", ada())["id"]
    profile = ada(
        displayName="Countess Lovelace",
        title="Countess",
        **{ENTERPRISE: {"department": "Mathematics", "employeeNumber": "7"}},
    )
    del profile["locale"]

    answer = okta.put(f"/Users/{id}", {**profile, "id": id, "meta": {"resourceType": "User"}})

    assert (answer.status, answer["displayName"], "locale" in answer.body) == (
        200,
        "Countess Lovelace",
        False,
    )
    person = Person.objects.get()
    assert (person.name, person.title, person.department, person.employee_id) == (
        "Countess Lovelace",
        "Countess",
        "Mathematics",
        "7",
    )


def test_a_leaver_is_deactivated_without_a_path_and_comes_back(okta: ScimClient) -> None:
    id = okta.post("/Users", ada())["id"]

    answer = okta.patch(f"/Users/{id}", {"op": "replace", "value": {"active": False}})

    assert answer.status in (200, 204)
    assert (okta.get(f"/Users/{id}")["active"], Person.objects.get().active) == (False, False)
    okta.patch(f"/Users/{id}", {"op": "replace", "value": {"active": True}})
    assert (okta.get(f"/Users/{id}")["active"], Person.objects.get().active) == (True, True)


def test_a_new_address_leaves_the_person_the_same(okta: ScimClient) -> None:
    id = okta.post("/Users", ada())["id"]
    king = "ada.king@example.org"

    answer = okta.put(
        f"/Users/{id}",
        ada(id=id, userName=king, emails=[{"primary": True, "value": king, "type": "work"}]),
    )

    assert (answer.status, answer["id"], answer["userName"]) == (200, id, king)
    assert directory()[king]["addresses"] == [king, "ada@example.org"]


def test_groups_are_pushed_renamed_and_taken_back(okta: ScimClient) -> None:
    first, second = (okta.user(f"{name}@example.org")["id"] for name in ("ada", "bob"))
    assert okta.get("/Groups?filter=displayName%20eq%20%22Engineers%22")["totalResults"] == 0
    made = okta.post("/Groups", {"schemas": [GROUP], "displayName": "Engineers", "members": []})
    id = made["id"]
    assert made.status == 201

    added = okta.patch(
        f"/Groups/{id}",
        {"op": "remove", "path": f'members[value eq "{second}"]'},
        {"op": "add", "path": "members", "value": [{"value": first, "display": "ada@example.org"}]},
    )
    assert added.status in (200, 204)
    renamed = okta.patch(f"/Groups/{id}", {"op": "replace", "value": {"id": id, "displayName": "Builders"}})
    assert renamed.status in (200, 204)
    assert directory()["ada@example.org"]["groups"] == ["Builders"]

    replaced = okta.put(
        f"/Groups/{id}",
        {
            "schemas": [GROUP],
            "id": id,
            "displayName": "Builders",
            "members": [{"value": second, "display": "bob@example.org"}],
        },
    )
    assert (replaced.status, [member["value"] for member in replaced["members"]]) == (200, [second])
    assert okta.get(f"/Users/{second}")["groups"][0]["display"] == "Builders"

    assert okta.delete(f"/Groups/{id}").status == 204
    assert okta.get(f"/Groups/{id}").status == 404
    assert [person["groups"] for person in directory().values()] == [[], []]


def test_everybody_is_read_page_by_page(okta: ScimClient) -> None:
    made = [okta.user(f"p{number}@example.org")["id"] for number in range(5)]
    pages = [okta.get(f"/Users?startIndex={start}&count=2") for start in (1, 3, 5)]
    assert [page["totalResults"] for page in pages] == [5, 5, 5]
    assert [user["id"] for page in pages for user in page["Resources"]] == made
