"""Every request that the connector can send is one that OpenAI's own description of its API knows.

The description is no part of this project. tests/simulator/test_contract.py holds the simulator to it.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

from integrations.connectors.base import AccountState, ActionRejected, Entitlement, Grant
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Organization, Recorded, Simulator

SPEC = Path(
    os.environ.get("OPENAI_ADMIN_SPEC")
    or Path(__file__).parents[3] / "shared" / "facts" / "openai-admin.openapi.yaml"
)
pytestmark = pytest.mark.skipif(
    not SPEC.is_file(), reason=f"OpenAI's API description is not at {SPEC}; name it in OPENAI_ADMIN_SPEC."
)
PROJECT_KEYS = "/organization/projects/{project_id}/api_keys"
PROJECT_USERS = "/organization/projects/{project_id}/users"
PROJECT_ROLES = "/projects/{project_id}/roles"
PROJECT_USER_ROLES = "/projects/{project_id}/users/{user_id}/roles"
PROJECT_GROUPS = "/organization/projects/{project_id}/groups"
PROJECT_GROUP_ROLES = "/projects/{project_id}/groups/{group_id}/roles"
USER_ROLES = "/organization/users/{user_id}/roles"
GROUP_USERS = "/organization/groups/{group_id}/users"
OPERATIONS = {
    "list_users": ("GET", "/organization/users"),
    "retrieve_user": ("GET", "/organization/users/{user_id}"),
    "modify_user": ("POST", "/organization/users/{user_id}"),
    "delete_user": ("DELETE", "/organization/users/{user_id}"),
    "list_invites": ("GET", "/organization/invites"),
    "retrieve_invite": ("GET", "/organization/invites/{invite_id}"),
    "create_invite": ("POST", "/organization/invites"),
    "delete_invite": ("DELETE", "/organization/invites/{invite_id}"),
    "list_projects": ("GET", "/organization/projects"),
    "create_project": ("POST", "/organization/projects"),
    "create_group": ("POST", "/organization/groups"),
    "list_project_users": ("GET", PROJECT_USERS),
    "retrieve_project_user": ("GET", PROJECT_USERS + "/{user_id}"),
    "create_project_user": ("POST", PROJECT_USERS),
    "modify_project_user": ("POST", PROJECT_USERS + "/{user_id}"),
    "delete_project_user": ("DELETE", PROJECT_USERS + "/{user_id}"),
    "list_project_keys": ("GET", PROJECT_KEYS),
    "retrieve_project_key": ("GET", PROJECT_KEYS + "/{api_key_id}"),
    "delete_project_key": ("DELETE", PROJECT_KEYS + "/{api_key_id}"),
    "list_service_accounts": ("GET", "/organization/projects/{project_id}/service_accounts"),
    "list_groups": ("GET", "/organization/groups"),
    "list_group_users": ("GET", GROUP_USERS),
    "retrieve_group_user": ("GET", GROUP_USERS + "/{user_id}"),
    "create_group_user": ("POST", GROUP_USERS),
    "delete_group_user": ("DELETE", GROUP_USERS + "/{user_id}"),
    "list_roles": ("GET", "/organization/roles"),
    "list_user_roles": ("GET", USER_ROLES),
    "retrieve_user_role": ("GET", USER_ROLES + "/{role_id}"),
    "create_user_role": ("POST", USER_ROLES),
    "delete_user_role": ("DELETE", USER_ROLES + "/{role_id}"),
    "list_project_roles": ("GET", PROJECT_ROLES),
    "list_project_user_roles": ("GET", PROJECT_USER_ROLES),
    "retrieve_project_user_role": ("GET", PROJECT_USER_ROLES + "/{role_id}"),
    "create_project_user_role": ("POST", PROJECT_USER_ROLES),
    "delete_project_user_role": ("DELETE", PROJECT_USER_ROLES + "/{role_id}"),
    "list_project_groups": ("GET", PROJECT_GROUPS),
    "retrieve_project_group": ("GET", PROJECT_GROUPS + "/{group_id}"),
    "create_project_group": ("POST", PROJECT_GROUPS),
    "delete_project_group": ("DELETE", PROJECT_GROUPS + "/{group_id}"),
    "list_project_group_roles": ("GET", PROJECT_GROUP_ROLES),
    "create_project_group_role": ("POST", PROJECT_GROUP_ROLES),
    "delete_project_group_role": ("DELETE", PROJECT_GROUP_ROLES + "/{role_id}"),
    "list_admin_keys": ("GET", "/organization/admin_api_keys"),
    "retrieve_admin_key": ("GET", "/organization/admin_api_keys/{key_id}"),
    "create_admin_key": ("POST", "/organization/admin_api_keys"),
    "delete_admin_key": ("DELETE", "/organization/admin_api_keys/{key_id}"),
    "list_audit_logs": ("GET", "/organization/audit_logs"),
}
"""What each method of the client calls."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description, with every object closed: a field that it does not name is not allowed."""
    found = yaml.safe_load(SPEC.read_text("utf-8"))
    for schema in _objects(found["components"]["schemas"]):
        schema.setdefault("additionalProperties", False)
    return dict(found)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


