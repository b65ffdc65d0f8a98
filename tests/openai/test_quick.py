"""What is read quickly is what parsing reads: no more is accepted, and nothing is understood otherwise."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.openai import client, parsing, quick
from integrations.connectors.openai.simulator import Organization, endpoints
from integrations.connectors.openai.simulator.asking import Asked

Way = tuple[quick.Reader[Any, Any], Callable[[parsing.Row, str], Any]]
WAYS: dict[str, Way] = {
    "users": (quick.USERS, parsing.parse_user),
    "users of a project": (quick.PROJECT_USERS, parsing.parse_project_user),
    "users of a group": (quick.GROUP_USERS, parsing.parse_group_user),
}
Told = tuple[parsing.Page, list[str], list[Any]]


def read_quickly(way: Way, body: bytes) -> Told | None:
    found = way[0].read(body)
    return _told(found) if found else None


def read_strictly(way: Way, body: bytes) -> Told | None:
    """None where it makes no sense."""
    try:
        return _told(client.read_page(body, "Page 1", way[1], parsing.row_id))
    except parsing.Unreadable:
        return None


def _told(found: quick.Found[Any]) -> Told:
    page = found.page
    told = parsing.Page((), page.has_more, page.cursor, page.first_id, page.last_id)
    return told, list(found.ids), found.values()


# -- usual pages with one or two things that are not

ODD = st.sampled_from(
    [None, "", " ", ".", "x\0y", "\ud800", "😀", "é", 0, 1.5, True, [], {}, ["x"], {"id": "x"}]
)
IDS = st.sampled_from(["user-1", "u" * 200, "u" * 201, "user-1\n", "user 1", "usér", "", None])
MOMENTS = st.sampled_from([0, 1_760_000_000, -1, 253_402_300_799, 253_402_300_800, 10**17, 1.5, float("nan")])
OBJECTS = st.sampled_from(
    ["organization.user", "user", "organization.project.user", "group.user", "organization.group.user", "key"]
)
TEXTS = st.sampled_from(["owner", "ada@example.org", "Áda"])
PERSON = {"id": IDS, "email": TEXTS | ODD, "role": TEXTS | ODD, "name": TEXTS | ODD}
ROW = PERSON | {
    "object": OBJECTS | ODD,
    "user": st.fixed_dictionaries({}, optional=PERSON) | ODD,
    "is_scim_managed": st.booleans() | ODD,
    "is_service_account": st.booleans() | ODD,
    "added_at": MOMENTS | ODD,
    "created": MOMENTS | ODD,
    "told of nowhere": TEXTS | ODD,
}
PAGE = {
    "data": ODD,
    "has_more": st.booleans() | ODD,
    "first_id": IDS | ODD,
    "last_id": IDS | ODD,
    "next": IDS | ODD,
    "error": ODD,
}


def changes(fields: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in names}))


USUAL = {"id": "user-0", "role": "owner", "added_at": 1_760_000_000}
PAGES = st.builds(
    lambda row, page: {"data": [USUAL, {"id": "user-1", "role": "owner"} | row], "has_more": True} | page,
    changes(ROW, 3),
    changes(PAGE, 2),
)


@settings(max_examples=5 * settings().max_examples)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(page=PAGES, ascii=st.booleans())
def test_what_is_read_quickly_is_what_parsing_reads(way: Way, page: object, *, ascii: bool) -> None:
    body = json.dumps(page, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    assert (found := read_quickly(way, body)) is None or found == read_strictly(way, body)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(data=st.data())
def test_a_page_that_arrives_broken_is_not_read_quickly_either(way: Way, data: st.DataObject) -> None:
    whole = json.dumps({"data": [{"id": "user-1", "role": "owner", "other": "x\\y"}], "has_more": False})
    body = bytearray(whole.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(body[: data.draw(st.integers(0, len(body)))])
    assert (found := read_quickly(way, broken)) is None or found == read_strictly(way, broken)


# -- what is usual


def test_the_pages_of_an_organization_are_read_quickly() -> None:
    organization = Organization(owner="chief@example.org")
    ada = organization.add_member("ada@example.org", name="Áda")
    place = organization.add_project("Search").id
    organization.add_to_project(place, ada.id)
    group = organization.add_group("Staff").id
    organization.add_to_group(group, ada.id)
    for way, path in (
        ("users", "/v1/organization/users"),
        ("users of a project", f"/v1/organization/projects/{place}/users"),
        ("users of a group", f"/v1/organization/groups/{group}/users"),
    ):
        asked = Asked("GET", path, {"limit": ["100"]}, b"", organization.admin_key)
        body = json.dumps(endpoints.answer(organization, asked)).encode()
        told = read_quickly(WAYS[way], body)
        assert told == read_strictly(WAYS[way], body)
        assert told
        assert ada.id in told[1]
