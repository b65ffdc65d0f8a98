"""A worker that is told to stop: what is in hand ends, or is handed over at once."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from cakewalk import stopping
from cakewalk.ledger.models import Entry
from provisioning import reconciliation, requesting, tasks
from provisioning.models import Action, ProvisioningJob
from tests.provisioning.test_interruptions import during, invited, joiners
from tests.provisioning.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _asked_to_stop_and_started_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)
    yield
    start_again()


def start_again() -> None:
    stopping._asked_at[:] = bytes(8)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs of which a worker was told."""
    jobs: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", lambda *, job_id: jobs.append(job_id))
    return jobs


def stop(patience: float, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(stopping, "PATIENCE", patience)
    return stopping.ask


def test_what_does_not_end_in_time_is_handed_over_to_another_worker_which_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, woken: list[int]
) -> None:
    joiners(world, 3)
    job = requesting.request_job(world.integration, deliver=False)
    during(monkeypatch, "invite", stop(0.0, monkeypatch))

    tasks.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.holder, invited(world)) == ("queued", "", ["new0@example.org"])
    assert not job.actions.filter(state=Action.State.STARTED).exists()
    assert woken == [job.pk]
    assert Entry.objects.filter(verb="job.given_back").count() == 1

    start_again()
    tasks.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert job.state == ProvisioningJob.State.SUCCEEDED
    assert sorted(invited(world)) == [f"new{place}@example.org" for place in range(3)]
    assert len(world.writes()) == 3


def test_what_ends_in_time_is_not_handed_over(
    world: World, monkeypatch: pytest.MonkeyPatch, woken: list[int]
) -> None:
    joiners(world, 3)
    job = requesting.request_job(world.integration, deliver=False)
    during(monkeypatch, "invite", stop(60.0, monkeypatch))

    tasks.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, len(invited(world)), woken) == ("succeeded", 3, [])


def test_a_read_is_handed_over_before_there_is_a_plan(
    world: World, monkeypatch: pytest.MonkeyPatch, woken: list[int]
) -> None:
    joiners(world, 1)
    job = requesting.request_job(world.integration, deliver=False)
    monkeypatch.setattr(stopping, "PATIENCE", -1.0)
    stopping.ask()

    tasks.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.planned_at, woken) == ("queued", None, [job.pk])


def test_those_whom_celery_forks_hear_of_it() -> None:
    """As the signal reaches their parent alone."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        while not any(stopping._asked_at[:]):
            time.sleep(0.01)
        os.write(write, b"heard")
        os._exit(0)
    stopping.ask()
    assert os.read(read, 10) == b"heard"
    os.waitpid(child, 0)
