"""OpenAI's JSON: the variations it has shown are understood, everything else is refused by its place."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from integrations.connectors.base import Account, AccountState, Entitlement, Grant
from integrations.connectors.openai import parsing
from integrations.connectors.openai.parsing import Holder, Page, Unreadable
from tests.openai.builders import body, group, invite, page, project, user, without

JOINED = datetime.fromtimestamp(1_760_000_000, UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADA = Account("user-1", AccountState.ACTIVE, "ada@example.org", "reader", "Ada Byron", since=JOINED)


@pytest.mark.parametrize(
    ("row", "account"),
    [
        pytest.param(user(email="ada@example.org"), ADA, id="as documented"),
        pytest.param(
            {
                "object": "organization.user",
                "role": "reader",
                "created": 1_760_000_000,
                "user": {"object": "user", "id": "user-1", "email": "ada@example.org", "name": "Ada Byron"},
            },
            ADA,
            id="nested, as in December 2025",
        ),
        pytest.param(
            user(
                email=None, name=None, user={"id": "user-1", "email": "ada@example.org", "name": "Ada Byron"}
            ),
            ADA,
            id="null beside a nested person",
        ),
        pytest.param(user(email="ada@example.org", user=None, projects=None), ADA, id="null for the nested"),
        pytest.param(user(email="ada@example.org", surprise=[1]), ADA, id="a field nobody told us of"),
        pytest.param(
            {"id": "user-1"},
            Account("user-1", AccountState.ACTIVE, None, None),
            id="an id and nothing else",
        ),
        pytest.param(
            user(email="", role=None, added_at=None, is_service_account=True, is_scim_managed=None),
            Account("user-1", AccountState.ACTIVE, None, None, "Ada Byron", is_service=True),
            id="a service account without an address",
        ),
        pytest.param(
            user(email="ada@example.org", role="billing-admin", is_scim_managed=True),
            Account(
                "user-1",
                AccountState.ACTIVE,
                "ada@example.org",
                "billing-admin",
                "Ada Byron",
                managed_elsewhere=True,
                since=JOINED,
            ),
            id="a custom role, managed through SCIM",
        ),
    ],
)
def test_a_user_is_understood_in_every_shape_seen(row, account):
    assert parsing.parse_user(row, "Row 1") == account


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (without(user(), "id"), "Row 1 has no id"),
        (user(id=""), "Row 1 has no id"),
        (user(id=7), "Row 1 has no id"),
        (user(id=".."), "Row 1 has no id"),
        (user(id="u" * 201), "Row 1 has no id"),
        (user(email=["ada@example.org"]), "Row 1 has a email that is no text"),
        (user(role={"name": "owner"}), "Row 1 has a role that is no text"),
        (user(added_at="yesterday"), "Row 1 has an added_at that is no time"),
        (user(added_at=1e30), "Row 1 has an added_at that is no time"),
        (user(added_at=True), "Row 1 has an added_at that is no time"),
        (user(is_scim_managed="false"), "Row 1 has an is_scim_managed that is neither true nor false"),
        (user(user="user-1"), "Row 1, field user, is not a JSON object"),
        (invite(), "Row 1 is of another kind than organization.user"),
    ],
)
def test_a_user_that_makes_no_sense_is_refused_by_its_place(row, complaint):
    with pytest.raises(Unreadable, match=f"^{complaint}$"):
        parsing.parse_user(row, "Row 1")


INVITED = Account("invite-1", AccountState.INVITED, "invite-1@example.org", "reader", since=JOINED)


def invited(**changes: Any) -> Account:
    return replace(INVITED, **changes)


@pytest.mark.parametrize(
    ("row", "account"),
    [
        pytest.param(invite(), invited(), id="as documented"),
        pytest.param(without(invite(), "projects"), invited(), id="without projects, as in the examples"),
        pytest.param(invite(projects=None), invited(), id="null for projects"),
        pytest.param(
            without(invite(invited_at=1_760_000_000), "created_at"), invited(), id="the name of a year ago"
        ),
        pytest.param(
            invite(projects=[{"id": "proj_2", "role": "owner"}, {"id": "proj_1", "role": "member"}]),
            invited(grants=(Grant("project", "proj_1", "member"), Grant("project", "proj_2", "owner"))),
            id="with projects",
        ),
        pytest.param(
            invite(expires_at=NOW.timestamp() + 1),
            invited(expires_at=datetime.fromtimestamp(NOW.timestamp() + 1, UTC)),
            id="about to expire",
        ),
        pytest.param(
            invite(expires_at=NOW.timestamp()),
            invited(expires_at=NOW, state=AccountState.EXPIRED),
            id="pending past its time",
        ),
        pytest.param(invite(status="expired"), invited(state=AccountState.EXPIRED), id="expired"),
        pytest.param(invite(status="accepted", accepted_at=1_760_000_100), None, id="accepted"),
    ],
)
def test_an_invite_is_understood_in_every_shape_seen(row, account):
    assert parsing.parse_invite(row, "Row 1", NOW) == account


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (without(invite(), "id"), "Row 1 has no id"),
        (without(invite(), "email"), "Row 1 has no email"),
        (invite(role=None), "Row 1 has no role"),
        (invite(status="revoked"), "Row 1 has a status that OpenAI does not describe"),
        (invite(status=None), "Row 1 has a status that OpenAI does not describe"),
        (invite(status=["pending"]), "Row 1 has a status that OpenAI does not describe"),
        (invite(projects={"data": []}), "Row 1 has projects that are no list"),
        (invite(projects=["proj_1"]), "Row 1, project 1, is not a JSON object"),
        (invite(projects=[{"id": "proj_1"}]), "Row 1, project 1, has no role"),
        (user(), "Row 1 is of another kind than organization.invite"),
    ],
)
def test_an_invite_that_makes_no_sense_is_refused_by_its_place(row, complaint):
    with pytest.raises(Unreadable, match=f"^{complaint}$"):
        parsing.parse_invite(row, "Row 1", NOW)


DEFAULT = "it is the default project, which OpenAI does not let anyone change"


@pytest.mark.parametrize(
    ("row", "name", "unmanageable"),
    [
        (project(), "Search", ""),
        (project(name=None), "proj_1", ""),
        (without(project(title="Search"), "name"), "Search", ""),
        (project(status="archived"), "Search", "it is archived"),
        (project(archived_at=1_760_000_000, status=None), "Search", "it is archived"),
        (project(name="Default project"), "Default project", DEFAULT),
        (project(name=" default PROJECT"), " default PROJECT", DEFAULT),
        (project(is_initial=True), "Search", DEFAULT),
        (project(is_initial=False), "Search", ""),
    ],
)
def test_a_project_says_why_it_is_left_alone(row, name, unmanageable):
    assert parsing.parse_project(row, "Row 1") == Entitlement("project", "proj_1", name, unmanageable)


@pytest.mark.parametrize(
    ("row", "unmanageable"),
    [
        (group(), ""),
        (without(group(object="group"), "group_type"), ""),
        (group(is_scim_managed=True), "it is fed by the identity provider through OpenAI's own SCIM"),
        (group(group_type="tenant_group"), "it belongs to the whole tenant, not to this organization"),
    ],
)
def test_a_group_says_why_it_is_left_alone(row, unmanageable):
    assert parsing.parse_group(row, "Row 1") == Entitlement("group", "group_1", "Platform", unmanageable)


GROUP_SOURCE = {"principal_id": "group_1", "principal_type": "group"}
USER_SOURCE = {"principal_id": "user-1", "principal_type": "user"}


@pytest.mark.parametrize(
    ("sources", "direct"),
    [
        pytest.param({}, True, id="absent, as in the examples"),
        pytest.param({"assignment_sources": None}, True, id="null"),
        pytest.param({"assignment_sources": []}, True, id="none"),
        pytest.param({"assignment_sources": [USER_SOURCE]}, True, id="the person"),
        pytest.param({"assignment_sources": [GROUP_SOURCE, USER_SOURCE]}, True, id="a group and the person"),
        pytest.param({"assignment_sources": [GROUP_SOURCE]}, False, id="a group"),
    ],
)
def test_a_role_that_comes_from_groups_alone_is_no_grant(sources, direct):
    held = parsing.parse_assigned_role({"id": "role_1", "name": "Key auditor"} | sources, "Row 1")
    assert held == (Holder("role_1", "holder") if direct else None)


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ("group_1", "Row 1 has assignment_sources that are no list"),
        (["group_1"], "Row 1 is not a JSON object"),
        ([{"principal_type": 1}], "Row 1 has a principal_type that is no text"),
    ],
)
def test_sources_of_a_role_that_make_no_sense_are_refused(sources, complaint):
    with pytest.raises(Unreadable, match=f"^{complaint}$"):
        parsing.parse_assigned_role({"id": "role_1", "assignment_sources": sources}, "Row 1")


def test_a_page_of_users_is_led_on_by_its_last_id():
    assert parsing.parse_page(body(page([user()], has_more=True)), "Page 1") == Page(
        (user(),), True, "user-1", "user-1", "user-1"
    )


def test_a_page_of_groups_is_led_on_by_its_next():
    answer = {"object": "list", "data": [group()], "has_more": True, "next": "group_1"}
    assert parsing.parse_page(body(answer), "Page 1") == Page((group(),), True, "group_1", None, None)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"<!DOCTYPE html><h1>Just a moment</h1>", "Page 1 is not JSON"),
        (b"", "Page 1 is not JSON"),
        (b"[" * 100_000, "Page 1 is not JSON"),
        (b"\xff\xfe", "Page 1 is not JSON"),
        (body([user()]), "Page 1 is not a JSON object"),
        (body(None), "Page 1 is not a JSON object"),
        (body(without(page([]), "data")), "Page 1 has no list of data"),
        (body(page([]) | {"data": None}), "Page 1 has no list of data"),
        (body(page([]) | {"data": {"user-1": user()}}), "Page 1 has no list of data"),
        (body(without(page([]), "has_more")), "Page 1 does not say whether there is more"),
        (body(page([], has_more=None)), "Page 1 does not say whether there is more"),
        (body(page([], has_more="false")), "Page 1 does not say whether there is more"),
        (body(page([], has_more=0)), "Page 1 does not say whether there is more"),
        (body(page([], last_id=3)), "Page 1 has a last_id that is no text"),
        (body(page([], next="group_2")), "Page 1 names a next page and says that there is none"),
        (body(page([user()], error={"message": "half of it failed"})), "Page 1 holds an error"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(answer, complaint):
    with pytest.raises(Unreadable, match=f"^{complaint}$"):
        parsing.parse_page(answer, "Page 1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (body({"error": {"message": "No such user.", "type": "invalid_request_error"}}), "No such user."),
        (body({"code": 400, "message": "No such user."}), "No such user."),
        (body({"error": "No such user."}), "No such user."),
        (body({"error": {"message": "Two\nlines\tof  it"}}), "Two lines of it"),
        (body({"error": {"message": "a" * 400}}), "a" * 299 + "…"),
        (body({"error": {"message": "Invalid URL (GET /organization/users)"}}), None),
        (body({"message": "no Route matched with those values"}), None),
        (body({"detail": "Not Found"}), None),
        (body({"statusCode": 404, "message": "Resource not found"}), None),
        (
            body({"error": {"message": "Red \x1b[31mand\x00 half \ud800 an emoji"}}),
            "Red [31mand half an emoji",
        ),
        (body({"error": {"message": None}}), None),
        (body({"error": {"message": ""}}), None),
        (body(["No such user."]), None),
        (b"<h1>404</h1>", None),
    ],
)
def test_a_refusal_is_quoted_on_one_line(answer, said):
    assert parsing.parse_refusal(answer) == said


def test_no_key_is_quoted():
    keys = [
        "sk-admin-" + "a" * 30,
        "sk-proj-****abcd",
        "sk-admin-...wxyz",
        "sk-…9f",
        "key_sk-admin-" + "a" * 30,
    ]
    answer = {"error": {"message": f"Incorrect API key provided: {', '.join(keys)}. Risk-free task-list."}}
    assert parsing.parse_refusal(json.dumps(answer).encode()) == (
        "Incorrect API key provided: sk-…, sk-…, sk-…, sk-…, key_sk-…. Risk-free task-list."
    )


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ({"object": "organization.user.deleted", "id": "user-1", "deleted": True}, True),
        ({"object": "group.user.deleted", "deleted": True}, True),
        ({"id": "user-1", "deleted": False}, False),
        ({"id": "user-1", "deleted": "true"}, False),
        ({"id": "user-1"}, False),
        ({"id": "user-2", "deleted": True}, False),
    ],
)
def test_only_a_clear_word_about_the_right_one_is_a_deletion(answer, done):
    assert parsing.is_deletion(answer, "user-1") is done


@pytest.mark.parametrize("rubbish", ["Ada\x00", "\ud800", "half \udfff an emoji"])
def test_a_text_that_no_database_takes_is_refused_by_its_place(rubbish):
    for row in (user(id=rubbish), user(email=rubbish), user(name=rubbish), user(role=rubbish)):
        with pytest.raises(
            Unreadable, match=r"^Row 1 has an? (id|email|name|role) with a character in it that"
        ):
            parsing.parse_user(row, "Row 1")
    with pytest.raises(Unreadable, match=r"^Page 1 has a next with a character in it that"):
        parsing.parse_page(body(page([], has_more=True, next=rubbish)), "Page 1")


@pytest.mark.parametrize(
    ("parse", "row"),
    [
        (parsing.parse_user, group(object="group")),
        (parsing.parse_user, {"object": "organization.project.user", "id": "user-1", "role": "member"}),
        (parsing.parse_user, {"object": "role", "id": "role_1"}),
        (parsing.parse_group, user()),
        (parsing.parse_group, project()),
        (parsing.parse_project, {"object": "project.group", "id": "group_1"}),
        (parsing.parse_project_user, user()),
        (parsing.parse_group_user, group(object="group")),
        (parsing.parse_group_user, invite()),
    ],
)
def test_a_row_of_another_kind_is_refused(parse, row):
    with pytest.raises(Unreadable, match=r"^Row 1 is of another kind than "):
        parse(row, "Row 1")


@pytest.mark.parametrize("kind", ["group", None])
def test_a_group_may_say_what_it_is(kind):
    assert parsing.parse_group(group(object=kind), "Row 1") == Entitlement("group", "group_1", "Platform")
