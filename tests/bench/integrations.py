"""How many syncs a minute workers come to, with a thousand integrations that are due at once.

Real worker processes on PostgreSQL with Redis, and one directory with everybody in it. Nothing is to be
changed. A server that keeps its pages stands in for all organizations.
"""

import os
import signal
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from tests.bench import processes
from tests.bench.many_integrations import Many, many_integrations
from tests.bench.many_organizations import domain
from tests.bench.result import Plot, Result, Table
from tests.machine import Services
from tests.stack.installation import eventually

INTEGRATIONS = 1_000
MEMBERS = 100
JOBS = 240
"""With each number of workers; a fresh set of integrations, so that each sync is the first of its kind."""
WORKERS = (1, 2, 4)
APPENDS = 300
FLAT = 1.05
"""What a worker's memory may grow by, from a quarter of its jobs to the last."""

HEAD = (
    "worker processes",
    "jobs a minute",
    "beside one",
    "CPU of workers a job",
    "CPU of PostgreSQL a job",
    "memory of a worker",
    "grown since a quarter of the jobs",
    "longest wait beside the median's",
)

DUE = """
UPDATE integrations_integration
SET next_sync_at = now() - interval '1 hour' - (1000 - id %% 1000) * interval '1 second'
WHERE name = ANY(%s)
"""
ENDED = """
SELECT started_at, finished_at, state, integration_id, (read->>'calls')::int FROM provisioning_provisioningjob
WHERE id > %s AND finished_at IS NOT NULL ORDER BY started_at
"""
APPEND = """
import time
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from integrations.models import Integration
of = Integration.objects.first()
began = time.monotonic()
for _ in range({appends}):
    record(Verb.CHANGED, of, facts=dict(measured=True))
print((time.monotonic() - began) / {appends})
"""


ASK = "from provisioning.tasks import start_due_syncs; start_due_syncs.delay()"


@dataclass(frozen=True)
class Run:
    """So many jobs by so many worker processes."""

    workers: int
    minutes: float
    jobs: int
    cpu: float
    postgresql: float
    megabytes: float
    grown: float
    longest_wait: float
    wal: float
    entries: float
    commands: float
    calls: float
    ended: Sequence[str]
    integrations: int

    @property
    def a_minute(self) -> float:
        return self.jobs / self.minutes


def measure() -> Result:
    if missing := Services.from_environment().missing():
        return Result([], missed=[f"Many integrations were not measured: PostgreSQL with Redis {missing}"])
    with many_integrations(INTEGRATIONS, MEMBERS) as here:
        _told("set up")
        runs = []
        for place, workers in enumerate(WORKERS):
            runs.append(_run(here, workers, first=1 + place * JOBS))
            _told(f"{workers} workers: {runs[-1].a_minute:.0f} jobs a minute")
        append = float(here.run("shell", "--verbosity=0", "--command", APPEND.format(appends=APPENDS)))
    return Result(
        [Table(HEAD, [_row(run, runs[0]) for run in runs]), _costs(runs, append)],
        [_plot(runs)],
        [*_missed(runs)],
        _constants(runs, append),
    )


def _told(what: str) -> None:
    sys.stderr.write(f"integrations: {what}\n")


