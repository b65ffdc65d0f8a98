"""`make run` as a newcomer meets it: the first start, the second, and what stops it."""

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.stack.installation import Installation, SingleProcess, eventually


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SingleProcess]:
    installation = SingleProcess(tmp_path)
    yield installation
    installation.stop()


def interrupt(installation: Installation, with_signal: int = signal.SIGINT) -> int:
    process = installation.processes.pop("serve")
    process.send_signal(with_signal)
    return process.wait(30)


def test_the_first_start_previews_and_syncs_the_sample_company_through_celery(fresh: SingleProcess) -> None:
    fresh.start()
    sync, preview = fresh.jobs()
    assert (preview["preview"], preview["state"], preview["counts"]["planned"]) == (True, "succeeded", 9)
    assert (sync["preview"], sync["state"], sync["mode"]) == (False, "awaiting_approval", "manage")
    assert {name: sync["counts"][name] for name in ("done", "held", "failed", "reported")} == {
        "done": 5,
        "held": 4,
        "failed": 0,
        "reported": 2,
    }
    assert sync["digest"] == preview["digest"]
    holders = {job["trigger"] for job in (sync, preview)}
    assert holders == {"first"}
    assert "password" in fresh.log("serve")
    assert "sk-admin-" in fresh.log("serve")  # the simulated organization's, to connect it by hand


def test_a_second_start_is_quick_and_keeps_everything(fresh: SingleProcess) -> None:
    fresh.start()
    assert interrupt(fresh) == 0
    before = fresh.jobs()
    started = time.monotonic()
    fresh.start()
    assert time.monotonic() - started < 10
    assert fresh.jobs() == before
    assert "as printed at the first start" in fresh.log("serve")
    # The simulated organization is where it was, and as it was.
    approved = fresh.document("approve", str(before[0]["job"]), "--by", "admin", "--reason", "They left.")
    assert (approved["state"], approved["counts"]["done"]) == ("succeeded", 9)


def test_a_simulator_that_finds_its_port_taken_moves_and_the_integration_follows(
    fresh: SingleProcess,
) -> None:
    fresh.start()
    interrupt(fresh)
    with sqlite3.connect(fresh.folder / "var" / "cakewalk.sqlite3") as database:
        [(address,)] = database.execute("SELECT base_url FROM integrations_integration")
    port = int(address.rpartition(":")[2].partition("/")[0])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        fresh.start()
        assert fresh.document("sync", "Acme", "--preview", status=3)["read"]["complete"] is True


def test_a_first_start_that_was_killed_is_completed_by_the_next(fresh: SingleProcess) -> None:
    fresh.launch("serve", "manage.py", "serve")
    eventually(lambda: "First preview" in fresh.log("serve"), 30, "The first preview")
    fresh.kill("serve")
    fresh.start()
    states = [(job["preview"], job["state"]) for job in fresh.settled()]
    assert (False, "awaiting_approval") in states
    assert (True, "succeeded") in states


def test_a_taken_port_is_said_in_one_line(fresh: SingleProcess) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", fresh.port))
        squatter.listen()
        fresh.launch("serve", "manage.py", "serve")
        assert fresh.processes["serve"].wait(30) == 1
    fresh.processes.clear()
    taken = f"CommandError: Port {fresh.port} cannot be used (Address already in use)."
    assert fresh.log("serve").splitlines() == [f"{taken} Set another one, as in: PORT=8100"]
    assert not (fresh.folder / "var" / "cakewalk.sqlite3").exists()


def test_a_broken_env_file_is_said_in_one_line(fresh: SingleProcess) -> None:
    env = fresh.folder / ".env"
    env.write_text("\n".join(line for line in env.read_text().splitlines() if "FERNET_KEYS" not in line))
    fresh.launch("serve", "manage.py", "serve")
    assert fresh.processes.pop("serve").wait(30) == 1
    [line] = fresh.log("serve").splitlines()
    assert line.startswith("cakewalk: FERNET_KEYS is not set")


def test_a_given_key_connects_that_organization_and_only_observes_it(tmp_path: Path) -> None:
    organization = Organization.seeded(people=5, projects=1)
    with Simulator(organization) as simulator:
        key = organization.admin_key
        real = SingleProcess(tmp_path, OPENAI_ADMIN_KEY=key, OPENAI_BASE_URL=simulator.base_url)
        try:
            real.start()
            [preview] = real.settled()
            assert (preview["integration"], preview["mode"]) == ("OpenAI Platform", "observe")
            assert (preview["state"], preview["refusal"]["code"]) == ("refused", "directory_empty")
            assert [asked.method for asked in simulator.requests if asked.method != "GET"] == []
            interrupt(real)
            real.start()
            assert len(real.jobs()) == 1
            assert key not in real.log("serve") + json.dumps(real.jobs())
        finally:
            real.stop()


def test_a_given_key_that_does_not_work_stops_the_start_with_the_reason(tmp_path: Path) -> None:
    mistaken = SingleProcess(tmp_path, OPENAI_ADMIN_KEY="sk-proj-" + "x" * 40)
    mistaken.launch("serve", "manage.py", "serve")
    assert mistaken.processes.pop("serve").wait(30) == 1
    assert "The organization was not connected. This is a project key" in mistaken.log("serve")
    assert "x" * 40 not in mistaken.log("serve")
