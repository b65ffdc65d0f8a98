"""Whether the memory of a worker stays flat over ten thousand jobs, one after the other in one process.

Few small integrations, whose jobs are asked for again as soon as they have ended, so that there are many jobs
in little time. Real processes on PostgreSQL with Redis; nothing is to be changed.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from celery import Celery

from tests.bench import processes
from tests.bench.many_integrations import Many, many_integrations
from tests.bench.result import Plot, Result, Table
from tests.machine import Services

INTEGRATIONS = 100
MEMBERS = 5
JOBS = 10_000
WARM = 1_000
"""Jobs after which everything is imported and every buffer has been as large as it becomes."""
FLAT = 1.05
"""What the memory may grow by from the 1,000th job to the last."""
EVERY = 250
"""So many jobs lie between two looks at the memory, or a few more."""
QUIET = 60.0
"""Seconds without the end of a job after which something is wrong."""

DUE_AGAIN = """
UPDATE integrations_integration SET next_sync_at = now() - interval '1 minute'
WHERE enabled AND (next_sync_at IS NULL OR next_sync_at > now())
"""
ENDED = "SELECT count(*) FROM provisioning_provisioningjob WHERE id > %s AND finished_at IS NOT NULL"
STATES = "SELECT DISTINCT state FROM provisioning_provisioningjob WHERE id > %s AND finished_at IS NOT NULL"


@dataclass(frozen=True)
class Look:
    """At the worker, when so many jobs had ended."""

    jobs: int
    megabytes: float


def measure() -> Result:
    if missing := Services.from_environment().missing():
        return Result(
            [], missed=[f"The endurance of a worker was not measured: PostgreSQL with Redis {missing}"]
        )
    with many_integrations(INTEGRATIONS, MEMBERS) as here:
        looks, states = _endure(here)
    warm = next(look for look in looks if look.jobs >= WARM)
    grown = looks[-1].megabytes / warm.megabytes
    row = (
        f"{looks[-1].jobs:,}",
        f"{warm.megabytes:.1f} MB",
        f"{looks[-1].megabytes:.1f} MB",
        f"{max(look.megabytes for look in looks):.1f} MB",
        f"{grown - 1:.1%}",
    )
    head = ("jobs of one process", f"memory after {WARM:,}", "after the last", "at most", "grown")
    return Result([Table(head, [row])], [_plot(looks)], [*_missed(grown, states)])


def _endure(here: Many) -> tuple[Sequence[Look], Sequence[str]]:
    """What the one process held as it went, and in which states its jobs ended."""
    celery = Celery()
    celery.conf.broker_write_url = here.settings["CELERY_BROKER_URL"]
    with psycopg.connect(here.settings["DATABASE_URL"], autocommit=True) as connection:
        last = connection.execute("SELECT max(id) FROM provisioning_provisioningjob").fetchone()
        [worker] = processes.children(here.workers(1).pid)
        looks: list[Look] = []
        for jobs in _as_they_end(connection, last, celery):
            if not looks or jobs - looks[-1].jobs >= EVERY or jobs >= JOBS:
                looks.append(Look(jobs, processes.megabytes(worker)))
                sys.stderr.write(f"endurance: {jobs:,} jobs, {looks[-1].megabytes:.1f} MB\n")
        states = [state for (state,) in connection.execute(STATES, last)]
    return looks, states


def _as_they_end(
    connection: "psycopg.Connection[tuple[int]]", last: tuple[int] | None, celery: Celery
) -> Iterator[int]:
    """How many have ended so far, each second until it is all of them; they are asked for meanwhile."""
    ended, quiet_since = 0, time.monotonic()
    while ended < JOBS:
        assert time.monotonic() - quiet_since < QUIET, f"The worker came to {ended} jobs, and to no more."
        connection.execute(DUE_AGAIN)
        celery.send_task("provisioning.tasks.start_due_syncs")
        time.sleep(1)
        (now_ended,) = connection.execute(ENDED, last).fetchone() or (0,)
        if now_ended > ended:
            ended, quiet_since = now_ended, time.monotonic()
            yield ended


def _plot(looks: Sequence[Look]) -> Plot:
    line = [(float(look.jobs), look.megabytes) for look in looks]
    return Plot("endurance", f"{JOBS:,} jobs of one process", "jobs", "MB", {"memory of the worker": line})


def _missed(grown: float, states: Sequence[str]) -> Iterator[str]:
    if grown > FLAT:
        yield f"The memory of a worker grew by {grown - 1:.1%} from its {WARM:,}th job to its last."
    if states != ["succeeded"]:
        yield f"The jobs ended {states}."
