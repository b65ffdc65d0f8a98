"""The life of an invite: lapsed, renewed for a while, and accepted under another address."""

from datetime import UTC, datetime, timedelta

import pytest

from directory.models import Person, PersonEmail
from integrations.connectors.base import Acceptance
from provisioning.matching import AcceptedElsewhere, Links, match
from provisioning.models import Account, Mark
from tests.provisioning.builders import member, person
from tests.provisioning.world import World, brief

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA, PRIVATE = "ada@example.org", "ada@private.example"


def pairs(people, accounts, *acceptances):
    found = match(people, accounts, Links(), [Acceptance(email, at) for email, at in acceptances])
    assert len({id(one) for one in found}) == len(found)
    return [
        (one.person.email, one.account.email) for one in found if isinstance(one, AcceptedElsewhere)
    ], found


# -- who may be whom


def test_who_joined_when_an_invite_was_accepted_may_be_its_person() -> None:
    ada, stranger = person(ADA), member(PRIVATE, since=NOON + timedelta(seconds=5))
    assert pairs([ada], [stranger], (ADA.upper(), NOON)) == (
        [(ADA, PRIVATE)],
        [AcceptedElsewhere(ada, stranger)],
    )


@pytest.mark.parametrize(
    ("people", "accounts", "acceptances"),
    [
        pytest.param([person(ADA)], [member(PRIVATE, since=NOON)], [], id="no acceptance"),
        pytest.param(
            [person(ADA)],
            [member(PRIVATE, since=NOON - timedelta(hours=1))],
            [(ADA, NOON)],
            id="another time",
        ),
        pytest.param([person(ADA)], [member(PRIVATE)], [(ADA, NOON)], id="nobody knows when"),
        pytest.param(
            [person(ADA)],
            [member(PRIVATE, since=NOON), member("x@private.example", since=NOON)],
            [(ADA, NOON)],
            id="two candidates",
        ),
        pytest.param(
            [person(ADA), person("grace@example.org")],
            [member(PRIVATE, since=NOON)],
            [(ADA, NOON), ("grace@example.org", NOON)],
            id="two people",
        ),
        pytest.param(
            [person(ADA)],
            [member(ADA, since=NOON), member(PRIVATE, since=NOON)],
            [(ADA, NOON)],
            id="who has an account",
        ),
        pytest.param(
            [person(ADA), person(PRIVATE)], [member(PRIVATE, since=NOON)], [(ADA, NOON)], id="somebody else's"
        ),
        pytest.param(
            [person(ADA)], [member(PRIVATE, since=NOON, is_service=True)], [(ADA, NOON)], id="a robot"
        ),
    ],
)
def test_where_anything_is_unclear_nobody_is_paired(people, accounts, acceptances) -> None:
    assert pairs(people, accounts, *acceptances)[0] == []


# -- what is done about it


@pytest.fixture
def elsewhere(world: World) -> World:
    """Ada has accepted her invite with her private account."""
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.sync()
    world.organization.accept_invite(ADA, under=PRIVATE)
    return world


def test_an_invite_accepted_under_another_address_is_reported_and_not_sent_again(elsewhere: World) -> None:
    document = elsewhere.sync()
    [report] = document["actions"]
    assert (report["kind"], report["situation"]) == ("report", "accepted_elsewhere")
    assert f"{PRIVATE} joined at that moment: perhaps the same person" in report["detail"]
    assert report["account_id"] == elsewhere.organization.find_user(PRIVATE).id
    assert elsewhere.sync()["actions"][0]["situation"] == "accepted_elsewhere"


def test_linked_by_hand_the_account_is_the_persons(elsewhere: World) -> None:
    elsewhere.sync()
    ada = elsewhere.person(ADA)
    Account.objects.filter(email=PRIVATE).update(person=ada, match=Account.Match.MANUAL)
    assert elsewhere.sync()["actions"] == []
    elsewhere.dismiss(ADA)
    assert brief(elsewhere.sync()) == [("remove", PRIVATE, "done")]


def test_an_account_that_is_somebody_elses_is_marked_and_the_invite_goes_out_again(elsewhere: World) -> None:
    Mark.objects.create(
        integration=elsewhere.integration, email=PRIVATE, key=PRIVATE, kind="ignored", reason="A contractor."
    )
    assert brief(elsewhere.sync(), kinds=["invite"]) == [("invite", ADA, "done")]


