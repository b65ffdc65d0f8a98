"""Groups of the organization are given roles in projects by rules of their own, from the first sync on."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning.models import GroupGrant, GroupRule, Mark
from tests.provisioning.world import World, brief, command

ADA, GRACE = "ada@example.org", "grace@example.org"


def table(world: World, group: str, state: str = "active", **projects: str) -> GroupRule:
    rule = GroupRule.objects.create(integration=world.integration, name=group, state=state)
    for project, role in projects.items():
        GroupGrant.objects.create(rule=rule, name=project, role=role)
    return rule


def lines(document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (action["kind"], action["holder"]["name"], action["entitlement"]["name"], action["state"])
        for action in document["actions"]
        if action["holder"]
    ]


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (action["rule"], action["detail"])
        for action in document["actions"]
        if action["situation"] == "rule_problem"
    ]


def held(world: World, group: str = "platform", project: str = "Search") -> list[str]:
    organization = world.organization
    place = f"{organization.find_project(project).id}/{find_group(world, group).id}"
    found = organization.project_groups.get(place)
    roles = [organization.project_role(found.project_id, id).name for id in found.role_ids] if found else []
    return sorted(roles)


def find_group(world: World, name: str) -> Any:
    return next(group for group in world.organization.groups.values() if group.name == name)


@pytest.fixture
def company(world: World) -> World:
    """Two projects, and the group `platform` with two members."""
    world.rule("Staff", group="staff")
    platform = world.organization.add_group("platform")
    for name in ("Search", "Voice"):
        world.organization.add_project(name)
    for email in (ADA, GRACE):
        world.hire(email, "staff")
        world.organization.add_to_group(platform.id, world.organization.add_member(email).id)
    return world


def test_a_group_is_given_its_role_once_then_another_and_loses_it_only_after_an_approval(
    company: World,
) -> None:
    rule = table(company, "platform", Search="viewer")
    document = company.sync()
    assert (document["state"], lines(document)) == (
        "succeeded",
        [("grant", "platform", "Search: viewer", "done")],
    )
    [action] = document["actions"]
    assert (action["email"], action["account_id"], action["rule"]) == (None, None, "platform")
    assert action["after"] == {"projects": [{"name": "Search", "role": "viewer"}]}
    assert company.job(document).actions.get().confirmed_at
    assert held(company) == ["viewer"]
    assert company.sync()["actions"] == []

    rule.grants.update(role="member")
    document = company.sync()
    assert lines(document) == [
        ("grant", "platform", "Search: member", "done"),
        ("revoke", "platform", "Search: viewer", "done"),
    ]
    assert {action["situation"] for action in document["actions"]} == {"mover"}
    assert held(company) == ["member"]

    rule.grants.all().delete()
    table(company, "platform too", state="draft", Voice="viewer")
    assert company.sync()["actions"] == []  # no rule names the project, so it is left as it is
    GroupGrant.objects.create(rule=table(company, "owners"), name="Search", role="owner")
    company.organization.add_group("owners")
    company.configure(
        first_removals=Integration.FirstRemovals.HOLD, removal_limit_count=1, removal_limit_percent=0
    )
    document = company.sync()
    assert lines(document) == [
        ("grant", "owners", "Search: owner", "done"),
        ("revoke", "platform", "Search: member", "held"),
    ]
    assert [hold["detail"] for hold in document["holds"]] == [
        "2 of 3 accounts would lose access, the limit is 1"
    ]
    assert held(company) == ["member"]
    company.approver()
    assert lines(company.approve(document["job"]))[1][3] == "done"
    assert (held(company), held(company, "owners")) == ([], ["owner"])
    assert company.sync()["actions"] == []


def test_what_it_costs_to_look_is_little_and_nothing_where_no_rule_is_about_a_group(company: World) -> None:
    company.sync()
    assert not any("/groups" in asked.path for asked in company.simulator.requests)
    table(company, "platform", Search="viewer")
    company.sync()
    company.simulator.requests.clear()
    company.preview()
    asked = [asked.path.removeprefix("/v1") for asked in company.simulator.requests]
    search, platform = (
        company.organization.find_project("Search").id,
        find_group(company, "platform").id,
    )
    assert sorted(path for path in asked if "group" in path or "role" in path) == sorted(
        [
            "/organization/groups",
            f"/projects/{search}/roles",
            f"/organization/projects/{search}/groups",
            f"/projects/{search}/groups/{platform}/roles",
            f"/organization/groups/{platform}/users",
        ]
    )


def test_a_role_given_by_hand_is_taken_and_other_groups_and_projects_are_left_alone(company: World) -> None:
    organization = company.organization
    search, voice = organization.find_project("Search"), organization.find_project("Voice")
    editor = organization.add_role("Prompt editor", [], project_id=search.id)
    others = organization.add_group("others")
    for project, group in ((search, others), (voice, find_group(company, "platform"))):
        organization.add_group_to_project(project.id, group.id, "role-api-project-owner")
    table(company, "platform", Search="prompt EDITOR")
    assert lines(company.sync()) == [("grant", "platform", "Search: Prompt editor", "done")]
    organization.assign_role_to_group_in_project(
        search.id, find_group(company, "platform").id, "role-api-project-owner"
    )
    document = company.sync()
    assert lines(document) == [("revoke", "platform", "Search: owner", "done")]
    [action] = document["actions"]
    assert (action["situation"], action["before"]) == (
        "drift",
        {"projects": [{"name": "Search", "role": "owner"}]},
    )
    assert action["detail"] == "The rule gives Prompt editor there. 2 accounts have it through the group."
    assert held(company) == [editor.name]
    assert (held(company, "others"), held(company, "platform", "Voice")) == (["owner"], ["owner"])
    table(company, "others")
    assert lines(company.sync()) == [("revoke", "others", "Search: owner", "done")]


def test_what_cannot_be_managed_is_reported_with_the_rule_and_the_rest_goes_on(company: World) -> None:
    organization = company.organization
    organization.archive_project(organization.add_project("Old").id)
    organization.add_project("search")
    organization.add_group("Twice")
    organization.add_group("twice")
    fed = organization.add_group("fed", is_scim_managed=True)
    rules = {
        "platform": {"Voice": "viewer", "Search": "viewer", "Old": "viewer", "Default project": "viewer"},
        "twice": {"Voice": "viewer"},
        "nobody": {"Voice": "viewer", "Nowhere": "viewer"},
        "fed": {"Voice": "king"},
    }
    for group, projects in rules.items():
        table(company, group, **projects)
    organization.add_group_to_project(organization.find_project("Voice").id, fed.id, "role-api-project-owner")
    document = company.sync()
    assert sorted(problems(document)) == [
        ("fed", "There is no role named 'king' in the project 'Voice'."),
        ("nobody", "There is no group named 'nobody'."),
        ("nobody", "There is no project named 'Nowhere'."),
        (
            "platform",
            "The project 'Default project' is left alone: it is the default project, which OpenAI does not "
            "let anyone change.",
        ),
        ("platform", "The project 'Old' is left alone: it is archived."),
        ("platform", "There are 2 projects named 'Search'; rename one."),
        ("twice", "There are 2 groups named 'twice'; rename one."),
    ]
    assert lines(document) == [("grant", "platform", "Voice: viewer", "done")]
    assert held(company, "fed", "Voice") == ["owner"]
    GroupGrant.objects.filter(role="king").update(role="member")
    assert lines(company.sync()) == [
        ("grant", "fed", "Voice: member", "done"),
        ("revoke", "fed", "Voice: owner", "done"),
    ]


def test_a_proposed_rule_is_shown_and_extend_only_gives(company: World) -> None:
    rule = table(company, "platform", "proposed", Search="viewer")
    document = company.sync()
    assert lines(document) == [("grant", "platform", "Search: viewer", "skipped")]
    assert document["actions"][0]["error"]["code"] == "proposed"
    assert held(company) == []
    GroupRule.objects.update(state="active")
    company.sync()
    rule.grants.update(role="owner")
    company.configure(mode=Integration.Mode.EXTEND)
    document = company.sync()
    assert [line[3] for line in lines(document)] == ["done", "skipped"]
    assert held(company) == ["owner", "viewer"]


def test_a_taking_from_a_group_counts_once_for_each_of_its_members_all_day(company: World) -> None:
    company.configure(removal_limit_count=2, removal_limit_percent=0)
    rule = table(company, "platform", Search="viewer")
    company.sync()
    rule.grants.update(role="member")
    assert [line[3] for line in lines(company.sync())] == ["done", "done"]
    company.dismiss(ADA)
    assert company.sync()["state"] == "succeeded"  # she has lost something today already
    company.hire("kate@example.org", "staff")
    company.organization.add_member("kate@example.org")
    company.sync()
    company.dismiss("kate@example.org")
    document = company.sync()
    assert document["state"] == "awaiting_approval"
    assert [hold["detail"] for hold in document["holds"]] == [
        "1 of 3 accounts would lose access, 2 lost some in the last 24 hours, the limit is 2"
    ]


def test_nothing_is_taken_from_a_group_with_somebody_protected_in_it(company: World) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    rule.grants.update(role="member")
    company.configure(first_removals=Integration.FirstRemovals.HOLD, removal_limit_count=0)
    company.configure(removal_limit_percent=0)
    document = company.sync()
    assert [line[3] for line in lines(document)] == ["done", "held"]
    mark = Mark.objects.create(
        integration=company.integration, email=ADA, key=ADA, kind="protected", reason="She runs the place."
    )
    company.approver()
    for refused in (company.approve(document["job"]), company.sync()):
        [taking] = [action for action in refused["actions"] if action["kind"] == "revoke"]
        assert (taking["state"], taking["error"]["detail"]) == (
            "refused",
            "A protected account would lose it with the group platform.",
        )
    mark.delete()
    assert lines(company.sync()) == [("revoke", "platform", "Search: viewer", "held")]


def test_an_approved_taking_is_stale_when_the_rules_want_it_again_and_skipped_when_it_is_done(
    company: World,
) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    company.configure(removal_limit_count=0, removal_limit_percent=0)
    table(company, "others", Search="viewer")
    rule.grants.all().delete()
    first = company.sync()
    company.approver()
    grant = GroupGrant.objects.create(rule=rule, name="search", role="Viewer")
    assert lines(company.approve(first["job"])) == [("revoke", "platform", "Search: viewer", "stale")]
    grant.delete()
    again = company.sync()
    company.organization.take_group_from_project(
        company.organization.find_project("Search").id, find_group(company, "platform").id
    )
    document = company.approve(again["job"])
    assert lines(document) == [("revoke", "platform", "Search: viewer", "skipped")]
    assert document["actions"][0]["error"]["code"] == "already_so"


@pytest.mark.parametrize(
    "path", ["/organization/projects/*/groups", "/projects/*/roles", "/organization/groups/*/users"]
)
def test_a_key_that_may_not_read_what_groups_hold_leaves_that_alone_and_the_rest_is_done(
    company: World, path: str
) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    rule.grants.update(role="member")
    company.hire("new@example.org", "staff")
    company.simulator.inject(Fault(Kind.FORBIDDEN, path=path, every=True))
    document = company.sync()
    assert (document["state"], lines(document)) == ("succeeded", [])
    [(name, detail)] = problems(document)
    assert (name, detail[:46]) == ("platform", "The credential may not read what groups hold. ")
    assert brief(document, kinds=["invite"]) == [("invite", "new@example.org", "done")]
    assert held(company) == ["viewer"]


@pytest.mark.parametrize(
    ("kind", "state"), [(Kind.SERVER_ERROR_AFTER, "done"), (Kind.SERVER_ERROR, "failed")]
)
def test_a_lost_reply_is_settled_by_looking(company: World, kind: Kind, state: str) -> None:
    table(company, "platform", Search="viewer")
    company.simulator.inject(Fault(kind, path="/organization/projects/*/groups", method="POST"))
    assert lines(company.sync()) == [("grant", "platform", "Search: viewer", state)]
    assert len(company.writes()) == 1
    company.sync()
    assert held(company) == ["viewer"]


def test_the_former_role_is_kept_where_the_new_one_is_refused(company: World) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    rule.grants.update(role="member")
    company.simulator.inject(Fault(Kind.FORBIDDEN, path="/projects/*/groups/*/roles", method="POST"))
    assert [line[3] for line in lines(company.sync())] == ["failed", "skipped"]
    assert held(company) == ["viewer"]


def test_the_first_taking_is_held_even_where_nobody_is_in_the_group(company: World) -> None:
    organization = company.organization
    empty = organization.add_group("empty")
    organization.add_group_to_project(
        organization.find_project("Search").id, empty.id, "role-api-project-owner"
    )
    company.configure(first_removals=Integration.FirstRemovals.HOLD)
    table(company, "empty", Search="viewer")
    document = company.sync()
    assert [line[3] for line in lines(document)] == ["done", "held"]
    assert [hold["code"] for hold in document["holds"]] == ["first_removals"]


@pytest.mark.parametrize("kind", [Kind.MISSING_ROW, Kind.DUPLICATE_ROW, Kind.EMPTY_WITH_MORE, Kind.HTML])
def test_a_list_of_groups_in_a_project_that_is_not_proven_changes_nothing(company: World, kind: Kind) -> None:
    table(company, "platform", Search="viewer")
    company.sync()
    company.simulator.inject(Fault(kind, path="/organization/projects/*/groups", method="GET", every=True))
    writes = company.writes()
    assert company.sync()["state"] == ("succeeded" if kind is Kind.MISSING_ROW else "inconclusive")
    assert company.writes() == writes


def test_a_restore_gives_back_to_a_group_what_a_job_took_and_takes_nothing(company: World) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    rule.grants.update(role="member")
    taken = company.sync()
    company.approver()
    plan, _ = command("restore", str(taken["job"]), "--by", "alice", "--reason", "A wrong file.")
    assert lines(plan) == [("grant", "platform", "Search: viewer", "held")]
    assert lines(company.approve(plan["job"])) == [("grant", "platform", "Search: viewer", "done")]
    assert held(company) == ["member", "viewer"]
    again, _ = command("restore", str(taken["job"]), "--by", "alice", "--reason", "Once more.")
    assert (again["state"], again["actions"]) == ("succeeded", [])
    assert lines(company.sync()) == [("revoke", "platform", "Search: viewer", "done")]


def test_a_plan_about_a_group_that_was_altered_is_not_applied(company: World) -> None:
    rule = table(company, "platform", Search="viewer")
    company.sync()
    company.configure(removal_limit_count=0, removal_limit_percent=0)
    rule.grants.update(role="member")
    document = company.sync()
    company.approver()
    row = company.job(document).actions.get(kind="revoke")
    row.holder["id"] = "another"
    row.save()
    with pytest.raises(CommandError, match="not the one"):
        call_command("approve", str(document["job"]), "--by", "alice", "--reason", "They left.")
