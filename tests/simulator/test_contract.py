"""The simulator's answers against OpenAI's own description of its API, which is not part of this project."""

import os
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from integrations.connectors.openai.simulator import Fault, Kind
from integrations.connectors.openai.simulator.endpoints import ENDPOINTS
from tests.simulator.conftest import connect

SPEC = Path(
    os.environ.get("OPENAI_ADMIN_SPEC")
    or Path(__file__).parents[3] / "shared" / "facts" / "openai-admin.openapi.yaml"
)
pytestmark = pytest.mark.skipif(
    not SPEC.is_file(), reason=f"OpenAI's API description is not at {SPEC}; name it in OPENAI_ADMIN_SPEC."
)


@pytest.fixture(scope="module")
def description() -> OpenAPI:
    return OpenAPI.from_file_path(str(SPEC))


@pytest.fixture
def answers() -> list[Any]:
    """Every answer that the SDK got, as it came."""
    return []


@pytest.fixture
def recording_client(simulator, answers):
    def keep(answer):
        answer.read()
        answers.append(answer)

    transport = openai.DefaultHttpxClient(event_hooks={"response": [keep]})
    with connect(simulator, http_client=transport) as client:
        yield client


def check(description: OpenAPI, answer: Any) -> None:
    url = answer.request.url
    request = MockRequest(
        "https://api.openai.com",
        answer.request.method,
        url.path,
        args=dict(url.params),
        data=answer.request.content,
    )
    media_type = answer.headers["content-type"]
    description.validate_response(
        request, MockResponse(answer.content, answer.status_code, dict(answer.headers), media_type)
    )


def tour(client: OpenAI) -> None:
    """Calls every endpoint that the simulator has, through the SDK."""
    api = client.admin.organization
    search = api.projects.create(name="Search")
    api.projects.update(search.id, name="Search engine")
    people(client, search.id)
    keys(client, search.id)
    groups(client)
    roles(client)
    api.projects.retrieve(search.id)
    list(api.projects.list(include_archived=True, limit=1))
    api.projects.archive(search.id)


def people(client: OpenAI, project_id: str) -> None:
    api = client.admin.organization
    ada = list(api.users.list(limit=1))[1]
    api.users.retrieve(ada.id)
    invite = api.invites.create(
        email="new@example.org", role="reader", projects=[{"id": project_id, "role": "member"}]
    )
    api.invites.create(email="newer@example.org", role="owner")
    api.invites.retrieve(invite.id)
    list(api.invites.list(limit=1))
    api.invites.delete(invite.id)
    members = api.projects.users
    members.create(project_id, user_id=ada.id, role="member")
    members.update(ada.id, project_id=project_id, role="owner")
    members.retrieve(ada.id, project_id=project_id)
    list(members.list(project_id, limit=1))
    members.delete(ada.id, project_id=project_id)
    api.users.update(ada.id, role="owner")
    api.users.delete(ada.id)


def keys(client: OpenAI, project_id: str) -> None:
    api = client.admin.organization
    accounts, project_keys = api.projects.service_accounts, api.projects.api_keys
    account = accounts.create(project_id, name="ci")
    accounts.create(project_id, name="bare", create_service_account_only=True)
    accounts.retrieve(account.id, project_id=project_id)
    list(accounts.list(project_id, limit=1))
    key = next(iter(project_keys.list(project_id, owner_project_access="any")))
    project_keys.retrieve(key.id, project_id=project_id)
    project_keys.delete(key.id, project_id=project_id)
    accounts.delete(account.id, project_id=project_id)
    admin_key = api.admin_api_keys.create(name="second", expires_in_seconds=60)
    api.admin_api_keys.retrieve(admin_key.id)
    list(api.admin_api_keys.list(limit=1))
    api.admin_api_keys.delete(admin_key.id)


def groups(client: OpenAI) -> None:
    api = client.admin.organization
    owner = next(iter(api.users.list()))
    group = api.groups.create(name="Platform")
    api.groups.create(name="Search")
    api.groups.retrieve(group.id)
    api.groups.update(group.id, name="Platform team")
    list(api.groups.list(limit=1))
    api.groups.users.create(group.id, user_id=owner.id)
    api.groups.users.retrieve(owner.id, group_id=group.id)
    list(api.groups.users.list(group.id, limit=1))
    api.groups.users.delete(owner.id, group_id=group.id)
    api.groups.delete(group.id)


def roles(client: OpenAI) -> None:
    api = client.admin.organization
    owner = next(iter(api.users.list()))
    role = api.roles.create(role_name="Auditor", permissions=["api.organization.read"])
    api.roles.retrieve(role.id)
    api.roles.update(role.id, description="Looks")
    list(api.roles.list(limit=1))
    api.users.roles.create(owner.id, role_id=role.id)
    api.users.roles.retrieve(role.id, user_id=owner.id)
    list(api.users.roles.list(owner.id, limit=1))
    api.users.roles.delete(role.id, user_id=owner.id)
    api.roles.delete(role.id)


def test_every_answer_of_every_endpoint_is_one_that_openai_describes(
    organization, recording_client, answers, description
):
    organization.add_member("ada@example.org")
    organization.add_member("grace@example.org")
    tour(recording_client)
    for answer in answers:
        check(description, answer)
    called = {
        (method, pattern)
        for method, pattern, _ in ENDPOINTS
        for answer in answers
        if answer.request.method == method and pattern.fullmatch(answer.request.url.path)
    }
    assert called == {(method, pattern) for method, pattern, _ in ENDPOINTS}


def test_refusals_that_openai_describes_have_its_form(organization, recording_client, answers, description):
    users = recording_client.admin.organization.projects.users
    default = organization.default_project.id
    for call in (
        lambda: users.create(default, email="olivia@example.org", role="member"),
        lambda: users.delete("user-none", project_id=default),
        lambda: recording_client.admin.organization.projects.update(default, name="Mine"),
    ):
        with pytest.raises(openai.BadRequestError):
            call()
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    for answer in answers:
        check(description, answer)


def test_the_check_notices_an_answer_that_openai_would_not_give(
    simulator, recording_client, answers, description
):
    simulator.inject(Fault(Kind.NESTED_USER))
    list(recording_client.admin.organization.users.list())
    with pytest.raises(Exception, match="added_at"):
        check(description, answers[0])