@pytest.fixture(scope="module")
def description(document: Mapping[str, Any]) -> OpenAPI:
    return OpenAPI.from_dict(document)


def operation(document: Mapping[str, Any], asked: Recorded) -> tuple[str, str]:
    """The method and path, as the description writes it."""
    for path in sorted(document["paths"], key=lambda path: path.count("{")):
        pattern = "/v1" + re.sub(r"\{\w+\}", "[^/]+", path)
        if asked.method.lower() in document["paths"][path] and re.fullmatch(pattern, asked.path):
            return asked.method, path
    raise AssertionError(f"OpenAI describes no {asked.method} {asked.path}.")


def check(document: Mapping[str, Any], description: OpenAPI, asked: Recorded) -> None:
    method, path = operation(document, asked)
    described = document["paths"][path]
    parameters = described.get("parameters", []) + described[method.lower()].get("parameters", [])
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    sent = {re.sub(r"\[\w+\]$", "", name) for name in asked.query}
    assert sent <= known, f"{method} {path} has no parameter {sent - known}."
    once = [values for name, values in asked.query.items() if not name.endswith("[]")]
    assert all(len(values) == 1 for values in once), "A parameter is sent twice."
    if asked.body is None:
        assert "requestBody" not in described[method.lower()], f"{method} {path} needs a body."
    else:
        assert "requestBody" in described[method.lower()], f"{method} {path} takes no body."
    request = MockRequest(
        "https://api.openai.com",
        asked.method,
        asked.path,
        args={name: values if name.endswith("[]") else values[0] for name, values in asked.query.items()},
        headers={"Authorization": "Bearer of an admin key"},
        data=None if asked.body is None else json.dumps(asked.body).encode(),
    )
    description.validate_request(request)


