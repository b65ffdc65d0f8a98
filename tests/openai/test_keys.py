"""Every key and every service account of an organization, as OpenAI lists them."""

from datetime import UTC, datetime

import pytest

from integrations.connectors.base import ReadIncomplete, RemoteUnreachable
from integrations.connectors.openai.entering import shortened
from integrations.connectors.openai.simulator import Fault, Kind

KEYS, ADMIN_KEYS = "/organization/projects/*/api_keys", "/organization/admin_api_keys"
ROBOTS = "/organization/projects/*/service_accounts"


@pytest.fixture
def search(organization):
    """A project with a person, her key, and a service account with a key of its own."""
    project = organization.add_project("Search")
    ada = organization.add_member("ada@example.org")
    organization.give_project(project.id, ada, "member")
    organization.add_project_key(project.id, ada.id, "laptop", life=86_400)
    robot = organization.add_service_account(project.id, "robot")
    organization.add_project_key(project.id, robot.id, "robot's")
    return project


def named(found):
    return {(key.kind, key.name): key for key in found.keys}


def test_keys_and_service_accounts_are_listed_with_whose_they_are(organization, connector, search):
    found = connector.fetch_keys([])

    assert (found.kinds, found.unread) == ({"project key", "admin key", "service account"}, ())
    keys, ada = named(found), organization.find_user("ada@example.org")
    laptop, robots, robot = (
        keys[one]
        for one in (
            ("project key", "laptop"),
            ("project key", "robot's"),
            ("service account", "robot"),
        )
    )
    assert (laptop.owner_id, laptop.owner_name, laptop.of_machine) == (ada.id, ada.name, False)
    assert (laptop.place, robot.place) == ("the project Search", "the project Search")
    assert laptop.made_at
    assert laptop.expires_at == datetime.fromtimestamp(laptop.made_at.timestamp() + 86_400, UTC)
    assert laptop.shown.startswith("sk-proj-…")
    assert (robots.owner_id, robots.owner_name, robots.of_machine) == (
        robot.id.partition("/")[2],
        "robot",
        True,
    )
    assert robot.unattended is False
    assert [key.is_ours for (kind, _), key in keys.items() if kind == "admin key"].count(True) == 1


def test_no_secret_is_among_what_is_read(organization, connector, search):
    secrets = [key.value for key in [*organization.project_keys.values(), *organization.admin_keys.values()]]
    found = repr(connector.fetch_keys([]))
    assert not [secret for secret in secrets if secret in found]


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ("sk-proj-abcdefgh...wxyz", "sk-proj-…wxyz"),
        ("sk-admin-****x1", "sk-admin-…x1"),
        ("sk-abc…def", "sk-…def"),
        ("sk-proj-" + "x" * 40, ""),
        ("", ""),
        ("sk-proj-abc...zzzzzzzzzzzzzzzzzzz1234", "sk-proj-…1234"),
    ],
)
def test_of_a_key_its_kind_and_its_last_four_characters_are_kept(shown, kept):
    assert shortened(shown) == kept


def test_a_name_that_is_a_key_is_not_kept(organization, connector, search):
    ada = organization.find_user("ada@example.org")
    made = organization.add_project_key(search.id, ada.id)
    made.name = made.value
    [name] = [key.name for key in connector.fetch_keys([]).keys if key.id == f"{search.id}/{made.id}"]
    assert name == "sk-…"


def test_a_service_account_among_owners_only_is_unattended(organization, connector, search):
    ada = organization.find_user("ada@example.org")
    organization.set_organization_role(ada.id, "owner")
    found = named(connector.fetch_keys([user.id for user in organization.users.values()]))
    assert found["service account", "robot"].unattended is True


def test_archived_projects_are_not_asked_and_rows_that_are_no_admin_keys_are_passed_over(
    organization, connector, simulator, search
):
    organization.archive_project(search.id)
    organization.behaviour.mislabels_project_keys = True
    keys = [key.kind for key in connector.fetch_keys([]).keys]
    assert not [asked.path for asked in simulator.requests if search.id in asked.path]
    assert keys.count("admin key") == len(organization.admin_keys)


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        (KEYS, "project key", "The keys of projects could not be looked for."),
        (ADMIN_KEYS, "admin key", "Admin keys could not be looked for."),
        (ROBOTS, "service account", "Service accounts could not be looked for."),
        ("/organization/projects/*/users", "service account", "Service accounts could not be looked for."),
    ],
)
def test_a_kind_that_may_not_be_read_is_said_and_none_of_it_is_known(
    organization, simulator, connector, search, path, kind, says
):
    simulator.inject(Fault(Kind.FORBIDDEN, path=path, nth=1))
    found = connector.fetch_keys([])
    assert [sentence.startswith(says) for sentence in found.unread] == [True]
    assert found.kinds == {"project key", "admin key", "service account"} - {kind}
    assert kind not in {key.kind for key in found.keys}


@pytest.mark.parametrize("path", [KEYS, ADMIN_KEYS, ROBOTS, "/organization/projects"])
@pytest.mark.parametrize("fault", [Kind.TRUNCATED, Kind.SERVER_ERROR])
def test_a_list_that_cannot_be_read_to_its_end_is_no_list(simulator, connector, search, path, fault):
    simulator.inject(Fault(fault, path=path, every=True))
    with pytest.raises((ReadIncomplete, RemoteUnreachable)):
        connector.fetch_keys([])
