"""A real worker is told to stop while it has a job in hand, and another one is there."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.stack.installation import ThreeProcesses, eventually
from tests.stack.test_recovery import JOINERS, connect, follow, invited, posts

pytestmark = [pytest.mark.services, pytest.mark.soak]

HOLDER = "SELECT holder FROM provisioning_provisioningjob WHERE state = 'running'"
GIVEN_BACK = "SELECT count(*) FROM ledger_entry WHERE verb = 'job.given_back'"


@pytest.fixture
def very_slow_newsroom() -> Iterator[Simulator]:
    """So slow that a job takes far longer than a worker waits for it."""
    with Simulator(Organization(owner="editor@example.org"), latency=4.0) as simulator:
        yield simulator


def seconds_until(moment: float) -> float:
    return time.monotonic() - moment


def test_a_job_in_hand_is_handed_over_and_goes_on_within_seconds(
    three_processes: ThreeProcesses, very_slow_newsroom: Simulator, tmp_path: Path
) -> None:
    name = connect(three_processes, very_slow_newsroom, tmp_path)
    follow(three_processes, name, tmp_path)
    eventually(lambda: len(invited(very_slow_newsroom)) >= 2, 60, "The second invite")
    [[holder]] = three_processes.rows(HOLDER)
    told = three_processes.processes.pop("worker")
    three_processes.launch_worker()

    told.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()

    def has_another() -> bool:
        return bool([one for [one] in three_processes.rows(HOLDER) if one != holder])

    eventually(has_another, 40, "Another worker's hand")
    went_on_after = seconds_until(asked_at)
    told.wait(40)
    ended_after = seconds_until(asked_at)
    print(f"went on after {went_on_after:.1f} s; the first had ended after {ended_after:.1f} s")  # noqa: T201
    assert went_on_after < 25
    assert told.returncode == 0
    assert three_processes.rows(GIVEN_BACK) == [(1,)]

    done = three_processes.settled()[0]
    assert (done["state"], done["counts"]["done"]) == ("succeeded", len(JOINERS))
    assert invited(very_slow_newsroom) == sorted(JOINERS)
    assert posts(very_slow_newsroom) == len(JOINERS)
