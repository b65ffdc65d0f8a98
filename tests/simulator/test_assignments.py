"""Who holds which role, in the organization and in projects, by themselves or through a group."""

import pytest
from openai import BadRequestError, NotFoundError

MEMBER, VIEWER = "role-api-project-member", "role-api-project-viewer"


@pytest.fixture
def api(client):
    return client.admin.organization


@pytest.fixture
def ada(organization):
    return organization.add_member("ada@example.org")


@pytest.fixture
def search(organization):
    return organization.add_project("Search")


@pytest.fixture
def platform(organization, ada):
    group = organization.add_group("Platform")
    organization.add_to_group(group.id, ada.id)
    return group


def held(rows) -> dict[str, list[str]]:
    """Names of roles, each with the ids that it comes from."""
    return {row.name: [source.principal_id for source in row.assignment_sources] for row in rows}


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(BadRequestError) as refusal:
        call(*args, **kwargs)
    return str(refusal.value.body["message"])


def test_every_project_has_three_roles_and_may_have_more(api, search):
    roles = api.projects.roles
    made = roles.create(search.id, role_name="Prompter", permissions=["api.model.request"])
    assert [(role.name, role.predefined_role, role.resource_type) for role in roles.list(search.id)] == [
        ("owner", True, "api.project"),
        ("member", True, "api.project"),
        ("viewer", True, "api.project"),
        ("Prompter", False, "api.project"),
    ]
    changed = roles.update(made.id, project_id=search.id, role_name="Writer", description="Prompts")
    assert (changed.name, changed.description, changed.permissions) == (
        "Writer",
        "Prompts",
        ["api.model.request"],
    )
    assert roles.retrieve(made.id, project_id=search.id) == changed
    assert roles.delete(made.id, project_id=search.id).id == made.id
    assert len(list(roles.list(search.id))) == 3


def test_a_predefined_role_is_found_by_its_short_id_and_shown_by_its_long_one(api, search):
    role = api.projects.roles.retrieve(VIEWER, project_id=search.id)
    assert role.id == f"{VIEWER}__api-project__{search.id}"
    assert api.projects.roles.retrieve(role.id, project_id=search.id) == role
    assert "predefined" in refused(api.projects.roles.delete, VIEWER, project_id=search.id)
    assert "predefined" in refused(api.projects.roles.update, VIEWER, project_id=search.id, role_name="x")