@pytest.fixture
def everything_asked(time) -> list[Recorded]:
    """All requests of a connector that does all it can, in an organization of several pages."""
    organization = Organization.seeded(250, 2)
    search, platform = organization.find_project("Search"), organization.add_group("Platform")
    for user in list(organization.users.values())[:150]:
        organization.add_to_group(platform.id, user.id)
        organization.add_to_project(search.id, user.id)
    for number in range(120):
        organization.add_invite(f"invited.{number}@example.org")
        organization.add_project(f"Project {number}")
        group = organization.add_group(f"Group {number}")
        organization.add_group_to_project(search.id, group.id, "role-api-project-member")
    ada = organization.add_member("ada@example.org")
    organization.add_to_project(search.id, ada.id)
    for number in range(120):
        organization.add_service_account(search.id, f"Robot {number}")
        organization.add_project_key(search.id, ada.id, f"Key {number}")
        role = organization.add_role(f"Role {number}", [], project_id=search.id)
        organization.memberships[f"{search.id}/{ada.id}"].role_ids.append(role.id)
        organization.project_groups[f"{search.id}/{group.id}"].role_ids.append(role.id)
        organization.assign_role(ada.id, organization.add_role(f"Role {number}", []).id)
    organization.create_admin_key("Hers", ada.id)
    with organization.console(ada.id):
        for number in range(120):
            organization.add_member(f"added.{number}@example.org")
    with Simulator(organization) as simulator:
        connector = OpenAIConnector(
            secret=organization.admin_key, base_url=simulator.base_url, pace=time.pace()
        )
        assert connector.check().works
        _read(connector, search.id, platform.id, ada.id)
        _write(connector, search.id, platform.id, ada.id)
        _let_in_and_out(connector, search.id, platform.id)
        return list(simulator.requests)


def _read(connector: OpenAIConnector, project_id: str, group_id: str, user_id: str) -> None:
    accounts = connector.fetch_accounts()
    roles = connector.fetch_entitlements(["project", "group", "role"])[-120:]
    named = [Entitlement("project", project_id, "Search"), Entitlement("group", group_id, "Platform")]
    in_search = connector.fetch_entitlements(["project role"], ["Search: Role 1"])[-120:]
    assert len(connector.fetch_grants([*named, *roles, *in_search], [user_id])[user_id]) == 242
    invited = next(account for account in accounts if account.state is AccountState.INVITED)
    connector.fetch_account(invited.id, AccountState.INVITED)
    connector.fetch_account(user_id, AccountState.ACTIVE)
    connector.fetch_grant(user_id, "project", project_id)
    connector.fetch_grant(user_id, "group", group_id)
    assert connector.fetch_grant(user_id, "role", roles[0].id)
    assert connector.fetch_grant(user_id, "project role", in_search[0].id)
    connector.fetch_credential_facts()
    connector.fetch_events(datetime(2026, 1, 1, tzinfo=UTC), ["group"])
    for key in connector.fetch_keys([]).left_by([user_id]).keys[-2:]:
        again = connector.fetch_key(key.id)
        assert again is not None
        assert (again.id, again.owner_id) == (key.id, user_id)


def _write(connector: OpenAIConnector, project_id: str, group_id: str, user_id: str) -> None:
    in_project, in_group = Grant("project", project_id, "member"), Grant("group", group_id, "member")
    invited = connector.invite("new@example.org", "reader", [in_project])
    connector.invite("newer@example.org", "owner", [])
    for kind in ("project", "group"):
        connector.create_entitlement(kind, "Made by a test")
    connector.withdraw_invite(invited.account_id or "")
    auditor = Grant("role", connector.fetch_entitlements(["role"])[-1].id, "holder")
    in_search = connector.fetch_entitlements(["project role"], ["Search: Role 1"])[-1]
    editor = Grant("project role", in_search.id, "holder")
    for held in (auditor, editor):
        connector.revoke(user_id, held.kind, held.id)
    for grant in (in_project, in_group, auditor, editor):
        connector.grant(user_id, grant)
        connector.grant(user_id, grant)  # again: the connector looks whether it is so already
    connector.change_grant(user_id, Grant("project", project_id, "owner"))
    connector.revoke(user_id, "project", project_id)
    connector.revoke(user_id, "group", group_id)
    connector.change_role(user_id, "owner")
    connector.change_role(user_id, "reader")
    for key in connector.fetch_keys([]).left_by([user_id]).keys[-2:]:
        connector.revoke_key(key.id)
        connector.revoke_key(key.id)
    connector.remove(user_id)
    connector.remove(user_id)
    for life in (None, timedelta(days=30)):
        made = connector.create_credential("Made by a test", life)
        assert made.facts.id in {listed.id for listed in connector.list_credentials()}
        connector.revoke_credential(made.facts.id)
        connector.revoke_credential(made.facts.id)
    with pytest.raises(ActionRejected):
        connector.change_grant(user_id, in_group)


