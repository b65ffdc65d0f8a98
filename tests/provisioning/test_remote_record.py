"""Which event tells of which action, and who did what we did not."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors.base import Event, EventKind
from provisioning.remote_record import ADDED, Deed, Finding, Record, cause, confirmations

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
OLIVIA, MEI = "user-olivia", "user-mei"
GIVEN, TAKEN, REMOVED = EventKind.GRANT_GIVEN, EventKind.GRANT_TAKEN, EventKind.ACCOUNT_REMOVED
LEFT = (REMOVED, TAKEN)
"""What OpenAI has one word for."""


def event(id, *kinds, about=("user-ada",), at=0, by_key=True, actor_id=OLIVIA, **more):
    return Event(
        id,
        NOON + timedelta(seconds=at),
        "user.deleted",
        frozenset(kinds),
        frozenset(about),
        by_key=by_key,
        actor_id=actor_id,
        **more,
    )


def in_console(id, *kinds, **more):
    return event(id, *kinds, by_key=False, **{"actor_id": MEI, **more})


def deed(key, kind, *subjects, at=0, **more):
    started = NOON + timedelta(seconds=at)
    return Deed(
        key, kind, frozenset(subjects or {"user-ada"}), started, started + timedelta(seconds=1), **more
    )


def confirmed(deeds, *events, owner=OLIVIA):
    return {key: found.id for key, found in confirmations(deeds, events, owner).items()}


def test_an_event_by_our_key_about_the_same_account_at_that_time_confirms():
    assert confirmed([deed(1, REMOVED)], event("e", *LEFT)) == {1: "e"}


@pytest.mark.parametrize(
    "other",
    [
        event("of another kind", GIVEN),
        event("about another", *LEFT, about=["user-alan"]),
        event("long before", *LEFT, at=-301),
        event("long after", *LEFT, at=302),
        event("by another's key", *LEFT, actor_id=MEI),
        in_console("by hand", *LEFT, actor_id=OLIVIA),
    ],
    ids=lambda other: other.id,
)
def test_no_other_event_confirms(other):
    assert confirmed([deed(1, REMOVED)], other) == {}


def test_where_the_owner_of_our_key_is_unknown_any_key_will_do():
    assert confirmed([deed(1, REMOVED)], event("e", *LEFT, actor_id=MEI), owner="") == {1: "e"}
    assert confirmed([deed(1, REMOVED)], in_console("e", *LEFT), owner="") == {}


def test_addresses_are_compared_as_everywhere():
    sent = event("e", EventKind.INVITE_SENT, about=["invite-1", "Ada@Example.org"])
    assert confirmed([deed(1, EventKind.INVITE_SENT, "ada@example.org")], sent) == {1: "e"}


def test_of_two_things_given_in_one_place_each_has_the_event_of_its_own_kind():
    """The one that names the place is nearer to both."""
    entered = event("entered", GIVEN, at=1, of="project")
    assigned = event("assigned", GIVEN, about=["user-ada", "proj_1"])
    deeds = [deed(1, GIVEN, of="project", place_id="proj_1"), deed(2, GIVEN, of="role", place_id="proj_1")]
    assert confirmed(deeds, entered, assigned) == {1: "entered", 2: "assigned"}


def test_no_event_confirms_two_and_each_deed_gets_the_nearest():
    deeds = [deed(1, TAKEN, at=0, of="project", place_id="proj_1"), deed(2, REMOVED, at=10)]
    assert confirmed(deeds, event("left", *LEFT, at=10)) == {2: "left"}
    both = [event("left", *LEFT, at=10), event("lost", *LEFT, at=1)]
    assert confirmed(deeds, *both) == {1: "lost", 2: "left"}


def test_what_names_the_place_is_given_first_and_another_place_never():
    deeds = [deed(1, GIVEN, place_id="proj_1", at=3), deed(2, GIVEN, place_id="proj_2")]
    somewhere, elsewhere = event("?", GIVEN, at=0), event("3", GIVEN, place_id="proj_3")
    named = event("2", GIVEN, about=["user-ada", "proj_2"], at=3)
    assert confirmed(deeds, somewhere, elsewhere, named) == {1: "?", 2: "2"}


def test_a_group_is_not_confirmed_by_a_project():
    group = deed(1, GIVEN, of="group", place_id="group-1")
    assert confirmed([group], event("e", GIVEN, of="project")) == {}
    told = event("e", GIVEN, of="group", about=["user-ada", "group-1"])
    assert confirmed([group], told) == {1: "e"}


def test_keys_are_known_to_the_record_by_ids_of_its_own():
    deeds = [deed(1, EventKind.KEY_REVOKED, "key_1"), deed(2, EventKind.KEY_REVOKED, "key_2", at=9)]
    found = [
        event("a", EventKind.KEY_REVOKED, about=["t1"]),
        event("b", EventKind.KEY_REVOKED, about=["t2"], at=9),
    ]
    assert confirmed(deeds, *found) == {1: "a", 2: "b"}


# -- causes


def caused(finding, *events, ours=()):
    found = cause(finding, Record(events), ours)
    return found and found.id


def finding(*kinds, subjects=("user-ada",), **more):
    return Finding(kinds, frozenset(subjects), NOON, **more)


def test_the_last_event_before_the_read_tells_who_did_it():
    events = [in_console(str(at), TAKEN, at=at) for at in (-9, -3, 1)]
    assert caused(finding(TAKEN), *events) == "-3"


def test_what_we_did_ourselves_is_nobodys_drift():
    assert caused(
        finding(TAKEN), event("ours", *LEFT), in_console("theirs", TAKEN, at=-9), ours=["ours"]
    ) == ("theirs")


def test_another_place_is_another_matter_and_in_the_console_the_place_is_told():
    here = finding(TAKEN, of="project", place_id="proj_1")
    assert (
        caused(here, in_console("elsewhere", TAKEN, place_id="proj_2"), in_console("nowhere", *LEFT)) is None
    )
    assert caused(here, event("by a key, anywhere", *LEFT)) == "by a key, anywhere"


def test_who_invited_somebody_counts_and_not_that_they_let_themselves_in():
    invited = in_console("invited", EventKind.INVITE_SENT, about=["ada@example.org"], at=-60)
    joined = in_console("joined", EventKind.ACCOUNT_ADDED, actor_id="user-ada", at=-5)
    who = finding(*ADDED, subjects=["user-ada", "ada@example.org"])
    assert caused(who, joined, invited) == "invited"
    assert caused(who, joined) is None
    added = in_console("added", EventKind.ACCOUNT_ADDED)
    assert caused(who, added, invited) == "invited"
