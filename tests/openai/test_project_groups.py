"""Groups in projects: what they hold there by themselves, and how that is given and taken."""

import pytest

from integrations.connectors.base import ActionRejected, Entitlement, OutcomeUnknown, PlaceRole, Receipt
from tests.openai.remote import Answer, Remote

VIEWER = Entitlement("project role", "proj_1/role-api-project-viewer__api-project__proj_1", "Search: viewer")
IN_PROJECT = {
    "object": "project.group",
    "project_id": "proj_1",
    "group_id": "group_1",
    "group_name": "platform",
    "group_type": "group",
    "created_at": 1,
}
NOT_THERE = Answer(404, {"error": {"message": "Not found.", "type": "t", "param": None, "code": None}})


def role(name, id=None, predefined=True, **more):
    return {"id": id or f"role-api-project-{name}", "name": name, "predefined_role": predefined, **more}


def listed(*rows):
    return Answer(200, {"object": "list", "data": list(rows), "has_more": False, "next": None})


@pytest.fixture
def places(organization):
    """A project with a role of its own, and two groups, of which one has a member."""
    search = organization.add_project("Search")
    editor = organization.add_role("Prompt editor", [], project_id=search.id)
    platform, sales = organization.add_group("platform"), organization.add_group("sales")
    organization.add_to_group(platform.id, organization.add_member("ada@example.org").id)
    return search, editor, platform, sales


def seen(connector, names=("platform", "sales")):
    every = connector.fetch_entitlements(["group", "project"])
    groups = [found for found in every if found.kind == "group" and found.name in names]
    return connector.fetch_group_grants(groups, [found for found in every if found.name == "Search"])


def test_what_groups_hold_in_a_project_is_read_with_its_roles_and_the_members(
    organization, connector, simulator, places
):
    search, editor, platform, _ = places
    organization.add_group_to_project(search.id, platform.id, editor.id)
    organization.assign_role_to_group_in_project(search.id, platform.id, "role-api-project-viewer")
    ada = organization.find_user("ada@example.org").id
    simulator.requests.clear()
    found = seen(connector)
    assert [(one.name, one.right.name) for one in found.roles] == [
        ("owner", "Search: owner"),
        ("member", "Search: member"),
        ("viewer", "Search: viewer"),
        ("Prompt editor", "Search: Prompt editor"),
    ]
    assert {key: [one.name for one in some] for key, some in found.held.items()} == {
        (platform.id, search.id): ["viewer", "Prompt editor"]
    }
    assert set(found.held[platform.id, search.id]) <= set(found.roles)
    assert found.members == {platform.id: (ada,)}
    assert [asked.path.removeprefix("/v1") for asked in simulator.requests][2:] == [
        f"/projects/{search.id}/roles",
        f"/organization/projects/{search.id}/groups",
        f"/projects/{search.id}/groups/{platform.id}/roles",
        f"/organization/groups/{platform.id}/users",
    ]


def test_a_group_enters_a_project_with_its_first_role_and_leaves_it_with_its_last(
    organization, connector, simulator, places
):
    search, _, platform, _ = places
    rights = {one.name: one.right for one in seen(connector).roles}
    simulator.requests.clear()
    for name in ("viewer", "Prompt editor", "viewer"):
        connector.grant_to_group(platform.id, rights[name])
    assert all(connector.group_holds(platform.id, rights[name]) for name in ("viewer", "Prompt editor"))
    assert not connector.group_holds(platform.id, rights["owner"])
    for name in ("Prompt editor", "viewer", "viewer"):
        connector.revoke_from_group(platform.id, rights[name])
    assert organization.project_groups == {}
    assert not connector.group_holds(platform.id, rights["viewer"])
    group = f"/projects/{search.id}/groups/{platform.id}"
    own = rights["Prompt editor"].id.partition("/")[2]
    assert [
        f"{asked.method} {asked.path.removeprefix('/v1')}"
        for asked in simulator.requests
        if asked.method != "GET"
    ] == [
        f"POST /organization/projects/{search.id}/groups",
        f"POST {group}/roles",
        f"DELETE {group}/roles/{own}",
        f"DELETE /organization{group}",
    ]


