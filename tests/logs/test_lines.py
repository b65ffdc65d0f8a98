"""What a line of the log says, and how lines of one request are found together."""

import json
import logging
import sys
from ipaddress import ip_network

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings

from cakewalk.logs import messages, requests
from cakewalk.logs.context import around, current, id_of_a_call
from cakewalk.logs.formatting import AsJson, AsText, redacted
from tests.openai.builders import ADMIN_KEY

OURS = "7f3a1c9e5b2d4f60"


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("provisioning.tasks", logging.WARNING, "tasks.py", 1, message, args, None)
    made.created = 1_764_288_000.25
    made.__dict__.update(more)
    return made


def test_a_line_for_machines_says_when_what_and_around_what():
    with around(request=OURS), around(job=12, integration="Acme"):
        line = AsJson().format(record("%s is late.", "Ada", facts={"seconds": 3}))

    assert json.loads(line) == {
        "time": "2025-11-28T00:00:00.250+00:00",
        "level": "warning",
        "logger": "provisioning.tasks",
        "message": "Ada is late.",
        "request": OURS,
        "job": 12,
        "integration": "Acme",
        "seconds": 3,
    }
    assert current() == {}


def test_it_is_one_line_whatever_is_in_it():
    assert AsJson().format(record("first\nsecond")).count("\n") == 0


def test_a_line_for_people_ends_with_what_it_is_around():
    with around(job=12):
        assert AsText().format(record("late")).endswith("WARNING provisioning.tasks: late [job=12]")
    assert AsText().format(record("late")).endswith("WARNING provisioning.tasks: late")


def test_an_exception_is_a_field_without_the_values_of_its_frames():
    hidden = "the-value-of-a-variable"
    try:
        raise ValueError("broken")
    except ValueError:
        line = json.loads(AsJson().format(record("failed", exc_info=sys.exc_info())))
    assert "ValueError: broken" in line["exception"]
    assert hidden not in line["exception"]


def test_what_django_hands_over_besides_the_message_is_not_written():
    request = RequestFactory().get("/admin/", headers={"authorization": "Bearer abc"})
    line = json.loads(AsJson().format(record("Forbidden", request=request, status_code=403)))
    assert set(line) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (f"Incorrect API key provided: {ADMIN_KEY}.", "Incorrect API key provided: sk-…."),
        ("{'Authorization': 'Bearer cakewalk-scim-abcdefgh12345678'}", "{'Authorization': 'Bearer …"),
        ("token cakewalk-scim-abcdefgh12345678 is unknown", "token cakewalk-scim-… is unknown"),
        ("redis://:secret@db:6379/0 does not answer", "redis://:…@db:6379/0 does not answer"),
        ("postgres://cakewalk:s3cret@db/x", "postgres://cakewalk:…@db/x"),
        (
            "GET https://api.openai.com/v1/organization/users",
            "GET https://api.openai.com/v1/organization/users",
        ),
        ("the task-queue is full", "the task-queue is full"),
    ],
)
def test_what_looks_like_a_secret_is_blanked_wherever_it_came_from(said: str, written: str):
    assert redacted(said) == written
    assert json.loads(AsJson().format(record("%s", said)))["message"] == written
    assert AsText().format(record("%s", said)).endswith(written)


# -- requests


def answered(request: HttpRequest, response: HttpResponse | StreamingHttpResponse | None = None):
    """By our middleware alone. Returns the answer and the id within."""
    seen: list[object] = []

    def view(_: HttpRequest):
        seen.append(current().get("request"))
        return response or HttpResponse("ok")

    return requests.for_each_request(view)(request), seen[0]


def test_each_request_has_an_id_that_its_answer_shows():
    first, within = answered(RequestFactory().get("/admin/"))
    second, _ = answered(RequestFactory().get("/admin/"))

    assert first["X-Request-ID"] == within
    assert len(first["X-Request-ID"]) == 32
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_what_anybody_calls_their_request_is_not_believed():
    answer, _ = answered(RequestFactory().get("/", headers={"x-request-id": OURS}))
    assert answer["X-Request-ID"] != OURS


@pytest.mark.parametrize(
    ("peer", "called", "believed"),
    [
        ("10.0.0.2", OURS, True),
        ("10.0.0.2", "0b9c8f5e-aa3d-4c5f-9b6f-000000000001", True),
        ("10.0.0.2", 'x"} {"level": "info"', False),
        ("10.0.0.2", "a" * 65, False),
        ("10.0.0.2", "short", False),
        ("192.0.2.7", OURS, False),
    ],
)
def test_what_a_proxy_of_ours_calls_a_request_is_kept_if_it_is_an_id(peer: str, called: str, believed: bool):
    with override_settings(TRUSTED_PROXIES=[ip_network("10.0.0.0/8")]):
        request = RequestFactory().get("/", headers={"x-request-id": called}, REMOTE_ADDR=peer)
        answer, _ = answered(request)
    assert (answer["X-Request-ID"] == called) is believed


def test_what_is_streamed_belongs_to_its_request():
    def pieces():
        yield str(current().get("request"))
        yield str(current().get("request"))

    answer, within = answered(RequestFactory().get("/"), StreamingHttpResponse(pieces()))

    assert current() == {}
    assert b"".join(answer.streaming_content) == f"{within}{within}".encode()
    assert current() == {}


def test_a_request_is_one_line_without_what_was_searched_for(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "cakewalk.logs.requests")
    answered(RequestFactory().get("/admin/people/?q=ada@example.org"))
    [line] = caplog.records
    assert (line.levelname, line.getMessage()) == ("INFO", "GET /admin/people/")
    assert line.__dict__["facts"]["status"] == 200


def test_probes_and_files_are_not_worth_a_line(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "cakewalk.logs.requests")
    for path in ("/healthz", "/readyz", "/metrics", "/static/cakewalk/logo.svg"):
        answered(RequestFactory().get(path))
    assert not caplog.records


@pytest.mark.django_db
def test_the_page_of_an_error_shows_the_id_under_which_its_lines_are(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object):
        raise RuntimeError

    monkeypatch.setattr("cakewalk.urls.import_string", fail)

    answer = Client(raise_request_exception=False).get("/key/")

    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()


# -- tasks


class Message:
    """A task as its worker meets it."""

    name = "provisioning.tasks.run_job"

    def __init__(self, **headers: object) -> None:
        self.request = type("Request", (), headers)()


def test_a_task_carries_the_id_of_the_request_that_asked_for_it():
    headers: dict[str, object] = {}
    with around(request=OURS):
        messages._send_along(headers=headers)

    messages._begin(task_id="t1", task=Message(**headers))
    assert current() == {"request": OURS, "task": "run_job", "task_id": "t1"}
    assert id_of_a_call().startswith(f"{OURS}.")
    messages._end(task_id="t1")
    assert current() == {}


def test_what_the_clock_asks_for_has_the_id_of_its_task():
    headers: dict[str, object] = {}
    messages._send_along(headers=headers)
    assert headers == {}
    messages._begin(task_id="t2", task=Message())
    assert current() == {"task": "run_job", "task_id": "t2"}
    assert id_of_a_call().startswith("t2.")
    messages._end(task_id="t2")


def test_each_call_to_a_remote_has_an_id_of_its_own():
    assert id_of_a_call() != id_of_a_call()
