"""What a whole sync leaves as it is in the remote, and says so."""

from typing import Any

import pytest

from integrations.models import Integration
from provisioning.models import Account, RuleGrant
from tests.provisioning.world import BOSS, World, brief

pytestmark = pytest.mark.django_db(transaction=True)

ADA, GRACE = "ada@example.org", "grace@example.org"


def said(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Reports: why, about whom or by which rule, and the sentence."""
    return [
        (action["situation"], action["email"] or action["rule"], action["detail"])
        for action in document["actions"]
        if action["kind"] == "report"
    ]


def test_members_whom_openai_s_scim_feeds_are_shown_and_matched_and_never_written_to(world: World) -> None:
    """One has the wrong role and lacks what the rules give; one has left and has a key; one is nobody's."""
    search = world.organization.add_project("Search")
    world.organization.add_group("platform")
    rule = world.rule("Staff", group="staff", Search="member")
    RuleGrant.objects.create(rule=rule, kind="group", name="platform", role="member")
    world.rule("Leads", "owner", group="leads")
    world.hire(ADA, "staff", "leads")
    world.hire(GRACE, "staff")
    for email in (ADA, GRACE, "nobody@example.org"):
        world.organization.add_member(email, is_scim_managed=True)
    world.organization.add_project_key(search.id, world.organization.find_user(GRACE).id, "laptop")
    world.dismiss(GRACE)
    world.configure(orphans=Integration.Orphans.REMOVE, leaver_keys=Integration.LeaverKeys.REVOKE)
    for document in (world.sync(), world.sync("--person", GRACE)):
        assert document["state"] == "succeeded"
        assert {action["situation"] for action in document["actions"]} == {"managed_elsewhere"}
    assert world.writes() == []
    shown = Account.objects.values_list("email", "person__email", "managed_elsewhere")
    assert set(shown) == {
        (BOSS, BOSS, False),
        (ADA, ADA, True),
        (GRACE, GRACE, True),
        ("nobody@example.org", None, True),
    }


def test_the_default_project_is_nobody_s_to_give(world: World) -> None:
    """Neither in an invite, nor to a member, nor is it taken from whom OpenAI put there."""
    rule = world.rule("Staff", group="staff")
    RuleGrant.objects.create(rule=rule, kind="project", name="Default project", role="member")
    for email in (ADA, GRACE):
        world.hire(email, "staff")
    world.organization.add_member(GRACE)
    document = world.sync()
    assert brief(document, kinds=["invite", "grant", "revoke"]) == [("invite", ADA, "done")]
    assert said(document) == [
        (
            "rule_problem",
            "Staff",
            "The project 'Default project' is left alone: it is the default project, which OpenAI does not "
            "let anyone change.",
        )
    ]
    [sent] = [asked.body for asked in world.simulator.requests if asked.body]
    assert sent["projects"] == []


def test_an_owner_is_in_every_project_and_enters_by_themselves_when_they_are_none_any_more(
    world: World,
) -> None:
    search = world.organization.add_project("Search")
    world.rule("Staff", group="staff", Search="member")
    ada = world.hire(ADA, "staff", "owners")
    world.organization.add_member(ADA, "owner")
    assert (world.sync()["actions"], world.writes()) == ([], [])
    ada.memberships.filter(group__name="owners").delete()
    assert brief(world.sync()) == [("change_role", ADA, "done"), ("grant", ADA, "done")]
    held = world.organization.memberships[f"{search.id}/{world.organization.find_user(ADA).id}"]
    assert held.role == "member"
    assert world.sync()["actions"] == []
