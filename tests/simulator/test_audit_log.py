"""The audit log tells who changed what, over the API or in the console, to whoever asks for some of it."""

import pytest
from openai import BadRequestError, PermissionDeniedError

from integrations.connectors.openai.simulator import Organization


@pytest.fixture
def api(client):
    return client.admin.organization


@pytest.fixture
def mei(organization):
    return organization.add_member("mei@example.org", "owner")


def types(events) -> list[str]:
    return [event.type for event in events]


def test_building_an_organization_by_hand_is_not_logged(organization, api):
    organization.add_member("ada@example.org")
    organization.add_project("Search")
    assert list(api.audit_logs.list()) == []


def test_what_is_done_over_the_api_is_the_keys_and_in_the_default_project(organization, api):
    made = api.invites.create(email="ada@example.org", role="reader", projects=[])
    [event] = api.audit_logs.list()
    key = next(iter(organization.admin_keys.values()))
    assert (event.type, event.effective_at, event.project.id) == (
        "invite.sent",
        1_760_000_000,
        organization.default_project.id,
    )
    assert (event.invite_sent.id, event.invite_sent.data.email) == (made.id, "ada@example.org")
    assert (event.actor.type, event.actor.api_key.id) == ("api_key", key.tracking_id)
    assert event.actor.api_key.user.email == "olivia@example.org"


def test_what_is_done_in_the_console_is_the_persons_and_in_the_project_itself(organization, api, mei):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    with organization.console("mei@example.org"):
        organization.set_organization_role(ada.id, "owner")
        organization.set_organization_role(ada.id, "reader")
        organization.give_project(search.id, ada, "member")
    added, *updates = api.audit_logs.list()
    assert types([added, *updates]) == ["user.added", "user.updated", "user.updated"]
    assert (added.user_added.id, added.project.name, updates[0].project) == (ada.id, "Search", None)
    assert updates[1].user_updated.changes_requested.role == "owner"
    for event in (added, *updates):
        assert (event.actor.type, event.actor.session.user.email) == ("session", "mei@example.org")


def test_an_acceptance_is_the_invited_persons(organization, api):
    api.invites.create(email="ada@example.org", role="reader", projects=[])
    ada = organization.accept_invite("ada@example.org")
    added, accepted, _ = api.audit_logs.list()
    assert types([added, accepted]) == ["user.added", "invite.accepted"]
    assert added.actor.session.user.id == accepted.actor.session.user.id == ada.id


def test_someone_may_accept_under_another_address(organization, api):
    made = api.invites.create(email="ada@example.org", role="reader", projects=[])
    ada = organization.accept_invite("ada@example.org", under="ada@home.example")
    assert [user.email for user in api.users.list()] == ["olivia@example.org", "ada@home.example"]
    assert api.invites.retrieve(made.id).status == "accepted"
    [event] = api.audit_logs.list(event_types=["invite.accepted"])
    assert (event.actor.session.user.email, event.invite_accepted.id) == ("ada@home.example", made.id)
    assert ada.name == "Ada"


def test_each_kind_of_change_has_its_event(organization, api):
    ada = organization.add_member("ada@example.org")
    search = api.projects.create(name="Search")
    group = api.groups.create(name="Platform")
    api.projects.groups.create(search.id, group_id=group.id, role="role-api-project-member")
    api.projects.groups.delete(group.id, project_id=search.id)
    role = api.roles.create(role_name="Auditor", permissions=["a", "b"])
    api.roles.update(role.id, permissions=["b", "c"])
    api.users.roles.create(ada.id, role_id=role.id)
    api.users.roles.delete(role.id, user_id=ada.id)
    account = api.projects.service_accounts.create(search.id, name="ci")
    api.projects.api_keys.delete(account.api_key.id, project_id=search.id)
    api.projects.service_accounts.delete(account.id, project_id=search.id)
    api.groups.delete(group.id)
    api.projects.archive(search.id)
    api.users.update(ada.id, technical_level="high")
    api.users.delete(ada.id)
    events = list(api.audit_logs.list(limit=100))[::-1]
    assert types(events) == [
        "project.created",
        "group.created",
        "role.assignment.created",
        "role.assignment.deleted",
        "role.created",
        "role.updated",
        "role.assignment.created",
        "role.assignment.deleted",
        "service_account.created",
        "api_key.created",
        "api_key.deleted",
        "service_account.deleted",
        "group.deleted",
        "project.archived",
        "user.updated",
        "user.deleted",
    ]
    given, taken = events[2].role_assignment_created, events[3].role_assignment_deleted
    assert given.id == taken.id
    assert (given.principal_id, given.principal_type, given.resource_id, given.resource_type) == (
        group.id,
        "group",
        search.id,
        "api.project",
    )
    changes = events[5].role_updated.changes_requested
    assert (changes.permissions_added, changes.permissions_removed) == (["c"], ["a"])
    assert events[6].role_assignment_created.resource_id == organization.id