def test_openai_s_own_roles_are_known_by_their_names_whatever_ids_come_back(connect):
    """They may be missing from the list of a project's roles, too."""
    answers = (
        listed(role("Prompt editor", "role_1", predefined=False, object="role")),
        listed(IN_PROJECT),
        listed(role("viewer", "role-of-the-answer"), role("Prompt editor", "role_1", predefined=False)),
        listed(),
    )
    search, platform = Entitlement("project", "proj_1", "Search"), Entitlement("group", "group_1", "platform")
    with Remote(*answers) as remote:
        found = connect(remote).fetch_group_grants([platform], [search])
    assert [one.name for one in found.roles] == ["viewer", "member", "owner", "Prompt editor"]
    viewer = Entitlement("project role", "proj_1/role-api-project-viewer", "Search: viewer")
    assert found.held["group_1", "proj_1"][0] == PlaceRole("proj_1", "viewer", viewer)
    given = {"object": "group.role", "group": {"id": "group_1"}, "role": role("viewer", "role-of-the-answer")}
    others = listed(role("member", "x"), role("viewer", "role-of-the-answer"))
    with Remote(Answer(200, IN_PROJECT), listed(role("member", "x")), Answer(200, given)) as remote:
        connect(remote).grant_to_group("group_1", viewer)
        assert remote.asked[-1].body == {"role_id": "role-api-project-viewer"}
    with Remote(Answer(200, IN_PROJECT), others, Answer(200, {"deleted": True})) as remote:
        connect(remote).revoke_from_group("group_1", viewer)
        assert remote.targets[-1] == "DELETE /projects/proj_1/groups/group_1/roles/role-of-the-answer"


def test_what_a_group_only_inherits_is_not_its_own(connect):
    inherited = role("viewer", assignment_sources=[{"principal_id": "tenant_1", "principal_type": "tenant"}])
    with Remote(Answer(200, IN_PROJECT), listed(inherited)) as remote:
        assert connect(remote).group_holds("group_1", VIEWER) is False


@pytest.mark.parametrize(
    "answers",
    [
        (NOT_THERE, Answer(200, IN_PROJECT | {"group_id": "group_2"})),
        (NOT_THERE, Answer(200, IN_PROJECT | {"project_id": "proj_2"})),
        (
            Answer(200, IN_PROJECT),
            listed(),
            Answer(200, {"object": "group.role", "group": {"id": "group_1"}, "role": role("owner")}),
        ),
        (
            Answer(200, IN_PROJECT),
            listed(),
            Answer(200, {"object": "group.role", "group": {"id": "group_2"}, "role": role("viewer")}),
        ),
    ],
)
def test_an_answer_about_another_group_or_role_confirms_nothing(connect, answers):
    with Remote(*answers) as remote, pytest.raises(OutcomeUnknown, match="of something else"):
        connect(remote).grant_to_group("group_1", VIEWER)


def test_what_others_gave_or_took_in_the_same_moment_is_no_failure(connect):
    there = Answer(400, {"error": {"message": "Group 'group_1' already exists in project 'proj_1'."}})
    with Remote(NOT_THERE, there, Answer(200, IN_PROJECT), listed(role("viewer"))) as remote:
        assert connect(remote).grant_to_group("group_1", VIEWER) == Receipt(None)
    another = NOT_THERE, there, Answer(200, IN_PROJECT), listed(role("owner"))
    with Remote(*another) as remote, pytest.raises(ActionRejected, match="already exists"):
        connect(remote).grant_to_group("group_1", VIEWER)
    with Remote(Answer(200, IN_PROJECT), listed(role("viewer")), NOT_THERE) as remote:
        assert connect(remote).revoke_from_group("group_1", VIEWER) == Receipt(None)
