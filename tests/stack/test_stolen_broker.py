"""Whoever may write messages, and knows Celery, makes nothing happen that the database does not ask for."""

import base64
import inspect
import json
import pickle
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from cakewalk.celery import app
from integrations.connectors.openai.simulator import Organization, Simulator
from tests.stack.installation import ThreeProcesses, eventually

pytestmark = [pytest.mark.services, pytest.mark.soak]

RULES = """
[[rule]]
name = "Editors"
group = "editors"
role = "owner"
state = "active"
"""
PEOPLE = "email,active,groups\neditor@example.org,yes,editors\ngone@example.org,no,editors\n"
JSON = "application/json"
HOSTILE: tuple[Any, ...] = (
    *(None, -1, 0, 10**30, 1.5, True, "1", "1; DROP TABLE auth_group", [1], {"pk": 1}, "../../etc/passwd"),
    {"__type__": "uuid", "__value__": "no"},
)


@pytest.fixture
def newsroom() -> Iterator[Simulator]:
    organization = Organization(owner="editor@example.org")
    organization.add_member("gone@example.org", name="Gone Already")
    with Simulator(organization) as simulator:
        yield simulator


class Thief:
    """Has the address of the broker, and nothing else."""

    def __init__(self, broker: str) -> None:
        self.redis = redis.Redis.from_url(broker)

    def send(self, name: str, body: bytes, kind: str = JSON) -> None:
        id = str(uuid.uuid4())
        headers = {"lang": "py", "task": name, "id": id, "root_id": id}
        self.redis.lpush("celery", _in_an_envelope(body, kind, to="", key="celery", headers=headers))

    def call(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.send(name, json.dumps([args, kwargs, {}]).encode())

    def order_all(self, order: str) -> None:
        """As `celery control` does."""
        told: dict[str, Any] = {
            "method": order,
            "arguments": {},
            "destination": None,
            "pattern": None,
            "matcher": None,
        }
        headers = {"clock": 1, "expires": time.time() + 60}
        message = _in_an_envelope(
            json.dumps(told).encode(), JSON, to="celery.pidbox", key="", headers=headers
        )
        self.redis.publish(f"/{self.redis.connection_pool.connection_kwargs['db']}.celery.pidbox", message)

    def has_been_heard(self) -> bool:
        return not self.redis.llen("celery")


def _in_an_envelope(body: bytes, kind: str, *, to: str, key: str, headers: dict[str, Any]) -> str:
    """As kombu puts a message into Redis."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": kind,
            "content-encoding": "utf-8" if kind == JSON else "binary",
            "headers": headers,
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": to, "routing_key": key},
                "delivery_mode": 2,
                "delivery_tag": str(uuid.uuid4()),
                "priority": 0,
            },
        }
    )


class Payload:
    """A pickle that runs a command where it is opened."""

    def __init__(self, left_behind: Path) -> None:
        self.left_behind = left_behind

    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.call, (["touch", str(self.left_behind)],)


def test_forged_messages_apply_nothing_open_no_pickle_and_stop_no_worker(
    three_processes: ThreeProcesses, newsroom: Simulator, tmp_path: Path
) -> None:
    waiting = a_removal_that_awaits_approval(three_processes, newsroom, tmp_path)
    before, asked = standing(three_processes), len(newsroom.requests)
    thief = Thief(three_processes.settings["CELERY_BROKER_URL"])
    app.loader.import_default_modules()  # as a worker does
    ours = [name for name in app.tasks if not name.startswith("celery.")]
    assert len(ours) > 12

    # What a worker does by itself, over and over, for the job that waits and for all that may be there.
    for name in ours:
        for number in {waiting["job"], 1}:
            for argument in (
                "job_id",
                "rotation_id",
                "upload_id",
                "server_id",
                "pack_id",
                "undelivered_after",
                "integration_id",
            ):
                thief.call(name, **{argument: number})
        thief.call(name)
        for nonsense in HOSTILE:
            thief.call(name, **{told_by(name): nonsense})
    # What would be believed if it were opened.
    left_behind = tmp_path / "opened"
    for kind in ("application/x-python-serialize", "application/x-yaml", "application/x-msgpack"):
        thief.send("provisioning.tasks.run_job", pickle.dumps(Payload(left_behind)), kind)
    thief.send("provisioning.tasks.run_job", b"\xff not JSON")
    thief.send("os.system", b'[["touch x"], {}, {}]')
    thief.send("celery.chain", b'[[], {}, {"callbacks": [{"task": "os.system"}]}]')
    for order in ("shutdown", "pool_restart", "memdump"):
        thief.order_all(order)

    eventually(thief.has_been_heard, 120, "The end of all messages")
    three_processes.settled()
    assert not left_behind.exists()
    assert standing(three_processes) == before
    assert [one.method for one in newsroom.requests[asked:] if one.method != "GET"] == []
    assert three_processes.processes["worker"].poll() is None

    # It still works, and what waited is carried out by an approval and by nothing else.
    done = three_processes.document(
        "approve", str(waiting["job"]), "--by", "admin", "--reason", "They left in October."
    )
    assert (done["state"], done["counts"]["done"]) == ("succeeded", 1)
    assert three_processes.document("sync", "Newsroom")["state"] == "succeeded"


def told_by(name: str) -> str:
    """The one argument that the task has; of one without, any name."""
    return next(iter(inspect.signature(app.tasks[name].run).parameters), "job_id")


def a_removal_that_awaits_approval(
    installation: ThreeProcesses, newsroom: Simulator, folder: Path
) -> dict[str, Any]:
    words = ("connect", "openai", "--name", "Newsroom", "--key-stdin", "--base-url", newsroom.base_url)
    installation.run(*words, "--mode", "manage", stdin=newsroom.organization.admin_key)
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "rules.toml").write_text(RULES)
    installation.run("import_people", str(folder / "people.csv"))
    installation.run("import_rules", str(folder / "rules.toml"), "--integration", "Newsroom")
    installation.settled()
    return dict(installation.document("sync", "Newsroom", status=3))


def standing(installation: ThreeProcesses) -> list[Any]:
    """What was decided and what came of it, who may what, and what is stored of the key."""
    return [
        installation.rows(query)
        for query in (
            "SELECT id, state, holds, overrides, approved_by_id FROM provisioning_provisioningjob"
            " WHERE state = 'awaiting_approval'",
            "SELECT job_id, seq, kind, state FROM provisioning_action WHERE kind <> 'report'"
            " ORDER BY job_id, seq",
            "SELECT id, mode, enabled FROM integrations_integration",
            "SELECT id, hint FROM integrations_credential",
            "SELECT email, active FROM directory_person ORDER BY email",
            "SELECT username, is_superuser, is_active FROM cakewalk_user ORDER BY username",
        )
    ]
