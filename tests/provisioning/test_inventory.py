"""What can be held in the remote, as complete reads saw it."""

import pytest

from provisioning.models import Entitlement, GroupGrant, GroupRule, RuleGrant
from tests.provisioning.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def known(world: World) -> dict[str, tuple[int | None, bool, str]]:
    return {
        row.name: (row.holders, row.gone_at is None, row.unmanageable)
        for row in Entitlement.objects.filter(kind="project")
    }


def give_group(world: World, name: str) -> None:
    RuleGrant.objects.create(rule=world.rule(name, group="staff"), kind="group", name=name, role="member")


def test_projects_are_kept_with_the_number_of_their_holders_where_a_rule_names_them(world: World) -> None:
    search, _ = world.organization.add_project("Search"), world.organization.add_project("Voice")
    world.hire("ada@example.org", "staff")
    ada = world.organization.add_member("ada@example.org")
    world.organization.give_project(search.id, ada, "member")
    world.rule("Staff", group="staff", Search="member")
    world.sync()
    found = known(world)
    assert (found["Search"][1:], found["Voice"]) == ((True, ""), (None, True, ""))
    assert found["Search"][0] == len(world.organization.members_of(search.id))
    assert "default project" in found["Default project"][2]


def test_what_is_renamed_or_archived_is_seen_to_be_so(world: World) -> None:
    search = world.organization.add_project("Search")
    world.rule("Staff", group="staff", Search="member")
    world.preview()
    first = Entitlement.objects.get(name="Search")
    world.organization.projects[search.id].name = "Find"
    world.preview()
    renamed = Entitlement.objects.get(remote_id=search.id)
    assert (renamed.pk, renamed.name, renamed.first_seen_at) == (first.pk, "Find", first.first_seen_at)
    assert renamed.last_seen_at > first.last_seen_at
    world.organization.archive_project(search.id)
    world.preview()
    assert known(world)["Find"] == (None, True, "it is archived")
    del world.organization.projects[search.id]
    world.organization.changed()
    world.preview()
    assert known(world)["Find"][1] is False


def test_kinds_that_nobody_asked_for_stay_as_they_were(world: World) -> None:
    world.organization.add_project("Search")
    rule = world.rule("Staff", group="staff", Search="member")
    world.preview()
    rule.delete()
    world.preview()
    assert known(world)["Search"][1] is True


def test_what_groups_hold_is_kept_on_both_sides_as_long_as_a_rule_names_them(world: World) -> None:
    organization = world.organization
    search, platform = organization.add_project("Search"), organization.add_group("platform")
    organization.add_group("others")
    rule = GroupRule.objects.create(integration=world.integration, name="platform", state="active")
    GroupGrant.objects.create(rule=rule, name="search", role="member")
    world.hire("ada@example.org", "staff")
    world.rule("Staff", group="staff", Search="viewer")

    def held() -> dict[str, dict[str, list[str]] | None]:
        return dict(Entitlement.objects.exclude(name="Default project").values_list("name", "group_roles"))

    world.sync()
    assert held() == {"Search": {}, "platform": {}, "others": None}
    world.sync()
    seen = {"Search": {"platform": ["member"]}, "platform": {"Search": ["member"]}, "others": None}
    assert held() == seen
    world.sync("--person", "ada@example.org")
    assert held() == seen
    editor = organization.add_role("Prompt editor", [], project_id=search.id)
    organization.assign_role_to_group_in_project(search.id, platform.id, editor.id)
    world.preview()
    assert held()["Search"] == {"platform": ["Prompt editor", "member"]}
    rule.delete()
    give_group(world, "platform")
    world.preview()
    assert held()["platform"] is None
