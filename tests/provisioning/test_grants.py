"""What a rule gives besides the organization role, from the invite to the day somebody leaves."""

from typing import Any

import pytest

from directory.models import Group, Membership, Person
from integrations.connectors.openai.simulator.faults import Fault, Kind
from integrations.connectors.openai.simulator.records import Role
from provisioning.models import AccessRule, GroupGrant, GroupRule, RuleGrant
from tests.provisioning.world import BOSS, World, brief

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


# -- a custom role of the organization

AUDITOR = "Key auditor"


@pytest.fixture
def auditor(world: World) -> Role:
    """A custom role, which one of two groups of the directory has by a rule."""
    give(world.rule("Auditors", group="audit"), "role", AUDITOR, "holder")
    world.rule("Finance", group="finance")
    return world.organization.add_role(AUDITOR, ["api.organization.projects.api_keys.read"])


def roles_asked_for(world: World) -> list[str]:
    return [
        f"{asked.method} {asked.path}"
        for asked in world.simulator.requests
        if "/users/" in asked.path and "/roles" in asked.path
    ]


def test_a_custom_role_follows_the_accepted_invite_and_goes_with_the_rule(
    world: World, auditor: Role
) -> None:
    world.hire(ADA, "audit")
    assert brief(world.sync()) == [("invite", ADA, "done")]
    assert world.sync()["actions"] == []
    ada = world.organization.accept_invite(ADA)
    document = world.sync()
    assert given(document) == [("grant", AUDITOR, "holder", "done")]
    assert document["actions"][0]["rule"] == "Auditors"
    assert ada.role_ids == [auditor.id]
    assert world.sync()["actions"] == []

    move(ADA, "finance")
    document = world.sync()
    assert given(document) == [("revoke", AUDITOR, "", "done")]
    assert document["actions"][0]["before"] == {"role": "holder"}
    assert (ada.role, ada.role_ids) == ("reader", [])
    world.dismiss(ADA)
    assert brief(world.sync()) == [("remove", ADA, "done")]


def test_a_custom_role_that_a_role_change_has_dropped_is_put_back_by_the_next_sync(
    world: World, auditor: Role
) -> None:
    world.organization.behaviour.role_change_drops_custom_roles = True
    world.hire(ADA, "audit")
    ada = world.organization.add_member(ADA)
    world.sync()
    world.rule("Auditors own", "owner", group="audit")
    assert brief(world.sync()) == [("change_role", ADA, "done")]
    assert (ada.role, ada.role_ids) == ("owner", [])
    assert given(world.sync()) == [("grant", AUDITOR, "holder", "done")]
    assert (ada.role, ada.role_ids) == ("owner", [auditor.id])
    assert world.sync()["actions"] == []


def test_a_role_given_in_the_console_is_drift_and_one_through_a_group_is_not(
    world: World, auditor: Role
) -> None:
    organization = world.organization
    for email in (ADA, "grace@example.org"):
        world.hire(email, "finance")
        organization.add_member(email)
    organization.assign_role(organization.find_user(ADA).id, auditor.id)
    platform = organization.add_group("platform")
    organization.assign_role_to_group(platform.id, auditor.id)
    organization.add_to_group(platform.id, organization.find_user("grace@example.org").id)
    document = world.sync()
    assert brief(document) == [("revoke", ADA, "done")]
    assert document["actions"][0]["situation"] == "drift"


def test_each_member_is_asked_once_and_only_when_a_rule_names_a_custom_role(world: World) -> None:
    world.rule("Auditors", group="audit")
    world.hire(ADA, "audit")
    world.organization.add_member(ADA)
    robot = world.organization.add_member(None, is_service_account=True)
    world.sync()
    assert roles_asked_for(world) == []
    for name in ("Reviewer", "Writer"):
        world.organization.add_role(name, [])
        give(AccessRule.objects.get(name="Auditors"), "role", name, "holder")
    world.preview()
    members = [user.id for user in world.organization.users.values() if user is not robot]
    assert roles_asked_for(world) == [f"GET /v1/organization/users/{user}/roles" for user in members]


def test_many_roles_given_at_once_are_all_seen_again(world: World) -> None:
    """So many that members and projects are looked at in one read; of roles there is no such list."""
    rule = world.rule("Auditors", group="audit")
    for number in range(3):
        world.organization.add_role(f"Role {number}", [])
        give(rule, "role", f"Role {number}", "holder")
        world.hire(f"p{number}@example.org", "audit")
        world.organization.add_member(f"p{number}@example.org")
    document = world.sync()
    assert document["counts"]["planned"] == 9 > world.job(document).read["calls"]
    assert world.job(document).actions.filter(confirmed_at=None).count() == 0