def test_it_is_not_removed_with_other_orphans_while_nobody_has_decided(elsewhere: World) -> None:
    elsewhere.configure(orphans="remove")
    assert brief(elsewhere.sync()) == [("report", PRIVATE, "done")]
    elsewhere.dismiss(ADA)
    assert brief(elsewhere.sync()) == [("remove", PRIVATE, "done")]


# -- renewals


@pytest.fixture
def invited(world: World) -> World:
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.sync()
    return world


def test_a_lapsed_invite_is_renewed_at_most_once_a_day(invited: World) -> None:
    invited.let_invites_lapse(days=0)
    [report] = invited.sync()["actions"]
    assert (report["kind"], report["situation"]) == ("report", "invite_expired")
    assert "The last invite was sent within a day" in report["detail"]
    invited.let_invites_lapse(days=1)
    assert [kind for kind, _, _ in brief(invited.sync())] == ["withdraw_invite", "invite"]


def test_whoever_lets_every_invite_lapse_is_not_written_to_for_ever(invited: World) -> None:
    for _ in range(3):
        invited.let_invites_lapse()
        assert [kind for kind, _, _ in brief(invited.sync())] == ["withdraw_invite", "invite"]
    invited.let_invites_lapse()
    [report] = invited.sync()["actions"]
    assert "renewed 3 times in 90 days and never accepted" in report["detail"]

    asked = invited.sync("--person", ADA)
    assert [kind for kind, _, _ in brief(asked)] == ["withdraw_invite", "invite"]

    invited.let_invites_lapse(days=91)
    assert [kind for kind, _, _ in brief(invited.sync())] == ["withdraw_invite", "invite"]


# -- an open invite to somebody who is a member already


def test_an_open_invite_behind_a_membership_goes_with_it(world: World) -> None:
    """Or the leaver could come back through it, until the next sync."""
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.organization.add_invite(ADA)
    world.organization.add_member(ADA)
    assert world.sync()["actions"] == []
    world.dismiss(ADA)
    assert brief(world.sync()) == [("withdraw_invite", ADA, "done"), ("remove", ADA, "done")]
    assert world.sync()["actions"] == []


def test_until_when_an_invite_is_open_is_kept(invited: World) -> None:
    invited.sync()
    [invite] = invited.organization.invites.values()
    kept = Account.objects.get(remote_id=invite.id)
    assert kept.expires_at == datetime.fromtimestamp(invite.expires_at or 0, UTC)


# -- several to one address


def invite_often(world: World, email: str, *, lapsed: int) -> None:
    for _ in range(lapsed):
        world.organization.add_invite(email, expires_at=1)


def test_all_that_lapsed_under_a_leavers_address_is_withdrawn_in_one_sync(world: World) -> None:
    """An invite that is still open or a membership stands before them: with it, they go."""
    world.hire(ADA)
    invite_often(world, ADA, lapsed=2)
    world.organization.add_invite(ADA)
    world.hire("grace@example.org")
    invite_often(world, "grace@example.org", lapsed=1)
    world.organization.add_member("grace@example.org")
    assert sorted(brief(world.sync())) == [
        ("remove", "grace@example.org", "done"),
        *[("withdraw_invite", ADA, "done")] * 3,
        ("withdraw_invite", "grace@example.org", "done"),
    ]
    assert world.organization.invites == {}
    assert world.sync()["actions"] == []


def test_all_that_lapsed_makes_way_for_one_new_invite_also_to_another_address(world: World) -> None:
    ada = world.hire(ADA, "staff")
    world.rule("Staff", group="staff")
    world.sync()
    invite_often(world, ADA, lapsed=2)
    PersonEmail.objects.filter(person=ada).update(address=PRIVATE, key=PRIVATE)
    Person.objects.filter(pk=ada.pk).update(email=PRIVATE)
    world.configure(orphans="remove")
    assert sorted(brief(world.sync())) == [
        ("invite", PRIVATE, "done"),
        *[("withdraw_invite", ADA, "done")] * 3,
    ]
    assert [invite.email for invite in world.organization.invites.values()] == [PRIVATE]
    assert world.sync()["actions"] == []
