"""What OpenAI refuses, and what happens by itself."""

from typing import Any

import pytest
from openai import BadRequestError, NotFoundError

from integrations.connectors.openai.simulator import Organization
from tests.simulator.conftest import DAY


@pytest.fixture
def api(client):
    return client.admin.organization


def refusal(call, *args, **kwargs) -> str:
    """The message of the 400 that this call gets."""
    with pytest.raises(BadRequestError) as refused:
        call(*args, **kwargs)
    body: Any = refused.value.body
    assert set(body) == {"message", "type", "param", "code"}
    assert body["type"] == "invalid_request_error"
    return str(body["message"])


def projects_of(organization, email):
    user = organization.find_user(email)
    return {
        organization.projects[held.project_id].name: held.role
        for held in organization.memberships.values()
        if held.user_id == user.id
    }


def test_an_invite_that_names_no_projects_grants_the_default_one(organization, api):
    api.invites.create(email="ada@example.org", role="reader")
    organization.accept_invite("ada@example.org")
    assert projects_of(organization, "ada@example.org") == {"Default project": "member"}


def test_an_invite_with_an_empty_list_of_projects_grants_none(organization, api):
    api.invites.create(email="ada@example.org", role="reader", projects=[])
    organization.accept_invite("ada@example.org")
    assert projects_of(organization, "ada@example.org") == {}


def test_an_accepted_invite_makes_a_member_with_its_role_and_projects(organization, api):
    search = organization.add_project("Search")
    grants = [{"id": search.id, "role": "owner"}]
    made = api.invites.create(email="ada.byron@example.org", role="reader", projects=grants)
    user = organization.accept_invite("ADA.byron@example.org")

    assert (user.email, user.name, user.role) == ("ada.byron@example.org", "Ada Byron", "reader")
    assert projects_of(organization, user.email) == {"Search": "owner"}
    accepted = api.invites.retrieve(made.id)
    assert (accepted.status, accepted.accepted_at) == ("accepted", 1_760_000_000)


def test_a_project_archived_before_acceptance_is_not_granted(organization, api):
    search = organization.add_project("Search")
    grants = [{"id": search.id, "role": "member"}]
    api.invites.create(email="ada@example.org", role="reader", projects=grants)
    api.projects.archive(search.id)
    organization.accept_invite("ada@example.org")
    assert projects_of(organization, "ada@example.org") == {}


def test_invites_are_accepted_by_themselves_where_the_organization_is_told_so(organization, clock, api):
    organization.accept_after = 60
    api.invites.create(email="ada@example.org", role="reader", projects=[])
    clock.now += 59
    assert [user.email for user in api.users.list()] == ["olivia@example.org"]
    clock.now += 1
    assert [user.email for user in api.users.list()] == ["olivia@example.org", "ada@example.org"]


def test_an_invite_expires_and_a_new_one_may_follow(organization, clock, api):
    first = api.invites.create(email="ada@example.org", role="reader", projects=[])
    clock.now += 7 * DAY
    assert api.invites.retrieve(first.id).status == "expired"
    with pytest.raises(Exception, match="may have expired"):
        organization.accept_invite("ada@example.org")
    api.invites.create(email="ada@example.org", role="owner", projects=[])
    assert [invite.status for invite in api.invites.list()] == ["expired", "pending"]
    assert organization.accept_invite("ada@example.org").role == "owner"


def test_a_second_invite_to_the_same_address_is_refused(api):
    api.invites.create(email="ada@example.org", role="reader", projects=[])
    message = refusal(api.invites.create, email="Ada@Example.org", role="reader", projects=[])
    assert message == "Ada@Example.org already has a pending invite to this organization."


def test_an_invite_to_a_member_is_refused(api):
    message = refusal(api.invites.create, email="Olivia@example.org", role="reader", projects=[])
    assert message == "Olivia@example.org is already a member of this organization."