def _run(here: Many, workers: int, *, first: int) -> Run:
    names = [domain(number) for number in range(first, first + JOBS)]
    database, broker = here.settings["DATABASE_URL"], here.settings["CELERY_BROKER_URL"]
    with psycopg.connect(database, autocommit=True) as connection, redis.Redis.from_url(broker) as queue:
        (last_job,) = _one(connection, "SELECT coalesce(max(id), 0) FROM provisioning_provisioningjob")
        connection.execute(DUE, [names])
        process = here.workers(workers)
        children = processes.children(process.pid)
        before = _standing(connection, queue)
        here.run("shell", "--verbosity=0", "--command", ASK)
        ended = lambda: connection.execute(ENDED, [last_job]).fetchall()  # noqa: E731
        eventually(lambda: len(ended()) >= JOBS // 4, 600, "A quarter of the jobs")
        quarter = max(map(processes.megabytes, children))
        eventually(lambda: len(ended()) >= JOBS, 600, "The end of every job")
        megabytes, after = max(map(processes.megabytes, children)), _standing(connection, queue)
        rows = ended()
    process.send_signal(signal.SIGTERM)
    _, _, used = os.wait4(process.pid, 0)
    here.processes.clear()
    waits = [(started - rows[0][0]).total_seconds() for started, *_ in rows]
    return Run(
        workers,
        minutes=(max(row[1] for row in rows) - rows[0][0]).total_seconds() / 60,
        jobs=len(rows),
        cpu=(used.ru_utime + used.ru_stime) / len(rows),
        postgresql=(after[0] - before[0]) / len(rows),
        megabytes=megabytes,
        grown=megabytes / quarter,
        longest_wait=max(waits) / max(statistics.median(waits), 0.001),
        wal=(after[1] - before[1]) / len(rows),
        entries=(after[2] - before[2]) / len(rows),
        commands=(after[3] - before[3]) / len(rows),
        calls=statistics.mean(row[4] for row in rows),
        ended=sorted({row[2] for row in rows}),
        integrations=len({row[3] for row in rows}),
    )


def _one(connection: "psycopg.Connection[Any]", query: Any) -> tuple[Any, ...]:
    return connection.execute(query).fetchone() or ()


def _standing(connection: "psycopg.Connection[Any]", queue: "redis.Redis") -> tuple[float, float, int, int]:
    """PostgreSQL's CPU so far, its log in bytes, the entries of the ledger, and what Redis was asked."""
    (wal,) = _one(connection, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    (entries,) = _one(connection, "SELECT count(*) FROM ledger_entry")
    (backend,) = _one(connection, "SELECT pg_backend_pid()")
    asked = int(dict(queue.info("stats"))["total_commands_processed"])
    return processes.cpu_of_family(processes.parent(backend)), float(wal), int(entries), asked


# -- what is told


def _row(run: Run, one: Run) -> tuple[str, ...]:
    return (
        str(run.workers),
        f"{run.a_minute:.0f}",
        f"{run.a_minute / one.a_minute:.2f} times",
        f"{run.cpu * 1000:.0f} ms",
        f"{run.postgresql * 1000:.0f} ms",
        f"{run.megabytes:.0f} MB",
        f"{run.grown - 1:.1%}",
        f"{run.longest_wait:.1f} times",
    )


def _costs(runs: Sequence[Run], append: float) -> Table:
    one = runs[0]
    rows = [
        ("bytes of PostgreSQL's log", f"{one.wal:,.0f}"),
        ("entries of the ledger", f"{one.entries:.1f}"),
        ("commands to Redis", f"{one.commands:.1f}"),
        ("calls to the remote", f"{one.calls:.1f}"),
        ("an entry of the ledger, with its commit: one after the other", f"{append * 1000:.1f} ms"),
    ]
    return Table(("what a sync without changes costs besides", "each"), rows)


def _plot(runs: Sequence[Run]) -> Plot:
    measured = [(float(run.workers), run.a_minute) for run in runs]
    ideal = [(float(run.workers), run.workers * runs[0].a_minute) for run in runs]
    lines = {"measured": measured, "as many times as there are workers": ideal}
    title = f"{INTEGRATIONS:,} integrations of {MEMBERS} members"
    return Plot("integrations", title, "worker processes", "syncs a minute", lines)


def _missed(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if run.integrations != run.jobs or run.ended != ["succeeded"]:
            yield f"{run.workers} workers: {run.jobs} jobs of {run.integrations} integrations {run.ended}."
        if run.grown > FLAT:
            yield f"{run.workers} workers: their memory grew by {run.grown - 1:.0%}."
    if runs[1].a_minute < 1.2 * runs[0].a_minute and (os.cpu_count() or 1) > 1:
        yield "Two workers come to less than 1.2 times as many jobs as one."


def _constants(runs: Sequence[Run], append: float) -> dict[str, float]:
    one, best = runs[0], max(run.a_minute for run in runs)
    return {
        "calls_per_job": round(one.calls, 2),
        "cpu_of_a_worker_per_job": round(one.cpu, 4),
        "cpu_of_postgresql_per_job": round(one.postgresql, 4),
        "redis_commands_per_job": round(one.commands, 1),
        "wal_bytes_per_job": round(one.wal),
        "ledger_entries_per_job": round(one.entries, 2),
        "seconds_per_ledger_entry": round(append, 5),
        "jobs_a_minute_of_this_machine": round(best, 1),
        "megabytes_of_a_worker": round(one.megabytes, 1),
    }
