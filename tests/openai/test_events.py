"""What OpenAI's audit log tells of access, and who it says did it."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors.base import (
    EventKind,
    Grant,
    NotKept,
    RateLimited,
    ReadIncomplete,
)
from integrations.connectors.openai.events import parse_event
from integrations.connectors.openai.parsing import Unreadable
from integrations.connectors.openai.simulator import Fault, Kind
from tests.openai.remote import Answer, Remote, refusal

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LOG = "/organization/audit_logs"
BY_MEI = {"type": "session", "session": {"user": {"id": "user-mei", "email": "mei@example.org"}}}


def row(type_="user.deleted", **more):
    return {
        "id": "audit_log-1",
        "type": type_,
        "effective_at": 1_760_000_000,
        "actor": BY_MEI,
        type_: {"id": "user-ada"},
        **more,
    }


def told(row):
    event = parse_event(row, "Row 1")
    assert event is not None
    return event


@pytest.fixture
def mei(organization):
    return organization.add_member("mei@example.org", "owner")


def test_what_our_own_key_did_is_told_as_a_keys(organization, connector):
    invited = connector.invite("ada@example.org", "reader", [])
    [event] = connector.fetch_events(LONG_AGO, [])
    owner = organization.find_user(organization.owner_of(organization.admin_key))
    assert event.kinds == {EventKind.INVITE_SENT}
    assert {invited.account_id, "ada@example.org"} <= event.about
    assert (event.by_key, event.actor_id, event.actor) == (True, owner.id, f"an API key of {owner.email}")
    assert event.place_id == ""


def test_what_somebody_did_in_the_console_is_theirs(organization, connector, mei):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    with organization.console(mei.email):
        organization.set_organization_role(ada.id, "owner")
        organization.set_organization_role(ada.id, "reader")
        organization.give_project(search.id, ada, "member")
    given, *changes = connector.fetch_events(LONG_AGO, [])
    assert (given.kinds, given.place_id) == ({EventKind.GRANT_GIVEN}, search.id)
    assert {event.kinds for event in changes} == {
        frozenset({EventKind.ROLE_CHANGED, EventKind.GRANT_CHANGED})
    }
    assert {(event.actor, event.actor_id, event.by_key) for event in (given, *changes)} == {
        ("mei@example.org in OpenAI's console", mei.id, False)
    }


def test_memberships_of_groups_are_looked_for_where_they_are_kept_and_only_when_they_matter(
    organization, simulator, connector
):
    ada, group = organization.add_member("ada@example.org"), organization.add_group("Platform")
    connector.grant(ada.id, Grant("group", group.id, "member"))
    connector.revoke(ada.id, "group", group.id)
    before = len(simulator.requests)
    assert connector.fetch_events(LONG_AGO, ["project"]) == []
    assert len(simulator.requests) == before + 1
    taken, given = connector.fetch_events(LONG_AGO, ["group"])
    assert (taken.kinds, given.kinds) == ({EventKind.GRANT_TAKEN}, {EventKind.GRANT_GIVEN})
    assert {ada.id, group.id} <= taken.about


def test_a_tenant_that_shows_nothing_leaves_what_the_organization_shows(organization, simulator, connector):
    connector.invite("ada@example.org", "reader", [])
    simulator.inject(Fault(Kind.FORBIDDEN, path=LOG, nth=2))
    assert len(connector.fetch_events(LONG_AGO, ["group"])) == 1


def test_only_what_is_recent_and_about_access_is_asked_for(organization, simulator, connector, mei):
    with organization.console(mei.email):
        organization.add_role("Key auditor", [])
        organization.add_member("ada@example.org")
    since = datetime.now(UTC) - timedelta(hours=1)
    assert [event.type for event in connector.fetch_events(since, [])] == ["user.added"]
    asked = simulator.requests[-1].query
    assert asked["effective_at[gte]"] == [str(int(since.timestamp()))]
    assert "user.deleted" in asked["event_types[]"]
    assert "login.succeeded" not in asked["event_types[]"]
    assert connector.fetch_events(datetime.now(UTC) + timedelta(hours=1), []) == []


def test_a_long_log_is_read_for_so_many_pages_and_no_further(connect):
    def page(number):
        rows = [row(id=f"audit_log-{number}-{place}") for place in range(2)]
        return Answer(body={"object": "list", "data": rows, "has_more": True, "last_id": rows[-1]["id"]})

    with Remote(*(page(number) for number in range(20))) as remote:
        assert len(connect(remote).fetch_events(LONG_AGO, [])) == 20
        assert len(remote.asked) == 10


def test_a_log_that_is_off_is_not_kept_and_says_so_in_openais_words(organization, connector):
    organization.behaviour.audit_logging = False
    with pytest.raises(NotKept, match=r"^Without it who changed something .* Audit logging is not enabled"):
        connector.fetch_events(LONG_AGO, [])


@pytest.mark.parametrize("status", [400, 403, 404])
def test_however_openai_says_that_there_is_no_log_it_is_not_kept(connect, status):
    with (
        Remote(refusal(status, "No audit log here.")) as remote,
        pytest.raises(NotKept, match="No audit log"),
    ):
        connect(remote).fetch_events(LONG_AGO, [])


def test_rubbish_is_no_word_about_the_log(connect):
    with Remote(Answer(body=b"<html>")) as remote, pytest.raises(ReadIncomplete):
        connect(remote).fetch_events(LONG_AGO, [])


def test_nobody_waits_for_the_log(connect, time):
    with Remote(refusal(429, "Slow down.")) as remote, pytest.raises(RateLimited):
        connect(remote).fetch_events(LONG_AGO, [])
    assert time.waited == 0


def test_an_event_of_a_type_that_was_not_asked_for_is_passed_over():
    assert parse_event(row("login.succeeded"), "Row 1") is None
    assert parse_event(row(type=None), "Row 1") is None


@pytest.mark.parametrize(
    ("actor", "words", "by_key"),
    [
        (None, "somebody whom OpenAI does not name", False),
        ({}, "somebody whom OpenAI does not name", False),
        ({"type": "session", "session": {"user": {"id": "user-mei"}}}, "user-mei in OpenAI's console", False),
        ({"type": "api_key"}, "an API key", True),
        (
            {"type": "api_key", "api_key": {"id": "track_1", "service_account": {"id": "svc_1"}}},
            "an API key of svc_1",
            True,
        ),
    ],
)
def test_whoever_did_it_is_named_as_far_as_openai_tells(actor, words, by_key):
    event = told(row(actor=actor))
    assert (event.actor, event.by_key) == (words, by_key)


def test_a_project_tells_a_place_only_in_the_console():
    in_search = {"id": "proj_search", "name": "Search"}
    by_key = {"type": "api_key", "api_key": {"user": {"id": "user-olivia"}}}
    assert told(row(project=in_search)).kinds == {EventKind.GRANT_TAKEN}
    assert told(row(project=in_search, actor=by_key)).place_id == ""
    assert told(row()).kinds == {EventKind.ACCOUNT_REMOVED, EventKind.GRANT_TAKEN}


def test_details_may_be_shaped_in_any_way_and_hold_anything():
    details = {"member": {"user": {"id": "user-ada"}}, "group_ids": ["group-1", "x" * 500, "half \ud800", 7]}
    assert told(row("tenant.group.member.added", **{"tenant.group.member.added": details})).about == {
        "user-ada",
        "group-1",
    }


@pytest.mark.parametrize(
    "broken", [{"id": ""}, {"effective_at": None}, {"effective_at": "now"}, {"user.deleted": "x"}]
)
def test_an_event_that_makes_no_sense_is_not_believed(broken):
    with pytest.raises(Unreadable, match="Row 1"):
        parse_event(row(**broken), "Row 1")
