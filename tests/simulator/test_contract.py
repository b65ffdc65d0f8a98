"""The simulator's answers against OpenAI's own description of its API, which is not part of this project."""

import os
import re
from pathlib import Path
from typing import Any

import openai
import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from integrations.connectors.openai.simulator import Fault, Kind
from integrations.connectors.openai.simulator.endpoints import ENDPOINTS
from tests.simulator.conftest import connect
from tests.simulator.tour import tour

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


NOT_DESCRIBED = re.compile(r"POST /v1/organization/projects/[^/]+/api_keys/[^/]+")
"""What the SDK knows and the description does not."""


def check(description: OpenAPI, answer: Any) -> None:
    """The request that the SDK made, and what the simulator said to it."""
    url = answer.request.url
    if NOT_DESCRIBED.fullmatch(f"{answer.request.method} {url.path}"):
        return
    request = MockRequest(
        "https://api.openai.com",
        answer.request.method,
        url.path,
        args=dict(url.params),
        headers={"Authorization": "Bearer of an admin key"},
        data=answer.request.content,
    )
    media_type = answer.headers["content-type"]
    description.validate_request(request)
    description.validate_response(
        request, MockResponse(answer.content, answer.status_code, dict(answer.headers), media_type)
    )


def test_every_answer_of_every_endpoint_is_one_that_openai_describes(
    organization, recording_client, answers, description
):
    for name in ("ada", "grace", "mary"):
        organization.add_member(f"{name}@example.org")
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