def _let_in_and_out(connector: OpenAIConnector, project_id: str, group_id: str) -> None:
    [full] = [found for found in connector.fetch_entitlements(["group"]) if found.name == "Group 119"]
    found = connector.fetch_group_grants([full], [Entitlement("project", project_id, "Search")])
    assert len(found.held[full.id, project_id]) == 121
    rights = [one.right for one in found.roles[-2:]]
    for right in rights:
        connector.grant_to_group(group_id, right)
    for right in rights:
        connector.revoke_from_group(group_id, right)


def test_every_request_is_one_that_openai_describes(everything_asked, document, description):
    for asked in everything_asked:
        check(document, description, asked)


def test_every_endpoint_of_the_client_was_asked(everything_asked, document):
    methods = {name for name in vars(OpenAIClient) if not name.startswith("_")} - {
        "peek",
        "one_look",
        "side_by_side",
    }
    assert methods == set(OPERATIONS)
    seen = {operation(document, asked) for asked in everything_asked}
    assert seen == set(OPERATIONS.values())


def test_every_list_is_asked_for_by_pages_that_the_prose_allows(everything_asked, document):
    """1 to 100; the description says it in words, and only some schemas hold the number."""
    lists = {path for name, (_, path) in OPERATIONS.items() if name.startswith("list_")}
    asked_for = [
        (operation(document, asked)[1], asked) for asked in everything_asked if asked.method == "GET"
    ]
    followed = {path for path, asked in asked_for if "after" in asked.query}
    assert followed == lists - {"/organization/admin_api_keys"}
    for path, asked in asked_for:
        if path in lists:
            assert 1 <= int(asked.query["limit"][0]) <= 100


def test_an_invite_always_says_which_projects(everything_asked):
    """OpenAI gives the default project to an invite that names none."""
    invites = [asked.body for asked in everything_asked if asked.body and "email" in asked.body]
    assert [invite["projects"] for invite in invites][1:] == [[]]
    assert invites[0]["projects"][0]["role"] == "member"


def asked(method: str, path: str, body: Any = None, **query: str) -> Recorded:
    return Recorded(method, f"/v1{path}", {name: [value] for name, value in query.items()}, body, 200, {})


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param(asked("GET", "/organization/members"), id="an unknown path"),
        pytest.param(asked("PATCH", "/organization/users/u", {"role": "owner"}), id="an unknown method"),
        pytest.param(asked("GET", "/organization/users", page="2"), id="an unknown parameter"),
        pytest.param(asked("GET", "/organization/users", limit="many"), id="a limit that is no number"),
        pytest.param(
            asked("GET", "/organization/groups", limit="1001"), id="a limit beyond the schema's bounds"
        ),
        pytest.param(asked("POST", "/organization/invites", {"email": "a@x.org"}), id="a missing field"),
        pytest.param(
            asked("POST", "/organization/invites", {"email": "a@x.org", "role": "reader", "expires": 1}),
            id="an unknown field",
        ),
        pytest.param(
            asked(
                "POST",
                "/organization/invites",
                {"email": "a@x.org", "role": "reader", "projects": [{"id": "p", "role": "member", "x": 1}]},
            ),
            id="an unknown field within",
        ),
        pytest.param(
            asked("POST", "/organization/invites", {"email": "a@x.org", "role": "member"}),
            id="an unknown role",
        ),
        pytest.param(asked("POST", "/organization/users/u"), id="no body"),
        pytest.param(asked("DELETE", "/organization/users/u", {"force": True}), id="a body too many"),
    ],
)
def test_the_check_notices_a_slip(document, description, slip):
    with pytest.raises(Exception, match=r".+"):
        check(document, description, slip)