def test_roles_of_the_organization_and_of_a_project_are_not_mixed_up(organization, api, search):
    other = organization.add_project("Support")
    ours = organization.add_role("Prompter", [], project_id=search.id)
    auditor = organization.add_role("Auditor", [])
    assert [role.name for role in api.roles.list()] == ["owner", "reader", "Auditor"]
    for call in (
        lambda: api.roles.retrieve(ours.id),
        lambda: api.projects.roles.retrieve(auditor.id, project_id=search.id),
        lambda: api.projects.roles.retrieve(ours.id, project_id=other.id),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_person_enters_a_project_with_any_role_by_name(organization, api, ada, search):
    role = organization.add_role("Prompter", [], project_id=search.id)
    assert api.projects.users.create(search.id, user_id=ada.id, role="viewer").role == "viewer"
    assert api.projects.users.update(ada.id, project_id=search.id, role="Prompter").role == "Prompter"
    assert held(api.projects.users.roles.list(ada.id, project_id=search.id)) == {"Prompter": []}
    api.projects.roles.update(role.id, project_id=search.id, role_name="Writer")
    assert api.projects.users.retrieve(ada.id, project_id=search.id).role == "Writer"
    api.projects.roles.delete(role.id, project_id=search.id)
    assert api.projects.users.retrieve(ada.id, project_id=search.id).role == "member"


def test_a_predefined_role_takes_the_place_of_the_other_and_a_custom_one_is_added(
    organization, api, ada, search
):
    organization.add_to_project("Search", "ada@example.org")
    custom, roles = organization.add_role("Prompter", [], project_id=search.id), api.projects.users.roles
    given = roles.create(ada.id, project_id=search.id, role_id=VIEWER)
    assert (given.user.id, given.role.name) == (ada.id, "viewer")
    roles.create(ada.id, project_id=search.id, role_id=custom.id)
    assert held(roles.list(ada.id, project_id=search.id)) == {"viewer": [], "Prompter": []}
    assert "not taken away" in refused(roles.delete, VIEWER, project_id=search.id, user_id=ada.id)
    roles.delete(custom.id, project_id=search.id, user_id=ada.id)
    assert held(roles.list(ada.id, project_id=search.id)) == {"viewer": []}
    with pytest.raises(NotFoundError):
        roles.retrieve(custom.id, project_id=search.id, user_id=ada.id)


def test_a_custom_role_that_was_entered_with_can_be_taken_and_leaves_a_plain_member(
    organization, api, ada, search
):
    custom = organization.add_role("Prompter", [], project_id=search.id)
    api.projects.users.create(search.id, user_id=ada.id, role="Prompter")
    roles = api.projects.users.roles
    assert roles.delete(custom.id, project_id=search.id, user_id=ada.id).deleted
    assert held(roles.list(ada.id, project_id=search.id)) == {"member": []}


def test_owners_of_the_organization_and_the_default_project_keep_their_roles(organization, api, ada, search):
    olivia, default = organization.find_user("olivia@example.org"), organization.default_project
    roles = api.projects.users.roles
    assert held(roles.list(olivia.id, project_id=search.id)) == {"owner": []}
    assert "Owners of the organization" in refused(
        roles.create, olivia.id, project_id=search.id, role_id=VIEWER
    )
    assert "default project" in refused(roles.create, ada.id, project_id=default.id, role_id=VIEWER)
    assert "is not a member of" in refused(roles.create, ada.id, project_id=search.id, role_id=VIEWER)


def test_a_group_enters_a_project_with_a_role_by_id_and_is_shown_without_it(api, search, platform):
    groups = api.projects.groups
    shown = groups.create(search.id, group_id=platform.id, role=MEMBER)
    assert (shown.group_id, shown.group_name, shown.project_id) == (platform.id, "Platform", search.id)
    assert "role" not in shown.to_dict()
    assert [group.group_name for group in groups.list(search.id)] == ["Platform"]
    assert groups.retrieve(platform.id, project_id=search.id) == shown
    assert held(groups.roles.list(platform.id, project_id=search.id)) == {"member": []}
    assert "already exists in project" in refused(groups.create, search.id, group_id=platform.id, role=MEMBER)
    assert groups.delete(platform.id, project_id=search.id).deleted
    assert list(groups.list(search.id)) == []
    for call in (
        lambda: groups.delete(platform.id, project_id=search.id),
        lambda: groups.create(search.id, group_id=platform.id, role="member"),
        lambda: groups.create(search.id, group_id="group_none", role=MEMBER),
        lambda: groups.roles.list(platform.id, project_id=search.id),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_groups_of_a_project_are_paged_by_the_group(organization, api, search):
    ids = [organization.add_group(f"Team {number}").id for number in range(3)]
    for group_id in ids:
        organization.add_group_to_project(search.id, group_id, MEMBER)
    assert [row.group_id for row in api.projects.groups.list(search.id, limit=1)] == ids
    newest = api.projects.groups.list(search.id, limit=2, order="desc")
    assert [row.group_id for row in newest] == ids[::-1]


def test_what_a_group_holds_its_people_hold_too_and_cannot_lose_alone(
    organization, api, ada, search, platform
):
    roles = api.projects.users.roles
    api.projects.groups.create(search.id, group_id=platform.id, role=VIEWER)
    assert held(roles.list(ada.id, project_id=search.id)) == {"viewer": [platform.id]}
    custom = organization.add_role("Prompter", [], project_id=search.id)
    api.projects.groups.roles.create(platform.id, project_id=search.id, role_id=custom.id)
    organization.add_to_project("Search", "ada@example.org")
    assert held(roles.list(ada.id, project_id=search.id)) == {
        "member": [],
        "viewer": [platform.id],
        "Prompter": [platform.id],
    }
    assert "inherited from a group" in refused(roles.delete, custom.id, project_id=search.id, user_id=ada.id)
    api.groups.users.delete(ada.id, group_id=platform.id)
    assert held(roles.list(ada.id, project_id=search.id)) == {"member": []}


def test_a_role_of_the_organization_given_to_a_group_is_held_by_its_people(organization, api, ada, platform):
    auditor = organization.add_role("Auditor", ["api.organization.read"])
    given = api.groups.roles.create(platform.id, role_id=auditor.id)
    assert (given.group.name, given.group.scim_managed, given.role.id) == ("Platform", False, auditor.id)
    assert held(api.users.roles.list(ada.id)) == {"reader": [], "Auditor": [platform.id]}
    assert "inherited from a group" in refused(api.users.roles.delete, auditor.id, user_id=ada.id)
    api.users.roles.create(ada.id, role_id=auditor.id)
    assert held(api.users.roles.list(ada.id))["Auditor"] == [ada.id, platform.id]
    api.users.roles.delete(auditor.id, user_id=ada.id)
    api.groups.roles.delete(auditor.id, group_id=platform.id)
    assert held(api.users.roles.list(ada.id)) == {"reader": []}
    assert list(api.groups.roles.list(platform.id)) == []


@pytest.mark.parametrize(("drops", "kept"), [(False, {"owner": [], "Auditor": []}), (True, {"owner": []})])
def test_a_new_role_of_the_organization_keeps_or_ends_the_custom_ones(organization, api, ada, drops, kept):
    organization.behaviour.role_change_drops_custom_roles = drops
    auditor = organization.add_role("Auditor", ["api.organization.read"])
    api.users.roles.create(ada.id, role_id=auditor.id)
    api.users.update(ada.id, role="owner")
    assert held(api.users.roles.list(ada.id)) == kept


def test_a_deleted_group_takes_what_its_people_had_through_it(organization, api, ada, search, platform):
    organization.add_group_to_project(search.id, platform.id, MEMBER)
    organization.add_to_project("Search", "ada@example.org", "viewer")
    api.groups.delete(platform.id)
    assert list(api.projects.groups.list(search.id)) == []
    assert held(api.projects.users.roles.list(ada.id, project_id=search.id)) == {"viewer": []}


def test_a_deleted_role_is_held_by_nobody(organization, api, ada, search, platform):
    custom = organization.add_role("Prompter", [], project_id=search.id)
    organization.add_group_to_project(search.id, platform.id, custom.id)
    organization.add_to_project("Search", "ada@example.org")
    organization.assign_role_in_project(search.id, ada.id, custom.id)
    api.projects.roles.delete(custom.id, project_id=search.id)
    assert held(api.projects.users.roles.list(ada.id, project_id=search.id)) == {"member": []}
    assert held(api.projects.groups.roles.list(platform.id, project_id=search.id)) == {}
    assert api.projects.groups.delete(platform.id, project_id=search.id).deleted


def test_an_archived_project_has_no_groups_and_takes_none(organization, api, search, platform):
    organization.add_group_to_project(search.id, platform.id, MEMBER)
    api.projects.archive(search.id)
    assert organization.project_groups == {}
    assert "archived" in refused(api.projects.groups.list, search.id)
    assert "archived" in refused(api.projects.groups.create, search.id, group_id=platform.id, role=MEMBER)
    assert "archived" in refused(api.projects.roles.list, search.id)


def test_people_and_groups_of_the_identity_provider_can_be_changed_where_openai_allows_it(organization, api):
    fed = organization.add_member("fed@example.org", is_scim_managed=True)
    group = organization.add_group("Everyone", is_scim_managed=True)
    organization.behaviour.scim_refuses_writes = False
    api.groups.users.create(group.id, user_id=fed.id)
    assert api.users.update(fed.id, role="owner").role == "owner"
    assert api.users.delete(fed.id).deleted
    assert api.groups.delete(group.id).deleted
