"""The official SDK finds everything it knows of an organization."""

import pytest
from openai import NotFoundError, OpenAI

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.simulator.conftest import connect


def emails(rows):
    return [row.email for row in rows]


def test_a_member_is_listed_shown_promoted_and_removed(organization, client):
    ada = organization.add_member("ada@example.org", name="Ada Byron")
    users = client.admin.organization.users

    assert emails(users.list()) == ["olivia@example.org", "ada@example.org"]
    shown = users.retrieve(ada.id)
    assert (shown.name, shown.role, shown.added_at) == ("Ada Byron", "reader", 1_760_000_000)
    assert users.update(ada.id, role="owner").role == "owner"
    deleted = users.delete(ada.id)
    assert (deleted.object, deleted.id, deleted.deleted) == ("organization.user.deleted", ada.id, True)
    assert emails(users.list()) == ["olivia@example.org"]
    with pytest.raises(NotFoundError):
        users.retrieve(ada.id)


def test_members_are_found_by_address_without_regard_to_case(organization, client):
    for name in ("ada", "grace", "mary"):
        organization.add_member(f"{name}@example.org")
    found = client.admin.organization.users.list(emails=["GRACE@example.org", "mary@example.org"])
    assert emails(found) == ["grace@example.org", "mary@example.org"]


def test_what_is_written_about_a_member_is_kept(organization, client):
    ada = organization.add_member("ada@example.org")
    client.admin.organization.users.update(ada.id, technical_level="high", developer_persona="builder")
    shown = client.admin.organization.users.retrieve(ada.id)
    assert (shown.technical_level, shown.developer_persona, shown.role) == ("high", "builder", "reader")


def test_an_invite_is_made_listed_shown_and_withdrawn(organization, client):
    search = organization.add_project("Search")
    invites = client.admin.organization.invites
    made = invites.create(
        email="grace@example.org", role="reader", projects=[{"id": search.id, "role": "member"}]
    )
    assert (made.status, made.created_at, made.accepted_at) == ("pending", 1_760_000_000, None)
    assert [(grant.id, grant.role) for grant in made.projects] == [(search.id, "member")]
    assert emails(invites.list()) == ["grace@example.org"]
    assert invites.retrieve(made.id) == made
    assert invites.delete(made.id).deleted
    assert emails(invites.list()) == []
    with pytest.raises(NotFoundError):
        invites.delete(made.id)


def test_a_project_is_made_renamed_and_archived(client):
    projects = client.admin.organization.projects
    made = projects.create(name="Search")
    assert projects.update(made.id, name="Search engine").name == "Search engine"
    archived = projects.archive(made.id)
    assert (archived.status, archived.archived_at) == ("archived", 1_760_000_000)
    assert [project.name for project in projects.list()] == ["Default project"]
    assert [p.name for p in projects.list(include_archived=True)] == ["Default project", "Search engine"]
    assert projects.retrieve(made.id) == archived


def test_a_member_joins_changes_and_leaves_a_project(organization, client):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    grace = organization.add_member("grace@example.org")
    users = client.admin.organization.projects.users

    assert users.create(search.id, user_id=ada.id, role="member").role == "member"
    assert users.create(search.id, email="Grace@example.org", role="owner").id == grace.id
    assert users.update(ada.id, project_id=search.id, role="owner").role == "owner"
    assert users.retrieve(ada.id, project_id=search.id).email == "ada@example.org"
    assert users.delete(grace.id, project_id=search.id).deleted
    assert emails(users.list(search.id)) == ["olivia@example.org", "ada@example.org"]


def test_service_accounts_hold_keys_and_take_them_along(organization, client):
    search = organization.add_project("Search")
    accounts = client.admin.organization.projects.service_accounts
    keys = client.admin.organization.projects.api_keys

    ci = accounts.create(search.id, name="ci")
    bare = accounts.create(search.id, name="bare", create_service_account_only=True)
    assert ci.api_key.value.startswith("sk-svcacct-")
    assert (bare.role, bare.api_key) == ("none", None)
    assert [account.name for account in accounts.list(search.id)] == ["ci", "bare"]
    assert accounts.retrieve(ci.id, project_id=search.id).role == "member"
    assert [key.owner.service_account.name for key in keys.list(search.id)] == ["ci"]
    assert accounts.delete(ci.id, project_id=search.id).deleted
    assert list(keys.list(search.id)) == []


def test_a_key_of_someone_who_left_is_hidden_until_asked_for(organization, client):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    organization.add_to_project("Search", "ada@example.org")
    key = organization.add_project_key(search.id, ada.id, name="laptop")
    keys = client.admin.organization.projects.api_keys

    assert [row.owner_project_access for row in keys.list(search.id)] == ["active"]
    client.admin.organization.users.delete(ada.id)
    assert list(keys.list(search.id)) == []
    for asked in ("any", "inactive"):
        assert [row.id for row in keys.list(search.id, owner_project_access=asked)] == [key.id]
    left = keys.retrieve(key.id, project_id=search.id)
    assert (left.owner_project_access, left.owner.user.email) == ("inactive", "ada@example.org")
    assert keys.delete(key.id, project_id=search.id).deleted


