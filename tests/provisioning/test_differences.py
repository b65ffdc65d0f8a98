"""What changed between two reads without Cakewalk."""

from typing import Any

import pytest

from integrations.connectors.base import Account
from provisioning.differences import Known, differences
from tests.provisioning.builders import SEARCH, VOICE, grant, invite, lapsed, member
from tests.provisioning.world import World, staffed

ADA = "ada@x.org"
NAMES = {(SEARCH.kind, SEARCH.id): "Search", (VOICE.kind, VOICE.id): "Voice"}


def known(account: Account) -> Known:
    return Known(
        account.id, account.email or "", str(account.state), account.role or "", frozenset(account.grants)
    )


def told(before: list[Account], now: list[Account], *comparable: Any) -> list[tuple[str, str, str, str]]:
    keys = {(held.kind, held.id) for held in (comparable or (SEARCH, VOICE))}
    found = differences([known(account) for account in before], now, comparable=keys, names=NAMES)
    return [(str(one.change), one.email, one.before, one.after) for one in found]


BOSS = member("boss@x.org", "owner")


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        ([BOSS], [BOSS], []),
        ([BOSS], [BOSS, member(ADA)], [("appeared", ADA, "", "active, reader")]),
        ([BOSS], [BOSS, invite(ADA)], [("appeared", ADA, "", "invited, reader")]),
        ([BOSS, member(ADA)], [BOSS], [("vanished", ADA, "active, reader", "")]),
        ([BOSS, invite(ADA)], [BOSS, member(ADA.upper())], [
            ("accepted", ADA.upper(), "invited, reader", "active, reader")
        ]),
        ([BOSS, invite(ADA)], [BOSS], [("vanished", ADA, "invited, reader", "")]),
        ([invite(ADA)], [lapsed(ADA)], [("lapsed", ADA, "invited", "expired")]),
        ([member(ADA)], [member(ADA, "owner")], [("role", ADA, "reader", "owner")]),
        ([member(ADA, id="u1")], [member("a@y.org", id="u1")], [("address", "a@y.org", ADA, "a@y.org")]),
        ([member(ADA, "reader", grant(SEARCH))], [member(ADA, "reader", grant(VOICE, "owner"))], [
            ("grants", ADA, "Search (member)", "Voice (owner)")
        ]),
        ([member(ADA, "reader", grant(SEARCH))], [member(ADA, "reader", grant(SEARCH, "owner"))], [
            ("grants", ADA, "Search (member)", "Search (owner)")
        ]),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_told_once(before: list[Account], now: list[Account], says: list[Any]) -> None:
    assert told(before, now) == says


def test_what_only_one_of_the_reads_asked_for_is_not_compared() -> None:
    """A rule that names Voice for the first time does not give it to anybody."""
    both = told([member(ADA, "reader", grant(SEARCH))], [member(ADA, "reader", grant(VOICE))], VOICE)
    assert both == [("grants", ADA, "", "Voice (member)")]
    assert told([member(ADA)], [member(ADA, "reader", grant(VOICE))], SEARCH) == []


def test_an_invites_grants_are_not_compared() -> None:
    """OpenAI's own examples leave them out of the list."""
    assert told([invite(ADA, "reader", grant(SEARCH))], [invite(ADA)]) == []


# -- whole jobs


@pytest.mark.django_db(transaction=True)
def test_a_job_keeps_what_others_changed_and_not_what_it_did_itself(world: World) -> None:
    emails = staffed(world, 3)
    world.hire("new@example.org", "staff")
    assert world.sync()["read"]["changes"] == 0  # the first read
    assert world.sync()["read"]["changes"] == 0  # the invite is our own
    world.organization.accept_invite("new@example.org")
    world.organization.set_organization_role(world.organization.find_user(emails[0]).id, "owner")
    world.organization.remove_user(world.organization.find_user(emails[1]).id)
    document = world.sync()
    kept = world.job(document).read["changes"]
    assert document["read"]["changes"] == kept["number"] == 3
    assert [(one["change"], one["email"]) for one in kept["first"]] == [
        ("accepted", "new@example.org"),
        ("role", emails[0]),
        ("vanished", emails[1]),
    ]
    assert world.sync()["read"]["changes"] == 0


@pytest.mark.django_db(transaction=True)
def test_a_project_that_a_rule_names_for_the_first_time_is_no_change(world: World) -> None:
    emails = staffed(world, 2)
    world.organization.add_project("Search")
    world.organization.add_to_project("Search", emails[0])
    world.sync()
    world.rule("Searchers", group="staff", Search="member")
    assert world.preview()["read"]["changes"] == 0
    world.organization.add_to_project("Search", emails[1])
    assert world.preview()["read"]["changes"] == 1