def test_a_refused_change_is_no_event(organization, api):
    olivia = organization.find_user("olivia@example.org")
    with pytest.raises(BadRequestError):
        api.users.delete(olivia.id)
    assert list(api.audit_logs.list()) == []


def test_events_of_the_tenant_are_listed_apart(organization, api):
    ada = organization.add_member("ada@example.org")
    group = api.groups.create(name="Platform")
    api.groups.users.create(group.id, user_id=ada.id)
    made = api.admin_api_keys.create(name="second")
    api.admin_api_keys.delete(made.id)
    assert types(api.audit_logs.list()) == ["group.created"]
    assert types(api.audit_logs.list(tenant_only=True)) == [
        "tenant.admin_api_key.deleted",
        "tenant.admin_api_key.created",
        "tenant.group.member.added",
    ]
    with pytest.raises(BadRequestError, match=r"group\.created"):
        api.audit_logs.list(tenant_only=True, event_types=["group.created"])


@pytest.fixture
def story(organization, api, mei, clock):
    """Three changes, a second apart: one by the key, two by Mei."""
    api.groups.create(name="Platform")
    with organization.console("mei@example.org"):
        clock.now += 1
        search = organization.add_project("Search")
        clock.now += 1
        organization.change_project(search.id, "Search engine", None)
    return search


def test_events_are_found_by_each_filter_and_by_several(organization, api, mei, story):
    def found(**filters):
        return types(api.audit_logs.list(**filters))

    start = 1_760_000_000
    assert found() == ["project.updated", "project.created", "group.created"]
    assert found(effective_at={"gt": start}) == ["project.updated", "project.created"]
    assert found(effective_at={"gte": start + 1, "lt": start + 2}) == ["project.created"]
    assert found(effective_at={"lte": start}) == ["group.created"]
    assert found(event_types=["group.created", "project.updated"]) == ["project.updated", "group.created"]
    assert found(actor_emails=["Mei@Example.org"]) == ["project.updated", "project.created"]
    assert found(actor_ids=[mei.id]) == ["project.updated", "project.created"]
    key = next(iter(organization.admin_keys.values()))
    assert found(actor_ids=[key.tracking_id]) == ["group.created"]
    assert found(project_ids=[story.id]) == ["project.updated", "project.created"]
    assert found(project_ids=[organization.default_project.id]) == ["group.created"]
    assert found(resource_ids=[story.id], effective_at={"lt": start + 2}) == ["project.created"]
    assert found(resource_ids=["proj_none"]) == []


def test_the_log_is_paged_forth_and_back(api, story):
    newest, middle, oldest = api.audit_logs.list(limit=1)
    assert types([newest, middle, oldest]) == ["project.updated", "project.created", "group.created"]
    back = api.audit_logs.list(before=oldest.id, limit=1)
    assert (types(back.data), back.has_more) == (["project.created"], True)
    first = api.audit_logs.list(before=middle.id)
    assert (types(first.data), first.has_more) == (["project.updated"], False)


def test_where_the_log_is_off_nothing_is_kept_and_nothing_shown(organization, api):
    organization.behaviour.audit_logging = False
    api.groups.create(name="Platform")
    with pytest.raises(PermissionDeniedError, match="Audit logging is not enabled"):
        api.audit_logs.list()
    organization.behaviour.audit_logging = True
    api.groups.create(name="Search")
    assert len(list(api.audit_logs.list())) == 1


def test_the_log_outlives_a_restart(organization, api, story):
    restarted = Organization.load(organization.dump())
    assert [event.shown() for event in restarted.events.values()] == [
        event.shown() for event in organization.events.values()
    ]
