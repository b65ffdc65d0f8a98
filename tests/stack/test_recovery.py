"""Three real processes on PostgreSQL and Redis, of which some are killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.stack.installation import Installation, ThreeProcesses, eventually

pytestmark = [pytest.mark.services, pytest.mark.soak]

JOINERS = [f"joiner{number}@example.org" for number in range(12)]

RULES = """
[[rule]]
name = "Editors"
group = "editors"
role = "owner"
state = "active"

[[rule]]
name = "Writers"
group = "writers"
role = "reader"
state = "active"
"""


@pytest.fixture
def slow_newsroom() -> Iterator[Simulator]:
    """Slow enough that a job can be met in the middle."""
    with Simulator(Organization(owner="editor@example.org"), latency=0.25) as simulator:
        yield simulator


def connect(installation: Installation, simulator: Simulator, folder: Path) -> str:
    """An integration in mode manage whose next sync invites everybody; its name."""
    name = f"Newsroom {simulator.base_url.rpartition(':')[2]}"
    words = ("connect", "openai", "--name", name, "--key-stdin", "--base-url", simulator.base_url)
    installation.run(*words, "--mode", "manage", stdin=simulator.organization.admin_key)
    people = folder / "people.csv"
    joiners = [f"{email},writers" for email in JOINERS]
    people.write_text("\n".join(["email,groups", "editor@example.org,editors", *joiners]))
    installation.run("import_people", str(people))
    installation.settled()
    return name


def follow(installation: Installation, name: str, folder: Path, rules: str = RULES) -> None:
    """These rules and no others, by default those that let everybody in; their import starts a sync through
    Celery.
    """
    table = folder / "rules.toml"
    table.write_text(rules)
    installation.run("import_rules", str(table), "--integration", name)


def invited(simulator: Simulator) -> list[str]:
    return sorted(invite.email for invite in simulator.organization.invites.values())


def posts(simulator: Simulator) -> int:
    return sum(asked.method == "POST" for asked in simulator.requests)


def test_a_job_whose_worker_was_killed_is_finished_by_another_and_repeats_nothing(
    three_processes: ThreeProcesses, slow_newsroom: Simulator, tmp_path: Path
) -> None:
    name = connect(three_processes, slow_newsroom, tmp_path)
    follow(three_processes, name, tmp_path)
    eventually(lambda: len(invited(slow_newsroom)) >= 3, 30, "The third invite")
    three_processes.kill("worker")
    time.sleep(1)
    reached = len(invited(slow_newsroom))
    assert 3 <= reached < len(JOINERS)

    three_processes.launch_worker()

    done = three_processes.settled()[0]
    assert (done["state"], done["counts"]["done"]) == ("succeeded", len(JOINERS))
    assert invited(slow_newsroom) == sorted(JOINERS)
    assert posts(slow_newsroom) == len(JOINERS)


def test_a_job_whose_message_was_lost_is_found_by_the_clock(
    three_processes: ThreeProcesses, slow_newsroom: Simulator, tmp_path: Path
) -> None:
    name = connect(three_processes, slow_newsroom, tmp_path)
    three_processes.kill("worker")
    three_processes.kill("clock")
    follow(three_processes, name, tmp_path)
    redis.Redis.from_url(three_processes.settings["CELERY_BROKER_URL"]).flushdb()

    three_processes.launch_worker()
    three_processes.launch_clock()

    eventually(lambda: invited(slow_newsroom) == sorted(JOINERS), 60, "Everybody's invite")
    assert three_processes.settled()[0]["state"] == "succeeded"
    assert posts(slow_newsroom) == len(JOINERS)
