"""Whose people they are: a client sees and changes its own source's, and no others."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from directory.models import Conflict, Group, Membership, Person, Source
from provisioning import requesting
from tests.directory.builders import directory, person
from tests.scim.builders import GROUP, USER, Answer, ScimClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def okta() -> ScimClient:
    return ScimClient("okta")


@pytest.fixture
def entra() -> ScimClient:
    return ScimClient("entra")


def refused(client: ScimClient, user_name: str) -> Answer:
    answer = client.post("/Users", {"schemas": [USER], "userName": user_name})
    assert (answer.status, answer["scimType"]) == (409, "uniqueness")
    return answer


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer  "])
def test_nobody_comes_in_without_the_token(okta: ScimClient, sent: str) -> None:
    answer = okta.get("/Users", Authorization=sent.format(token=okta.token))
    assert (answer.status, answer["schemas"], answer["status"]) == (
        401,
        ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "401",
    )
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Set-Cookie" not in answer.headers


def test_the_token_of_another_kind_of_source_does_not_exist(okta: ScimClient) -> None:
    Source.objects.filter(pk=okta.source.pk).update(kind=Source.Kind.FILE)
    assert okta.get("/Users").status == 401


def test_the_source_says_when_its_token_was_last_used(okta: ScimClient) -> None:
    okta.get("/Users")
    okta.source.refresh_from_db()
    assert okta.source.token_used_at
    assert timezone.now() - okta.source.token_used_at < timedelta(minutes=1)


def test_another_clients_people_and_groups_do_not_exist(okta: ScimClient, entra: ScimClient) -> None:
    ada, builders = okta.user("ada@example.org"), okta.group("Builders")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        for path in (f"/Users/{ada['id']}", f"/Groups/{builders['id']}"):
            body = {"PUT": {"schemas": [USER], "userName": "x"}, "PATCH": {}}.get(method)
            if "Groups" in path and method == "PUT":
                body = {"schemas": [GROUP], "displayName": "x"}
            if method == "PATCH":
                answer = entra.patch(path, {"op": "replace", "path": "displayName", "value": "x"})
            else:
                answer = entra(method, path, body)
            assert (method, path, answer.status) == (method, path, 404)
    assert entra.get("/")["totalResults"] == 0
    group = {"schemas": [GROUP], "displayName": "Theirs", "members": [{"value": ada["id"]}]}
    assert entra.post("/Groups", group)["scimType"] == "invalidValue"
    assert directory()["ada@example.org"]["groups"] == []


def test_an_address_of_another_sources_person_is_a_conflict_that_is_counted(okta: ScimClient) -> None:
    hers = person("ada@example.org", name="Ada", aliases=("countess@example.org",))
    for user_name in ("Ada@Example.org", "ada@example.org", "countess@example.org"):
        assert "of source 'file'" in refused(okta, user_name)["detail"]

    assert Person.objects.count() == 1
    found = Conflict.objects.order_by("pk").values_list("source__name", "address", "person", "times", "state")
    assert list(found) == [
        ("okta", "ada@example.org", hers.pk, 2, "open"),
        ("okta", "countess@example.org", hers.pk, 1, "open"),
    ]


def test_who_is_handed_over_is_taken_over_as_the_same_person(okta: ScimClient) -> None:
    hers = person("ada@example.org", groups=("staff",), external_id="7")
    refused(okta, "ada@example.org")
    chief = get_user_model().objects.create(username="chief")

    Conflict.objects.get().hand_over(by=chief, now=timezone.now())

    assert okta.get("/Users")["totalResults"] == 0  # until it is written
    made = okta.user("ada@example.org", title="Countess")
    hers.refresh_from_db()
    assert (made["id"], hers.title, hers.source.name) == (str(hers.public_id), "Countess", "okta")
    assert directory()["ada@example.org"]["groups"] == ["staff"]


def test_who_is_handed_from_one_client_to_another_is_gone_for_the_first(
    okta: ScimClient, entra: ScimClient
) -> None:
    ada = okta.user("ada@example.org")
    refused(entra, "ada@example.org")
    Conflict.objects.get().hand_over(by=None, now=timezone.now())
    assert okta.get(f"/Users/{ada['id']}").status == 404  # even before the other one takes them over

    taken = entra.user("ada@example.org")

    assert taken["id"] == ada["id"]
    assert okta.get(f"/Users/{ada['id']}").status == 404
    refused(okta, "ada@example.org")
    assert okta.user("ada", displayName="Somebody else")["id"] != ada["id"]


def test_a_dismissed_conflict_stays_dismissed_and_is_still_counted(okta: ScimClient) -> None:
    person("ada@example.org")
    refused(okta, "ada@example.org")
    Conflict.objects.get().dismiss(by=None, now=timezone.now())
    refused(okta, "ada@example.org")
    assert Conflict.objects.values_list("state", "times").get() == ("dismissed", 2)


def test_a_group_of_the_directory_is_used_and_only_ones_own_people_move_in_it(okta: ScimClient) -> None:
    person("by.hand@example.org", groups=("engineering",))
    ada = okta.user("ada@example.org")

    group = okta.group("Engineering", ada["id"])

    assert [member["value"] for member in group["members"]] == [ada["id"]]
    assert Group.objects.values_list("name", flat=True).get() == "engineering"
    assert Membership.objects.count() == 2
    replaced = okta.put(f"/Groups/{group['id']}", {"schemas": [GROUP], "displayName": "R&D", "members": []})
    assert (replaced.status, replaced["displayName"]) == (200, "R&D")
    assert Group.objects.get().name == "engineering"  # the rules and the others know it by that
    assert okta.delete(f"/Groups/{group['id']}").status == 204
    assert {email: entry["groups"] for email, entry in directory().items()} == {
        "ada@example.org": [],
        "by.hand@example.org": ["engineering"],
    }


def test_two_clients_share_a_group_by_its_name_and_each_sees_its_own(
    okta: ScimClient, entra: ScimClient
) -> None:
    mine = okta.group("Builders", okta.user("ada@example.org")["id"])
    theirs = entra.group("builders", entra.user("bob@example.org")["id"])
    assert Group.objects.count() == 1
    assert [len(group["members"]) for group in (mine, theirs)] == [1, 1]
    okta.delete(f"/Groups/{mine['id']}")
    assert directory()["bob@example.org"]["groups"] == ["Builders"]


def test_a_name_that_is_taken_is_refused(okta: ScimClient) -> None:
    okta.user("Ada@example.org", emails=[{"value": "countess@example.org"}])
    okta.group("Builders")
    assert "ADA@EXAMPLE.ORG" in refused(okta, "ADA@EXAMPLE.ORG")["detail"]
    refused(okta, "countess@example.org")
    bob = okta.user("bob@example.org")
    renamed = okta.patch(
        f"/Users/{bob['id']}", {"op": "replace", "path": "userName", "value": "ada@example.org"}
    )
    assert (renamed.status, renamed["scimType"]) == (409, "uniqueness")
    again = okta.post("/Groups", {"schemas": [GROUP], "displayName": "builders"})
    assert (again.status, again["scimType"]) == (409, "uniqueness")
    assert not Conflict.objects.exists()


def test_a_former_address_is_free_for_somebody_else_of_the_source(okta: ScimClient) -> None:
    first = okta.user("m.smith@example.org")
    okta.patch(f"/Users/{first['id']}", {"op": "replace", "value": {"userName": "m.jones@example.org"}})
    assert directory()["m.jones@example.org"]["addresses"] == ["m.jones@example.org", "m.smith@example.org"]

    second = okta.user("m.smith@example.org")

    assert second["id"] != first["id"]
    assert directory()["m.jones@example.org"]["addresses"] == ["m.jones@example.org"]


def test_aliases_from_staff_stay_when_the_client_writes_something_else(okta: ScimClient) -> None:
    ada = okta.user("ada@example.org", emails=[{"value": "a@example.org"}])
    Person.objects.get().claim_addresses(["a@example.org", "private@example.net"])
    okta.patch(
        f"/Users/{ada['id']}", {"op": "replace", "path": "emails", "value": [{"value": "b@example.org"}]}
    )
    assert directory()["ada@example.org"]["addresses"] == [
        "ada@example.org",
        "b@example.org",
        "private@example.net",
    ]


def test_who_was_deactivated_here_is_shown_so_and_stays_so_until_the_client_says_otherwise(
    okta: ScimClient,
) -> None:
    ada = okta.user("ada@example.org", active=True)
    Person.objects.update(active=False)
    seen = okta.get(f"/Users/{ada['id']}")
    assert (seen["active"], seen.headers["ETag"] == ada.headers["ETag"]) == (False, False)
    okta.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "title", "value": "Countess"})
    assert not Person.objects.get().active
    okta.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "active", "value": True})
    assert Person.objects.get().active


def test_integrations_hear_of_what_changes_people_and_of_nothing_else(okta: ScimClient, monkeypatch) -> None:
    told: list[set[int]] = []
    monkeypatch.setattr(requesting, "people_changed", lambda ids: told.append(set(ids)) if ids else None)
    ada = okta.user("ada@example.org")
    of_ada = {Person.objects.get().pk}
    assert told == [of_ada]
    path = f"/Users/{ada['id']}"
    okta.get(path)
    okta.patch(path, {"op": "add", "path": "nickName", "value": "Countess"})
    okta.patch(path, {"op": "replace", "path": "active", "value": "maybe"})
    group = okta.group("Builders")
    assert told == [of_ada]
    okta.patch(f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": ada["id"]}]})
    okta.delete(path)
    assert told == [of_ada] * 3


def test_the_pages_of_people_and_groups_say_what_the_client_calls_them(okta: ScimClient, client) -> None:
    ada = okta.user("ada@example.org", externalId="00u7")
    okta.group("Builders", ada["id"])
    client.force_login(get_user_model().objects.create_superuser("chief"))

    person_page = client.get(f"/admin/directory/person/{Person.objects.get().pk}/change/").content.decode()
    group_page = client.get(f"/admin/directory/group/{Group.objects.get().pk}/change/").content.decode()

    assert f"okta knows them as ada@example.org (external id 00u7), by the id {ada['id']}." in person_page
    assert "okta fills this group with its own people, as Builders." in group_page


def test_a_rotated_token_is_shown_on_one_page_and_kept_on_none(okta: ScimClient, client) -> None:
    client.force_login(get_user_model().objects.create_superuser("chief"))
    page = f"/admin/directory/source/{okta.source.pk}/"

    answer = client.post(f"{page}rotate/")

    token = re.search(r"cakewalk-scim-[\w-]+", answer.content.decode())[0]
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert [okta.get("/Users", Authorization=f"Bearer {one}").status for one in (token, okta.token)] == [
        200,
        200,
    ]
    shown = client.get(f"{page}change/").content.decode()
    assert "http://testserver/scim/v2" in shown
    assert token not in shown
    client.post(f"{page}revoke/")
    assert [okta.get("/Users", Authorization=f"Bearer {one}").status for one in (token, okta.token)] == [
        200,
        401,
    ]
