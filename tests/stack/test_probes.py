"""What /readyz says of three real processes, of which some are killed, and of lines that are cut or hang."""

import json
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.stack.installation import OnTwoLines, eventually

pytestmark = [pytest.mark.services, pytest.mark.soak]


def ready(installation: OnTwoLines) -> dict[str, str]:
    """What is said of each part that is not well; every answer comes within two seconds."""
    began = time.monotonic()
    try:
        with urlopen(f"{installation.url}/readyz", timeout=10) as answer:  # noqa: S310 - our own address
            status, said = answer.status, json.load(answer)
    except HTTPError as unready:
        status, said = unready.code, json.load(unready)
    assert time.monotonic() - began < 2
    assert (status, said["ready"]) in ((200, True), (503, False))
    return {name: part["says"] for name, part in said["parts"].items() if not part["ok"]}


def long_ago(installation: OnTwoLines) -> None:
    """As if all of them had been silent for long: who lives is heard from again."""
    installation.rows("UPDATE health_heartbeat SET at = at - interval '1 hour' RETURNING part")


def test_each_part_that_is_gone_is_told_by_its_name_and_so_is_its_return(on_two_lines: OnTwoLines) -> None:
    eventually(lambda: ready(on_two_lines) == {}, 30, "Readiness")

    on_two_lines.kill("worker")
    long_ago(on_two_lines)
    silent = {"worker": "silent", "worker_for_people": "silent"}
    eventually(lambda: ready(on_two_lines) == silent, 20, "The clock, alone")
    on_two_lines.launch_worker()
    eventually(lambda: ready(on_two_lines) == {}, 30, "The worker's return")

    on_two_lines.kill("clock")
    long_ago(on_two_lines)
    eventually(lambda: ready(on_two_lines) == {"clock": "silent"}, 20, "The worker, alone")
    on_two_lines.launch_clock()
    eventually(lambda: ready(on_two_lines) == {}, 30, "The clock's return")

    on_two_lines.to_broker.cut()
    eventually(lambda: ready(on_two_lines) == {"broker": "does not answer"}, 5, "No broker")
    on_two_lines.to_broker.mend()
    eventually(lambda: ready(on_two_lines) == {}, 60, "The broker's return")

    on_two_lines.to_database.cut()
    of_the_database = {"database", "migrations", "secrets", "clock", "worker", "worker_for_people"}
    eventually(lambda: set(ready(on_two_lines)) == of_the_database, 5, "No database")
    with urlopen(f"{on_two_lines.url}/healthz", timeout=1) as answer:  # noqa: S310 - our own address
        assert answer.read() == b"ok"
    on_two_lines.to_database.mend()
    eventually(lambda: ready(on_two_lines) == {}, 60, "The database's return")
