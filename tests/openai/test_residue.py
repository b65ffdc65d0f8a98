"""What somebody leaves behind, as OpenAI lists it."""

import pytest

from integrations.connectors.base import Key, ReadIncomplete, Unattended
from integrations.connectors.openai.simulator import Fault, Kind


@pytest.fixture
def leaver(organization):
    return organization.add_member("ada@example.org", "owner")


def test_keys_are_found_in_every_project_even_after_the_owner_lost_it(organization, connector, leaver):
    search, archived = organization.add_project("Search"), organization.add_project("Old")
    default = organization.find_project("Default project")
    kept = [
        organization.add_project_key(project.id, leaver.id, f"in {project.name}")
        for project in (default, search)
    ]
    organization.add_project_key(search.id, organization.add_member("alan@example.org").id, "somebody else's")
    organization.add_project_key(archived.id, leaver.id, "in Old")
    organization.archive_project(archived.id)

    found = connector.fetch_keys([]).left_by([leaver.id])

    assert [(key.id, key.name, key.place) for key in found.keys] == [
        (f"{key.project_id}/{key.id}", key.name, f"the project {name}")
        for key, name in zip(kept, ("Default project", "Search"), strict=True)
    ]
    assert {key.owner_id for key in found.keys} == {leaver.id}


def test_admin_keys_are_found_but_never_the_one_in_use(organization, connector, leaver):
    theirs = organization.create_admin_key("Reports", leaver.id)
    founder = organization.owner_of(organization.admin_key)

    [key] = connector.fetch_keys([]).left_by([leaver.id, founder]).keys[-1:]

    assert (key.kind, key.id, key.name) == ("admin key", theirs.id, "Reports")
    assert connector.fetch_key(theirs.id) == key
    assert connector.revoke_key(theirs.id).request_id
    assert connector.fetch_key(theirs.id) is None
    assert connector.revoke_key(theirs.id).request_id  # gone already
    assert organization.owner_of(organization.admin_key) == founder


def test_one_key_is_looked_at_and_revoked_in_its_project(organization, connector, leaver):
    search = organization.add_project("Search")
    made = organization.add_project_key(search.id, leaver.id, "laptop")
    key_id = f"{search.id}/{made.id}"

    assert isinstance(connector.fetch_key(key_id), Key)
    connector.revoke_key(key_id)

    assert connector.fetch_key(key_id) is None
    assert made.id not in organization.project_keys


def test_a_project_with_service_accounts_and_nobody_but_owners_is_unattended(organization, connector, leaver):
    alone, attended = organization.add_project("Alone"), organization.add_project("Attended")
    for project in (alone, attended):
        organization.add_service_account(project.id, "robot")
    organization.give_project(attended.id, organization.add_member("alan@example.org"), "member")
    owners = [user.id for user in organization.users.values() if user.is_owner]

    found = connector.fetch_keys(owners).left_by([leaver.id])

    assert found.unattended == (Unattended("the project Alone", ("robot",)),)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/organization/projects/*/api_keys", "The keys of projects could not be looked for."),
        ("/organization/admin_api_keys", "Admin keys could not be looked for."),
        ("/organization/projects/*/service_accounts", "Service accounts could not be looked for."),
    ],
)
def test_what_the_key_may_not_read_is_said_and_the_rest_is_found(
    organization, simulator, connector, leaver, path, says
):
    search = organization.add_project("Search")
    organization.add_project_key(search.id, leaver.id, "laptop")
    organization.create_admin_key("Reports", leaver.id)
    simulator.inject(Fault(Kind.FORBIDDEN, path=path, every=True))

    found = connector.fetch_keys([]).left_by([leaver.id])

    assert [sentence.startswith(says) for sentence in found.unread] == [True]
    assert len(found.keys) == (2 if "Service" in says else 1)


def test_a_list_that_makes_no_sense_shows_nothing(organization, simulator, connector, leaver):
    simulator.inject(Fault(Kind.TRUNCATED, path="/organization/projects/*/api_keys"))
    with pytest.raises(ReadIncomplete):
        connector.fetch_keys([]).left_by([leaver.id])
