"""`make run` as a newcomer meets it: the first start, the second, and what stops it."""

import json
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class First:
    """What a first start made and said, after Ctrl-C."""

    installation: SingleProcess
    log: str
    jobs: list[dict[str, Any]]
    status: int


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    installation = SingleProcess(tmp_path_factory.mktemp("first"))
    try:
        installation.start()
        status = interrupt(installation)
        shutil.copytree(installation.folder / "var", installation.folder / "kept")
        yield First(installation, installation.log("serve"), installation.jobs(), status)
    finally:
        installation.stop()


@pytest.fixture
def stopped(first: First) -> Iterator[SingleProcess]:
    """As the first start left it, whatever other tests did with it since."""
    folder = first.installation.folder
    (folder / "serve.log").unlink()
    shutil.rmtree(folder / "var")
    shutil.copytree(folder / "kept", folder / "var")
    yield first.installation
    first.installation.stop()


def test_the_first_start_previews_and_syncs_the_sample_company_through_celery(first: First) -> None:
    sync, preview = first.jobs
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
    assert "password" in first.log
    assert "sk-admin-" in first.log  # the simulated organization's, to connect it by hand
    assert first.status == 0


@pytest.mark.soak
def test_a_second_start_is_quick_and_keeps_everything(first: First, stopped: SingleProcess) -> None:
    started = time.monotonic()
    stopped.start()
    assert time.monotonic() - started < 10
    assert stopped.jobs() == first.jobs
    assert "as printed at the first start" in stopped.log("serve")
    # The simulated organization is where it was, and as it was.
    approved = stopped.document(
        "approve", str(first.jobs[0]["job"]), "--by", "admin", "--reason", "They left."
    )
    assert (approved["state"], approved["counts"]["done"]) == ("succeeded", 9)


@pytest.mark.soak
def test_a_simulator_that_finds_its_port_taken_moves_and_the_integration_follows(
    stopped: SingleProcess,
) -> None:
    [(address,)] = stopped.rows("SELECT base_url FROM integrations_integration")
    port = int(address.rpartition(":")[2].partition("/")[0])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        stopped.start()
        assert stopped.document("sync", "Acme", "--preview", status=3)["read"]["complete"] is True


@pytest.mark.soak
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


@pytest.mark.soak
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
            jobs = real.jobs()
            assert len(jobs) == 1
            assert key not in real.log("serve") + json.dumps(jobs)
        finally:
            real.stop()


@pytest.mark.soak
def test_a_given_key_that_does_not_work_stops_the_start_with_the_reason(tmp_path: Path) -> None:
    mistaken = SingleProcess(tmp_path, OPENAI_ADMIN_KEY="sk-proj-" + "x" * 40)
    mistaken.launch("serve", "manage.py", "serve")
    assert mistaken.processes.pop("serve").wait(30) == 1
    assert "The organization was not connected. This is a project key" in mistaken.log("serve")
    assert "x" * 40 not in mistaken.log("serve")
