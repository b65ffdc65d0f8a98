"""The product runs with what its key allows, and says what it leaves alone for want of a right."""

import pytest

from integrations.connectors.openai.simulator import Fault, Kind
from provisioning.models import RuleGrant
from tests.provisioning.world import World, brief

ADA = "ada@example.org"


@pytest.fixture
def grouped(world: World) -> World:
    """Ada is to be in Search and in the group platform, and somebody who should not be is in the group."""
    organization = world.organization
    organization.add_project("Search")
    platform = organization.add_group("platform")
    rule = world.rule("Engineers", group="engineering", Search="member")
    RuleGrant.objects.create(rule=rule, kind="group", name="platform", role="member")
    world.rule("Everybody")
    for email, *groups in ((ADA, "engineering"), ("lex@example.org",)):
        world.hire(email, *groups)
        organization.add_member(email)
    organization.add_to_group(platform.id, organization.find_user("lex@example.org").id)
    return world


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/organization/groups", "the credential may not read any group. "),
        ("/organization/groups/*/users", "the credential may not read who holds it. "),
    ],
)
def test_groups_that_may_not_be_read_are_left_alone_and_the_rest_is_done(
    grouped: World, path: str, says: str
) -> None:
    grouped.simulator.inject(Fault(Kind.FORBIDDEN, path=path, every=True))
    document = grouped.sync()
    assert document["state"] == "succeeded"
    assert brief(document, kinds=["grant", "revoke"]) == [("grant", ADA, "done")]
    [problem] = [action for action in document["actions"] if action["situation"] == "rule_problem"]
    assert problem["rule"] == "Engineers"
    assert problem["detail"].startswith(f"The group 'platform' is left alone: {says}")
    [group] = grouped.organization.groups.values()
    assert group.user_ids == [grouped.organization.find_user("lex@example.org").id]


@pytest.mark.parametrize("path", ["/organization/projects", "/organization/projects/*/users"])
def test_nobody_is_invited_to_less_because_projects_may_not_be_read(grouped: World, path: str) -> None:
    grouped.hire("grace@example.org", "engineering")
    grouped.simulator.inject(Fault(Kind.FORBIDDEN, path=path, every=True))
    document = grouped.sync()
    assert (document["state"], document["error"]["code"]) == ("failed", "permission_missing")
    assert grouped.organization.invites == {}


def test_with_a_full_key_the_groups_are_put_right(grouped: World) -> None:
    assert sorted(brief(grouped.sync(), kinds=["grant", "revoke"])) == [
        ("grant", ADA, "done"),
        ("grant", ADA, "done"),
        ("revoke", "lex@example.org", "done"),
    ]