def test_a_role_of_openai_s_own_and_a_missing_one_are_reported_with_the_rule(world: World) -> None:
    rule = world.rule("Auditors", group="audit")
    give(rule, "role", "owner", "holder")
    give(rule, "role", "Nobody", "holder")
    told = [(action["rule"], action["detail"]) for action in world.sync()["actions"]]
    assert told == [
        (
            "Auditors",
            "The role 'owner' is left alone: it is one of OpenAI's own, which a rule gives as a role and "
            "not by this list.",
        ),
        ("Auditors", "There is no role named 'Nobody'."),
    ]


# -- a group in OpenAI, and what the group is given there


def test_a_role_of_an_openai_group_comes_and_goes_with_the_membership(world: World) -> None:
    """What this costs does not grow with the people: nobody is asked for their roles."""
    organization = world.organization
    platform, auditor = organization.add_group("platform"), organization.add_role(AUDITOR, [])
    organization.assign_role_to_group(platform.id, auditor.id)
    give(world.rule("Auditors", group="audit"), "group", "platform", "member")
    world.rule("Finance", group="finance")
    world.hire(ADA, "audit")
    world.sync()
    ada = organization.accept_invite(ADA)
    assert given(world.sync()) == [("grant", "platform", "member", "done")]
    assert auditor.id in [held.id for held in organization.roles_of(ada.id)]
    move(ADA, "finance")
    assert given(world.sync()) == [("revoke", "platform", "", "done")]
    assert auditor.id not in [held.id for held in organization.roles_of(ada.id)]
    assert roles_asked_for(world) == []


# -- a custom role in a project

EDITOR = "Search: Prompt editor"


@pytest.fixture
def editor(world: World) -> Role:
    """A role of the project Search, which writers have by a rule, besides being members there."""
    search = world.organization.add_project("Search")
    give(world.rule("Writers", group="writing", Search="member"), "project role", EDITOR, "holder")
    world.rule("Finance", group="finance")
    return world.organization.add_role("Prompt editor", ["api.prompts.write"], project_id=search.id)


def editors(world: World, editor: Role) -> list[str]:
    return [
        world.organization.users[held.user_id].email or ""
        for held in world.organization.memberships.values()
        if editor.id in held.role_ids
    ]


def test_a_project_s_own_role_follows_the_membership_and_goes_with_it(world: World, editor: Role) -> None:
    world.hire(ADA, "writing")
    document = world.sync()
    assert brief(document) == [("invite", ADA, "done")]
    assert document["actions"][0]["after"] == {
        "role": "reader",
        "projects": [{"name": "Search", "role": "member"}],
    }
    assert world.sync()["actions"] == []
    world.organization.accept_invite(ADA)
    assert given(world.sync()) == [("grant", EDITOR, "holder", "done")]
    assert editors(world, editor) == [ADA]
    assert world.sync()["actions"] == []

    world.rule("Finance too", group="finance", Search="member")
    move(ADA, "finance")
    assert given(world.sync()) == [("revoke", EDITOR, "", "done")]
    assert (editors(world, editor), role_in(world, "Search", ADA)) == ([], "member")
    world.dismiss(ADA)
    assert brief(world.sync()) == [("remove", ADA, "done")]


def test_membership_and_role_are_given_together_and_lost_together(world: World, editor: Role) -> None:
    world.hire(ADA, "writing")
    world.organization.add_member(ADA)
    assert given(world.sync()) == [
        ("grant", "Search", "member", "done"),
        ("grant", EDITOR, "holder", "done"),
    ]
    move(ADA, "finance")
    document = world.sync()
    assert document["state"] == "succeeded"
    assert given(document)[0] == ("revoke", "Search", "", "done")
    assert (editors(world, editor), role_in(world, "Search", ADA)) == ([], None)
    assert world.sync()["actions"] == []


def test_an_owner_of_the_organization_is_given_no_role_in_a_project(world: World, editor: Role) -> None:
    world.hire(ADA, "writing", "owners")
    world.organization.add_member(ADA, "owner")
    assert world.sync()["actions"] == []


