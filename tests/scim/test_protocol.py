"""The protocol beyond what the testers look at: refusals that say why, bulk, conditions, and few queries."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import ScimFilter

from directory.models import Membership, Person
from directory.scim.models import UserRecord
from tests import effort
from tests.directory.builders import directory
from tests.scim.builders import BULK, GROUP, PATCH, USER, ScimClient

pytestmark = pytest.mark.django_db

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def okta() -> ScimClient:
    return ScimClient("okta")


def user(**attributes: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": "ada@example.org", **attributes}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "invalidSyntax"),
        (b"", 400, "invalidSyntax"),
        (b"\xff\xfe", 400, "invalidSyntax"),
        (b"[" * 5000, 400, "invalidSyntax"),
        ([], 400, None),
        ({}, 400, "invalidValue"),
        (user(userName=7), 400, "invalidValue"),
        (user(userName=""), 400, "invalidValue"),
        (user(active="maybe"), 400, "invalidValue"),
        (user(emails="ada@example.org"), 400, "invalidValue"),
        (user(emails=[{"value": "no address"}]), 400, "invalidValue"),
        (user(title="\0"), 400, "invalidValue"),
        (user(title="x" * 201), 400, "invalidValue"),
        (user(userName="x" * 256), 400, "invalidValue"),
        (user(nickName="x" * 1_100_000), 413, None),
        (user(favouriteColour="green"), 400, None),
        ({**user(), "schemas": [USER, "urn:example:unknown"]}, 400, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_user_is_refused_with_a_reason(
    okta: ScimClient, body: Any, status: int, kind: str | None
) -> None:
    answer = okta.post("/Users", body)
    assert (answer.status, answer["schemas"], answer["status"]) == (status, [ERROR], str(status))
    assert answer["detail"]
    if kind:
        assert answer["scimType"] == kind
    assert not Person.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Users/unknown", 404),
        ("GET", "/Users/00000000-0000-0000-0000-000000000000", 404),
        ("GET", "/Users/%00", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/Users?filter=userName", 400),
        ("GET", "/Users?filter=colour eq 7", 400),
        ("GET", "/Users?sortBy=colour", 400),
        ("GET", "/Users?startIndex=x", 400),
        ("GET", "/Me", 501),
        ("PATCH", "/Me", 501),
        ("POST", "/Me", 501),
        ("DELETE", "/Users", 405),
        ("TRACE", "/Users", 405),
        ("GET", "/ServiceProviderConfig?filter=x eq 1", 403),
    ],
)
def test_what_is_not_there_and_not_done_says_so(
    okta: ScimClient, method: str, path: str, status: int
) -> None:
    answer = okta(method, path)
    assert (answer.status, answer["schemas"]) == (status, [ERROR])


@pytest.mark.parametrize(
    "query", ["startIndex=-5&count=-1", "startIndex=9999999999999999999999&count=5", "count=0"]
)
def test_pages_outside_of_what_there_is_are_empty(okta: ScimClient, query: str) -> None:
    okta.user()
    answer = okta.get(f"/Users?{query}")
    assert (answer.status, answer["totalResults"], answer.body.get("Resources", [])) == (200, 1, [])


def test_both_media_types_are_understood_and_others_are_not(okta: ScimClient) -> None:
    plain = ScimClient("okta", media_type="application/json; charset=utf-8")
    assert plain.user()["userName"] == "ada@example.org"
    form = ScimClient("okta", media_type="application/x-www-form-urlencoded")
    assert form.post("/Users", "userName=bob").status == 415


def test_a_write_with_an_outdated_version_is_refused(okta: ScimClient) -> None:
    ada = okta.user()
    path, first = f"/Users/{ada['id']}", ada.headers["ETag"]
    change = {"op": "replace", "path": "title", "value": "Countess"}

    assert okta.patch(path, change, **{"If-Match": first}).status == 204

    assert okta.patch(path, {**change, "value": "Duchess"}, **{"If-Match": first}).status == 412
    assert okta.put(path, user(title="Duchess"), **{"If-Match": first}).status == 412
    assert okta.delete(path, **{"If-Match": first}).status == 412
    assert Person.objects.get().title == "Countess"
    now = okta.get(path).headers["ETag"]
    assert okta.get(path, **{"If-None-Match": now}).status == 304
    assert okta.delete(path, **{"If-Match": now}).status == 204


def test_a_group_has_another_version_when_staff_take_somebody_out(okta: ScimClient) -> None:
    group = okta.group("Builders", okta.user()["id"])
    Membership.objects.all().delete()
    assert okta.get(f"/Groups/{group['id']}").headers["ETag"] != group.headers["ETag"]


def test_a_patch_that_fails_half_way_changes_nothing(okta: ScimClient) -> None:
    ada = okta.user(title="Countess")
    group = okta.group("Builders")
    halves: tuple[tuple[str, list[dict[str, Any]]], ...] = (
        (
            f"/Users/{ada['id']}",
            [
                {"op": "replace", "path": "title", "value": "Duchess"},
                {"op": "replace", "path": "userName", "value": None},
            ],
        ),
        (
            f"/Groups/{group['id']}",
            [
                {"op": "replace", "path": "displayName", "value": "Makers"},
                {"op": "add", "path": "members", "value": [{"value": ada["id"]}, {"value": "nobody"}]},
            ],
        ),
    )
    for path, operations in halves:
        before = okta.get(path)
        assert okta.patch(path, *operations).status == 400
        after = okta.get(path)
        assert (after.body, after.headers["ETag"]) == (before.body, before.headers["ETag"])
    assert directory()["ada@example.org"]["groups"] == []


def bulk(okta: ScimClient, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = okta.post("/Bulk", {"schemas": [BULK], "Operations": operations, **more})
    assert answer.status == 200, answer.body
    done: list[dict[str, Any]] = answer["Operations"]
    return done


def test_a_bulk_request_makes_people_and_their_group(okta: ScimClient) -> None:
    group = {"schemas": [GROUP], "displayName": "Builders", "members": [{"value": "bulkId:ada"}]}
    done = bulk(
        okta,
        {"method": "POST", "path": "/Groups", "bulkId": "group", "data": group},
        {"method": "POST", "path": "/Users", "bulkId": "ada", "data": user()},
    )
    assert [operation["status"] for operation in done] == ["201", "201"]
    assert directory()["ada@example.org"]["groups"] == ["Builders"]


def test_a_bulk_request_stops_at_its_errors_and_keeps_what_was_done(okta: ScimClient) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(place), "data": user(userName=name)}
        for place, name in enumerate(["a@example.org", "a@example.org", "b@example.org"])
    ]
    done = bulk(okta, *operations, failOnErrors=1)
    assert [operation["status"] for operation in done] == ["201", "409"]
    assert list(directory()) == ["a@example.org"]


def test_a_bulk_request_that_is_too_large_is_refused_as_a_whole(okta: ScimClient) -> None:
    many = [{"method": "DELETE", "path": "/Users/x"}] * 1001
    assert okta.post("/Bulk", {"schemas": [BULK], "Operations": many}).status == 413
    assert okta.post("/Bulk", b" " * 1_100_000).status == 413


def queries(ask: Any) -> tuple[Any, int]:
    with CaptureQueriesContext(connection) as asked:
        answer = ask()
    return answer, len(asked)


def many(okta: ScimClient, number: int, first: int = 0) -> list[str]:
    return [
        okta.user(f"p{place}@example.org", displayName=f"P {place}")["id"]
        for place in range(first, first + number)
    ]


PAGES = [
    "/Users?startIndex=1&count=100",
    "/Users?filter=active eq true&count=100",
    "/Groups?count=100",
    "/Groups?excludedAttributes=members",
    '/Users?filter=userName eq "P1@example.org"',
    '/Users?filter=displayName eq "p 1"',
]


def test_a_page_of_thirty_asks_as_often_as_one_of_three(okta: ScimClient) -> None:
    ids = many(okta, 3)
    okta.group("Few", *ids)
    few = [queries(lambda path=path: okta.get(path))[1] for path in PAGES]
    ids += many(okta, 27, first=3)
    for place in range(5):
        okta.group(f"Many {place}", *ids)
    assert [queries(lambda path=path: okta.get(path))[1] for path in PAGES] == few
    assert max(few) <= 10  # four of them are savepoints


def test_one_is_found_without_looking_at_the_others(okta: ScimClient, monkeypatch) -> None:
    ids = many(okta, 5)
    okta.patch(f"/Users/{ids[3]}", {"op": "add", "path": "externalId", "value": "E3"})
    groups = [okta.group(f"G {place}", *ids)["id"] for place in range(3)]
    monkeypatch.setattr(ScimFilter, "match", lambda *_, **__: pytest.fail("looked at one by one"))
    for path, found in {
        'Users?filter=userName eq "P3@EXAMPLE.ORG"': ids[3],
        'Users?filter=externalId eq "E3"': ids[3],
        f'Users?filter=id eq "{ids[3]}"': ids[3],
        'Users?filter=displayName eq "p 3"': ids[3],
        'Users?filter=userName eq "p3@example.org" and externalId eq "E3"': ids[3],
        'Groups?filter=displayName eq "g 1"': groups[1],
        f'Groups?filter=id eq "{groups[1]}"': groups[1],
    }.items():
        answer = okta.get(f"/{path}")
        assert [resource["id"] for resource in answer["Resources"]] == [found]
    for path in ('externalId eq "e3"', f'id eq "{ids[3].upper()}"', 'userName eq "\\u0000"'):
        assert okta.get(f"/Users?filter={path}")["totalResults"] == 0


def test_a_thousand_members_are_added_in_few_queries(okta: ScimClient) -> None:
    made = Person.objects.bulk_create(
        Person(email=f"p{place}@example.org", source=okta.source) for place in range(1000)
    )
    recorded(okta, made)
    group = okta.group("Everyone")
    members = [{"value": str(person.public_id)} for person in made]

    answer, asked = queries(
        lambda: okta.patch(f"/Groups/{group['id']}", {"op": "Add", "path": "members", "value": members})
    )

    assert answer.status == 204
    assert (Membership.objects.count(), asked <= 50) == (1000, True), asked  # each with their history


def recorded(okta: ScimClient, people: list[Person]) -> None:
    now = timezone.now()
    UserRecord.objects.bulk_create(
        UserRecord(
            person=person,
            source=okta.source,
            user_name_key=person.email,
            resource={"schemas": [USER], "userName": person.email},
            created_at=now,
            modified_at=now,
        )
        for person in people
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "userName",
                    "emails",
                    "value",
                    "type",
                    "active",
                    "name",
                    "schemas",
                    "members",
                    "displayName",
                    "primary",
                ]
            )
            | st.text(max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        "active",
        "emails",
        'emails[type eq "work"].value',
        "members",
        'members[value eq "1"]',
        "name.givenName",
        "id",
        "meta",
        "schemas",
    ]
) | st.text(max_size=12)
OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove"])}, optional={"path": PATHS, "value": JSON}
)


@effort.cases(quick=20, soak=2_000)
@given(st.data())
def test_nothing_that_is_sent_breaks_it(data: st.DataObject) -> None:
    okta = ScimClient("okta")
    found = okta.get("/Users")["Resources"]
    id = found[0]["id"] if found else okta.user()["id"]
    method, path, body = data.draw(
        st.one_of(
            st.tuples(st.just("POST"), st.sampled_from(["/Users", "/Groups", "/Bulk", "/.search"]), JSON),
            st.tuples(st.just("POST"), st.just("/Users"), JSON.map(lambda value: user(emails=value))),
            st.tuples(st.just("PUT"), st.just(f"/Users/{id}"), JSON.map(lambda value: user(name=value))),
            st.tuples(
                st.just("PATCH"),
                st.just(f"/Users/{id}"),
                st.lists(OPERATION, max_size=3).map(lambda done: {"schemas": [PATCH], "Operations": done}),
            ),
        )
    )
    answer = okta(method, path, json.dumps(body))
    assert answer.status < 500, (method, path, body, answer.body)
    assert okta.get("/Users").status == 200


def test_only_clients_wait_for_what_speaks_with_them() -> None:
    """It takes as long to import as all the rest that a command needs."""
    words = ["-X", "importtime", "manage.py", "check"]
    checked = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stderr
    assert "import time" in checked
    assert "scim2_models" not in checked
