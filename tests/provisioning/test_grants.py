"""What a rule gives besides the organization role, from the invite to the day somebody leaves."""

from typing import Any

from directory.models import Group, Membership, Person
from provisioning.models import AccessRule, RuleGrant
from tests.provisioning.world import World, brief

ADA = "ada@example.org"


def give(rule: AccessRule, kind: str, name: str, role: str) -> None:
    RuleGrant.objects.create(rule=rule, kind=kind, name=name, role=role)


def move(email: str, group: str) -> None:
    """Into this directory group, and out of all others."""
    person = Person.objects.get(email=email)
    person.memberships.all().delete()
    Membership.objects.create(person=person, group=Group.objects.get_or_create(name=group)[0])


def given(document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The actions about an entitlement, and what became of them."""
    return [
        (action["kind"], action["entitlement"]["name"], action["role"] or "", action["state"])
        for action in document["actions"]
        if action["entitlement"]
    ]


# -- a project's viewer


def role_in(world: World, project: str, email: str) -> str | None:
    place = f"{world.organization.find_project(project).id}/{world.organization.find_user(email).id}"
    held = world.organization.memberships.get(place)
    return held.role if held else None


def test_a_viewer_is_invited_without_the_project_and_given_it_after_acceptance(world: World) -> None:
    world.organization.add_project("Search")
    world.rule("Sales look", group="sales", Search="viewer")
    world.rule("Engineers build", group="engineering", Search="member")
    world.hire(ADA, "sales")

    assert brief(world.sync()) == [("invite", ADA, "done")]
    [sent] = [asked.body for asked in world.simulator.requests if asked.body and "email" in asked.body]
    assert sent["projects"] == []
    assert world.sync()["actions"] == []
    world.organization.accept_invite(ADA)
    assert given(world.sync()) == [("grant", "Search", "viewer", "done")]
    assert role_in(world, "Search", ADA) == "viewer"

    move(ADA, "engineering")
    assert given(world.sync()) == [("change_grant", "Search", "member", "done")]
    move(ADA, "sales")
    document = world.sync()
    assert given(document) == [("change_grant", "Search", "viewer", "done")]
    assert document["actions"][0]["situation"] == "mover"
    world.rule("Finance", group="finance")
    move(ADA, "finance")
    assert given(world.sync()) == [("revoke", "Search", "", "done")]
    assert role_in(world, "Search", ADA) is None


def test_an_organization_that_has_no_viewers_fails_the_action_with_its_reason(world: World) -> None:
    world.organization.add_project("Search")
    world.rule("Sales look", group="sales", Search="viewer")
    world.hire(ADA, "sales")
    world.organization.add_member(ADA)
    world.organization.behaviour.viewers_by_name = False
    document = world.sync()
    assert document["state"] == "failed"
    assert given(document) == [("grant", "Search", "viewer", "failed")]
    error = document["actions"][0]["error"]
    assert (error["code"], error["detail"]) == (
        "rejected",
        "OpenAI refused this: Invalid role 'viewer'. Expected one of: owner, member.",
    )