def test_someone_removed_can_be_invited_again_and_comes_back_as_a_new_user(organization, api):
    organization.add_invite("ada@example.org")
    first = organization.accept_invite("ada@example.org")
    api.users.delete(first.id)
    api.invites.create(email="ada@example.org", role="reader", projects=[])
    assert organization.accept_invite("ada@example.org").id != first.id


def test_an_accepted_invite_cannot_be_deleted(organization, api):
    made = api.invites.create(email="ada@example.org", role="reader", projects=[])
    organization.accept_invite("ada@example.org")
    assert "already accepted" in refusal(api.invites.delete, made.id)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "nobody"}, "'nobody' is not a valid email address."),
        ({"role": "member"}, "Invalid role 'member'. Expected one of: owner, reader."),
        (
            {"projects": [{"id": "proj_none", "role": "member"}]},
            "Project 'proj_none' does not exist or is archived.",
        ),
        ({"projects": [{"id": "proj_none"}]}, "Invalid 'projects': expected an array of id and role."),
        ({"extra_body": {"group": "x"}}, "Unrecognized request argument supplied: group"),
        ({"extra_body": {"email": 7}}, "Invalid type for 'email': expected str."),
        ({"extra_body": {"email": None}}, "Missing required parameter: 'email'."),
    ],
)
def test_an_invite_that_makes_no_sense_is_refused_by_name(organization, api, fields, message):
    asked = {"email": "ada@example.org", "role": "reader", "projects": []} | fields
    assert refusal(api.invites.create, **asked) == message
    assert organization.invites == {}


def test_the_last_owner_can_be_neither_demoted_nor_removed(organization, api):
    olivia = organization.find_user("olivia@example.org")
    words = "The last owner of the organization cannot be removed or demoted."
    assert refusal(api.users.update, olivia.id, role="reader") == words
    assert refusal(api.users.delete, olivia.id) == words
    organization.add_member("otto@example.org", "owner")
    assert api.users.update(olivia.id, role="reader").role == "reader"


def test_removing_a_member_takes_their_projects_and_groups(organization, api):
    ada, group = organization.add_member("ada@example.org"), organization.add_group("Platform")
    search = organization.add_project("Search")
    organization.add_to_project("Search", "ada@example.org")
    organization.add_to_group(group.id, ada.id)
    api.users.delete(ada.id)
    assert [row.email for row in api.projects.users.list(search.id)] == ["olivia@example.org"]
    assert list(api.groups.users.list(group.id)) == []
    assert organization.memberships == {}


def test_owners_are_in_every_project_and_stay_there(organization, api):
    olivia, search = organization.find_user("olivia@example.org"), organization.add_project("Search")
    listed = [(row.email, row.role) for row in api.projects.users.list(search.id)]
    assert listed == [("olivia@example.org", "owner")]
    words = "Owners of the organization are owners of all its projects."
    users = api.projects.users
    assert refusal(users.update, olivia.id, project_id=search.id, role="member") == words
    assert refusal(users.delete, olivia.id, project_id=search.id) == words
    assert "already exists in project" in refusal(users.create, search.id, user_id=olivia.id, role="member")


def test_a_demoted_owner_keeps_only_what_was_granted(organization, api):
    otto = organization.add_member("otto@example.org", "owner")
    search, support = organization.add_project("Search"), organization.add_project("Support")
    organization.add_to_project("Search", "otto@example.org")
    api.users.update(otto.id, role="reader")
    assert api.projects.users.retrieve(otto.id, project_id=search.id).role == "member"
    with pytest.raises(NotFoundError):
        api.projects.users.retrieve(otto.id, project_id=support.id)