def test_an_admin_key_is_made_used_and_revoked(client, simulator):
    keys = client.admin.organization.admin_api_keys
    made = keys.create(name="second", expires_in_seconds=3600)
    assert (made.owner.role, made.expires_at) == ("owner", 1_760_003_600)
    with connect(simulator, made.value) as other:
        assert [key.name for key in other.admin.organization.admin_api_keys.list()] == [
            "Provisioning",
            "Reporting",
            "second",
        ]
    shown = keys.retrieve(made.id)
    assert (shown.name, shown.last_used_at) == ("second", 1_760_000_000)
    assert made.value not in shown.to_json()
    assert keys.delete(made.id).deleted


def test_admin_keys_are_listed_newest_first_when_asked(client):
    keys = client.admin.organization.admin_api_keys
    assert [key.name for key in keys.list(order="desc", limit=1)] == ["Reporting", "Provisioning"]


def test_a_group_is_made_filled_emptied_and_deleted(organization, client):
    ada, grace = (organization.add_member(f"{name}@example.org") for name in ("ada", "grace"))
    groups = client.admin.organization.groups
    made = groups.create(name="Platform")
    for user in (ada, grace):
        groups.users.create(made.id, user_id=user.id)

    assert groups.update(made.id, name="Platform team").name == "Platform team"
    assert [group.name for group in groups.list()] == ["Platform team"]
    assert emails(groups.users.list(made.id)) == ["grace@example.org", "ada@example.org"]
    assert emails(groups.users.list(made.id, order="asc")) == ["ada@example.org", "grace@example.org"]
    assert groups.users.retrieve(ada.id, group_id=made.id).is_service_account is False
    assert groups.users.delete(ada.id, group_id=made.id).deleted
    assert emails(groups.users.list(made.id)) == ["grace@example.org"]
    assert groups.delete(made.id).deleted
    with pytest.raises(NotFoundError):
        groups.retrieve(made.id)


def test_a_role_is_made_given_taken_and_deleted(organization, client):
    ada = organization.add_member("ada@example.org")
    roles, held = client.admin.organization.roles, client.admin.organization.users.roles
    auditor = roles.create(role_name="Auditor", permissions=["api.organization.read"])

    assert roles.update(auditor.id, description="Looks").description == "Looks"
    assert roles.retrieve(auditor.id).permissions == ["api.organization.read"]
    assert [role.name for role in roles.list()] == ["owner", "reader", "Auditor"]
    assert held.create(ada.id, role_id=auditor.id).role.name == "Auditor"
    assert [role.name for role in held.list(ada.id)] == ["reader", "Auditor"]
    assert held.retrieve(auditor.id, user_id=ada.id).name == "Auditor"
    assert held.delete(auditor.id, user_id=ada.id).deleted
    assert [role.name for role in held.list(ada.id)] == ["reader"]
    held.create(ada.id, role_id=auditor.id)
    assert roles.delete(auditor.id).deleted
    assert [role.name for role in held.list(ada.id)] == ["reader"]


def test_a_predefined_role_given_by_id_is_the_role_by_name(organization, client):
    ada = organization.add_member("ada@example.org")
    owner = next(role for role in client.admin.organization.roles.list() if role.name == "owner")
    assert client.admin.organization.users.update(ada.id, role_id=owner.id).role == "owner"


def test_a_seed_gives_the_same_organization_again_but_never_the_same_keys():
    first, second = (Organization.seeded(people=120, projects=4, seed=7) for _ in range(2))
    other = Organization.seeded(people=120, projects=4, seed=8)

    def members(organization):
        return [(user.id, user.name, user.email, user.role) for user in organization.users.values()]

    assert members(first) == members(second) != members(other)
    assert list(first.memberships) == list(second.memberships)
    assert first.admin_key != second.admin_key
    assert len({user.email for user in first.users.values()}) == 120
    assert [project.name for project in first.projects.values()] == [
        "Default project",
        "Search",
        "Assistants",
        "Billing",
        "Evaluation",
    ]


def test_a_stopped_simulator_talks_to_nobody_and_starts_again_where_it_was(organization):
    with Simulator(organization) as simulator:
        address = simulator.base_url
        client: OpenAI = connect(simulator)
        assert emails(client.admin.organization.users.list()) == ["olivia@example.org"]
    with pytest.raises(Exception, match="Connection error"):
        client.admin.organization.users.list()
    with simulator:
        assert simulator.base_url == address
        assert emails(client.admin.organization.users.list()) == ["olivia@example.org"]
