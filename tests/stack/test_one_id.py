"""One id leads from a click through web server and worker to each call at the remote."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.urls import reverse

from integrations.connectors.openai.simulator import Simulator
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import ThreeProcesses, eventually
from tests.stack.test_recovery import JOINERS, RULES

pytestmark = [pytest.mark.services, pytest.mark.soak]

OURS = "7f3a1c9e5b2d4f60"


@pytest.fixture
def writing_json(tmp_path: Path) -> Iterator[ThreeProcesses]:
    with own_database() as database, own_broker() as broker:
        settings = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "TRUSTED_PROXIES": "127.0.0.0/8"}
        installation = ThreeProcesses(tmp_path, DATABASE_URL=database, CELERY_BROKER_URL=broker, **settings)
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()


def lines(installation: ThreeProcesses, process: str) -> list[dict[str, Any]]:
    """All that it has logged: each line is one object, but for Celery's greeting."""
    said = [line for line in installation.log(process).splitlines() if line.startswith("{")]
    objects = [json.loads(line) for line in said]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in objects)
    return objects


def connect(installation: ThreeProcesses, newsroom: Simulator, folder: Path) -> int:
    words = ("connect", "openai", "--name", "Newsroom", "--key-stdin", "--base-url", newsroom.base_url)
    installation.run(*words, "--mode", "manage", stdin=newsroom.organization.admin_key)
    (folder / "people.csv").write_text(
        "\n".join(["email,groups", "editor@example.org,editors", *(f"{one},writers" for one in JOINERS)])
    )
    installation.run("import_people", str(folder / "people.csv"))
    (folder / "rules.toml").write_text(RULES)
    installation.run("import_rules", str(folder / "rules.toml"), "--integration", "Newsroom")
    installation.settled()
    [[pk]] = installation.rows("SELECT id FROM integrations_integration")
    return int(pk)


def click_sync(installation: ThreeProcesses, pk: int) -> None:
    """As a browser does, behind a proxy that gives each request an id."""
    browser = requests.Session()
    login = f"{installation.url}/admin/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(login, timeout=30).text)[1]
    name = {"username": "admin", "password": installation.password, "csrfmiddlewaretoken": token}
    assert browser.post(login, data=name, timeout=30, allow_redirects=False).status_code == 302
    answer = browser.post(
        installation.url + reverse("admin:integrations_integration_sync", args=[pk]),
        headers={"X-CSRFToken": browser.cookies["csrftoken"] or "", "X-Request-ID": OURS},
        timeout=30,
        allow_redirects=False,
    )
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (302, OURS)


def test_a_click_is_followed_through_web_worker_and_remote(
    writing_json: ThreeProcesses, newsroom: Simulator, tmp_path: Path
) -> None:
    pk = connect(writing_json, newsroom, tmp_path)
    asked_before = len(newsroom.requests)

    click_sync(writing_json, pk)
    [done, *_] = eventually(lambda: [job for job in writing_json.settled() if job["trigger"] == "manual"])
    assert done["state"] in ("succeeded", "awaiting_approval")

    [clicked] = [
        line
        for line in lines(writing_json, "web")
        if line.get("request") == OURS and line["logger"] == "cakewalk.logs.requests"
    ]
    assert (clicked["status"], clicked["user"]) == (302, 1)
    worked = [line for line in lines(writing_json, "worker") if line.get("request") == OURS]
    calls = [line for line in worked if "call" in line]
    assert {(line["job"], line["integration"], line["task"]) for line in calls} == {
        (done["job"], "Newsroom", "run_job")
    }
    received = [
        asked.headers["x-client-request-id"]
        for asked in newsroom.requests[asked_before:]
        if asked.headers.get("x-client-request-id", "").startswith(f"{OURS}.")
    ]
    assert received == [line["call"] for line in calls]
    assert len(received) >= 2
    assert all(line["remote_request"].startswith("req_") for line in calls)
    assert lines(writing_json, "clock")