def test_the_default_project_is_left_alone(organization, api):
    ada = organization.add_member("ada@example.org")
    organization.add_to_project("Default project", "ada@example.org")
    default = organization.default_project.id
    words = "The default project cannot be modified, archived or given members directly."
    users = api.projects.users
    assert refusal(api.projects.update, default, name="Mine") == words
    assert refusal(api.projects.archive, default) == words
    assert refusal(users.create, default, user_id=ada.id, role="member") == words
    assert refusal(users.delete, ada.id, project_id=default) == words
    assert [row.email for row in users.list(default)] == ["olivia@example.org", "ada@example.org"]


def test_an_archived_project_is_closed(organization, api):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    organization.add_to_project("Search", "ada@example.org")
    api.projects.archive(search.id)
    words, users = f"Project '{search.id}' is archived.", api.projects.users
    assert refusal(users.list, search.id) == words
    assert refusal(users.create, search.id, user_id=ada.id, role="member") == words
    assert refusal(api.projects.service_accounts.list, search.id) == words
    assert refusal(api.projects.update, search.id, name="Again") == words


def test_adding_twice_and_removing_a_stranger_are_refused_in_openais_words(organization, api):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    users = api.projects.users
    users.create(search.id, user_id=ada.id, role="member")
    assert refusal(users.create, search.id, user_id=ada.id, role="owner") == (
        f"User '{ada.id}' already exists in project '{search.id}'."
    )
    users.delete(ada.id, project_id=search.id)
    assert refusal(users.delete, ada.id, project_id=search.id) == (
        f"User '{ada.id}' is not a member of project '{search.id}'."
    )


def test_only_members_of_the_organization_get_into_a_project(organization, api):
    search = organization.add_project("Search")
    for who in ({"user_id": "user-none"}, {"email": "stranger@example.org"}):
        with pytest.raises(NotFoundError):
            api.projects.users.create(search.id, role="member", **who)
    assert "exactly one" in refusal(api.projects.users.create, search.id, role="member")
    olivia = {"user_id": "user-1", "email": "olivia@example.org"}
    assert "exactly one" in refusal(api.projects.users.create, search.id, role="member", **olivia)


def test_unknown_roles_are_refused_everywhere(organization, api):
    ada, search = organization.add_member("ada@example.org"), organization.add_project("Search")
    words = "Invalid role 'emperor'. Expected one of: "
    users = api.projects.users
    assert refusal(api.users.update, ada.id, role="emperor") == f"{words}owner, reader."
    assert refusal(users.create, search.id, user_id=ada.id, role="emperor") == (
        f"{words}owner, member, viewer."
    )


def test_members_and_groups_of_the_identity_provider_are_not_changed_here(organization, api):
    ada = organization.add_member("ada@example.org", is_scim_managed=True)
    group = organization.add_group("Everyone", is_scim_managed=True)
    assert "managed through SCIM" in refusal(api.users.delete, ada.id)
    assert "managed through SCIM" in refusal(api.users.update, ada.id, role="owner")
    assert "identity provider" in refusal(api.groups.users.create, group.id, user_id=ada.id)
    assert "identity provider" in refusal(api.groups.delete, group.id)


def test_a_group_takes_each_member_once_and_misses_nobody_unknown(organization, api):
    ada, group = organization.add_member("ada@example.org"), organization.add_group("Platform")
    with pytest.raises(NotFoundError):
        api.groups.users.delete(ada.id, group_id=group.id)
    api.groups.users.create(group.id, user_id=ada.id)
    assert "already exists in group" in refusal(api.groups.users.create, group.id, user_id=ada.id)
    assert "1 to 255" in refusal(api.groups.create, name="x" * 256)


def test_predefined_roles_are_neither_changed_nor_taken(organization, api):
    ada = organization.add_member("ada@example.org")
    reader = next(role for role in api.roles.list() if role.name == "reader")
    assert "predefined" in refusal(api.roles.delete, reader.id)
    assert "predefined" in refusal(api.users.roles.delete, reader.id, user_id=ada.id)


def test_an_organization_has_at_least_its_owner():
    with pytest.raises(ValueError, match="it has an owner"):
        Organization.seeded(people=0, projects=1)
