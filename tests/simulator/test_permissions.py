"""The ladder of admin keys: read-only, restricted to some families of endpoints, full."""

import re

import pytest
from openai import APIStatusError

from integrations.connectors.openai.simulator.endpoints import ENDPOINTS
from integrations.connectors.openai.simulator.permissions import missing_scope, scope_needed
from tests.simulator.conftest import connect


@pytest.fixture
def attempt(organization, simulator):
    """Tries each step with a key of these scopes; what is missing, by step."""

    def attempt(scopes, **steps):
        owner = organization.find_user("olivia@example.org")
        secret = organization.create_admin_key("Tried", owner.id, scopes=scopes).value
        found = {}
        with connect(simulator, secret) as client:
            for name, step in steps.items():
                found[name] = refusal(step, client.admin.organization)
        return found

    return attempt


def refusal(step, api) -> tuple[int, str] | None:
    try:
        step(api)
    except APIStatusError as error:
        match = re.search(r"Missing scopes: (\S+)\.$", error.body["message"])
        return error.status_code, match[1]
    return None


STEPS = {
    "reads_people": lambda api: api.users.list(),
    "reads_projects": lambda api: api.projects.list(),
    "reads_log": lambda api: api.audit_logs.list(),
    "invites": lambda api: api.invites.create(email="new@example.org", role="reader", projects=[]),
    "makes_group": lambda api: api.groups.create(name="Platform"),
}


def test_a_full_key_may_do_everything(attempt):
    assert set(attempt(None, **STEPS).values()) == {None}


def test_a_key_for_reading_reads_everything_and_writes_nothing(attempt):
    lacking = (403, "api.management.write")
    assert attempt(["api.management.read"], **STEPS) == {
        "reads_people": None,
        "reads_projects": None,
        "reads_log": None,
        "invites": lacking,
        "makes_group": lacking,
    }


def test_a_restricted_key_is_told_each_scope_that_it_lacks(attempt):
    assert attempt(["api.organization.users.read", "api.organization.invites.write"], **STEPS) == {
        "reads_people": None,
        "reads_projects": (403, "api.organization.projects.read"),
        "reads_log": (403, "api.organization.audit_logs.read"),
        "invites": None,
        "makes_group": (403, "api.organization.groups.write"),
    }


def test_openai_may_say_401_to_a_key_that_lacks_a_scope(organization, attempt):
    organization.behaviour.missing_scope_status = 401
    assert attempt([], reads_log=STEPS["reads_log"]) == {
        "reads_log": (401, "api.organization.audit_logs.read")
    }


def test_a_refused_key_changes_nothing_and_does_not_count_as_used(organization, attempt):
    attempt([], makes_group=STEPS["makes_group"])
    assert organization.groups == {}
    assert [key.last_used_at for key in organization.admin_keys.values()] == [None, None, None]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/organization/users/user-1/roles", "api.organization.roles.read"),
        ("POST", "/organization/groups/group_1/users", "api.organization.groups.write"),
        ("POST", "/projects/proj_1/users/user-1/roles", "api.organization.projects.roles.write"),
        ("DELETE", "/organization/projects/proj_1/users/user-1", "api.organization.projects.users.write"),
        ("GET", "/organization/projects/proj_1/api_keys", "api.organization.projects.api_keys.read"),
        ("POST", "/organization/projects/proj_1/archive", "api.organization.projects.write"),
    ],
)
def test_each_path_belongs_to_the_closest_family(method, path, scope):
    assert scope_needed(method, f"/v1{path}") == scope


def test_every_endpoint_belongs_to_a_family():
    for method, pattern, _ in ENDPOINTS:
        path = re.sub(r"\(\?P<\w+>\[\^/\]\+\)", "id", pattern.pattern)
        assert missing_scope([], scope_needed(method, path))