def outside(document: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Rule problems, with whom they are about."""
    return [
        (action["rule"], action["email"], action["detail"])
        for action in document["actions"]
        if action["situation"] == "rule_problem"
    ]


NOT_IN_SEARCH = (
    f"The project role '{EDITOR}' is not given: its holder must be in the project first, and no rule gives "
    "that."
)


def test_a_role_in_a_project_that_nobody_is_given_is_a_problem_of_its_rule(
    world: World, editor: Role
) -> None:
    """Though another rule gives it to others. Nothing is tried, and one line tells of everybody."""
    give(world.rule("Reviewers", group="reviewing"), "project role", EDITOR, "holder")
    for email in (ADA, "grace@example.org"):
        world.hire(email, "reviewing")
    world.organization.add_member(ADA)
    document = world.sync()
    assert brief(document, kinds=["invite", "grant"]) == [("invite", "grace@example.org", "done")]
    assert document["state"] == "succeeded"
    who = f" This is about 2 people, {ADA} the first of them."
    assert outside(document) == [("Reviewers", None, NOT_IN_SEARCH + who)]
    assert outside(world.sync("--person", ADA)) == [("Reviewers", ADA, NOT_IN_SEARCH)]


def test_a_role_in_a_project_is_given_to_who_is_there_already_whoever_let_them_in(world: World) -> None:
    """No rule names the project, so that it is nobody's to manage: Ada was added by hand, Grace was not, and
    Olive owns the organization.
    """
    search = world.organization.add_project("Search")
    role = world.organization.add_role("Prompt editor", [], project_id=search.id)
    give(world.rule("Writers", group="writing"), "project role", EDITOR, "holder")
    for email, more in ((ADA, []), ("grace@example.org", []), ("olive@example.org", ["owners"])):
        world.hire(email, "writing", *more)
        world.organization.add_member(email, "owner" if more else "reader")
    world.organization.add_to_project(search.id, world.organization.find_user(ADA).id)
    document = world.sync()
    assert given(document) == [("grant", EDITOR, "holder", "done"), ("report", EDITOR, "", "done")]
    assert outside(document) == [("Writers", "grace@example.org", NOT_IN_SEARCH)]
    assert editors(world, role) == [ADA]
    assert world.organization.find_user(ADA).id in [
        held.user_id for held in world.organization.members_of(search.id)
    ]


def test_a_role_in_a_project_is_not_tried_where_the_project_could_not_be_given(
    world: World, editor: Role
) -> None:
    world.hire(ADA, "writing")
    world.organization.add_member(ADA)
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="POST", path="/organization/projects/*/users"))
    assert [(line[1], line[3]) for line in given(world.sync())] == [("Search", "failed"), (EDITOR, "skipped")]


def test_a_project_s_role_that_is_not_there_is_reported_with_the_rule(world: World) -> None:
    old = world.organization.add_project("Old")
    world.organization.archive_project(old.id)
    rule = world.rule("Writers", group="writing", Old="member")
    for name in ("Nowhere: Prompt editor", "Old: Prompt editor"):
        give(rule, "project role", name, "holder")
    assert sorted((action["rule"], action["detail"]) for action in world.sync()["actions"]) == [
        ("Writers", "The project 'Old' is left alone: it is archived."),
        ("Writers", "The project role 'Old: Prompt editor' is left alone: it is archived."),
        ("Writers", "There is no project role named 'Nowhere: Prompt editor'."),
    ]


# -- what a look costs


def test_a_look_lists_nothing_twice_and_within_a_project_only_what_a_rule_gives_there(
    world: World, editor: Role
) -> None:
    organization = world.organization
    voice, platform = organization.add_project("Voice").id, organization.add_group("platform").id
    search = organization.find_project("Search").id
    give(world.rule("Talkers", group="talking", Voice="member"), "group", "platform", "member")
    rule = GroupRule.objects.create(integration=world.integration, name="platform", state="active")
    GroupGrant.objects.create(rule=rule, name="Search", role="member")
    organization.add_group_to_project(search, platform, "role-api-project-member")
    ada, boss = organization.add_member(ADA).id, organization.find_user(BOSS).id
    organization.add_to_project(search, ada)
    world.preview()
    asked = [asked.path.removeprefix("/v1/") for asked in world.simulator.requests]
    assert sorted(asked) == sorted(
        [
            "organization/admin_api_keys",
            "organization/users",
            "organization/invites",
            "organization/projects",
            "organization/groups",
            f"organization/projects/{voice}/users",
            f"organization/projects/{search}/users",
            *(f"projects/{search}/users/{id}/roles" for id in (ada, boss)),
            f"projects/{search}/roles",
            f"organization/projects/{search}/groups",
            f"projects/{search}/groups/{platform}/roles",
            f"organization/groups/{platform}/users",
        ]
    )
