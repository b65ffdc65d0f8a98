"""The database, the broker or a part of the worker gone while jobs are in the middle."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.limits import RateLimit
from integrations.connectors.openai.simulator.server import Reply
from tests.stack.installation import Installation, OnTwoLines, SingleOnALine, eventually
from tests.stack.test_recovery import JOINERS, follow, invited, posts

pytestmark = [pytest.mark.services, pytest.mark.soak]

Severable = OnTwoLines | SingleOnALine

COUNT_LIVE = "SELECT count(*) FROM provisioning_provisioningjob WHERE state IN ('queued', 'running')"
PROCESSES_AT_WORK = (
    "SELECT split_part(holder, '/', 2) FROM provisioning_provisioningjob WHERE state = 'running'"
)
UNDONE = """
SELECT job_id, action.kind, action.state, count(*), max(action.error::text)
FROM provisioning_action action JOIN provisioning_provisioningjob job ON job.id = job_id
JOIN integrations_integration remote ON remote.id = integration_id AND remote.name LIKE 'Newsroom%'
WHERE job.mode = 'manage' AND NOT job.preview AND action.kind != 'report'
  AND (action.state != 'done' OR action.confirmed_at IS NULL)
GROUP BY job_id, action.kind, action.state
"""
HOW_JOBS_ENDED = """
SELECT DISTINCT job.state FROM provisioning_provisioningjob job
JOIN integrations_integration remote ON remote.id = integration_id AND remote.name LIKE 'Newsroom%'
WHERE job.mode = 'manage'
"""
OUTAGE_SECONDS = 30.0
LEASE_SECONDS = 180.0
TICK_SECONDS = 15.0
UNDELIVERED_SECONDS = 30.0
MOMENT_SECONDS = 30.0
"""For the rest of a job, on a machine that is busy with other tests."""


class Gated(Simulator):
    """Keeps an answer back, and all after it, while its gate is closed: a job stands just there.

    That is the first request of this method after so many writes. What is asked takes effect after the wait.
    """

    def __init__(self, method: str, after: int) -> None:
        super().__init__(Organization(owner="editor@example.org"))
        self._method, self._after = method, after
        self._opened = threading.Event()
        self._opened.set()
        self.reached = threading.Event()

    def close(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        self._opened.set()

    def reply_to(self, asked: Asked, headers: Mapping[str, str]) -> Reply:
        if not self._opened.is_set() and asked.method == self._method and posts(self) >= self._after:
            self.reached.set()
            self._opened.wait(MOMENT_SECONDS)
        return super().reply_to(asked, headers)


def reading() -> Gated:
    return Gated("GET", 0)


def applying() -> Gated:
    return Gated("POST", 5)


def verifying() -> Gated:
    return Gated("GET", len(JOINERS))


Serve = Callable[[Any], Any]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a simulator until the test ends."""
    with ExitStack() as served:
        yield served.enter_context


def connect(installation: Installation, simulator: Simulator) -> str:
    """An integration that only observes, as long as there are no rules; its name."""
    name = f"Newsroom {urlsplit(simulator.base_url).port}"
    words = ("connect", "openai", "--name", name, "--key-stdin", "--base-url", simulator.base_url)
    installation.run(*words, stdin=simulator.organization.admin_key)
    return name


def people(installation: Installation, folder: Path, *lines: str) -> None:
    """More of them; what this asks for begins at once, in every integration."""
    table = folder / "people.csv"
    table.write_text("\n".join(["email,groups", *lines]))
    installation.run("import_people", str(table))


def stand(installation: Severable, gates: list[Gated], folder: Path) -> list[str]:
    """A job in each of them, begun at once, up to its gate. The names of their integrations."""
    people(installation, folder, "editor@example.org,editors;writers")
    names = [connect(installation, gate) for gate in gates]
    for name in names:
        follow(installation, name, folder)
    wait_for_all(installation, TICK_SECONDS + MOMENT_SECONDS)
    for name in names:
        installation.run("configure", name, "--set", "mode=manage")
    wait_for_all(installation, TICK_SECONDS + MOMENT_SECONDS)
    for gate in gates:
        gate.close()
    people(installation, folder, *[f"{email},writers" for email in JOINERS])
    standing = min(len(gates), installation.at_once)
    eventually(lambda: sum(gate.reached.is_set() for gate in gates) == standing, TICK_SECONDS, "Standstill")
    return names


def live_jobs(installation: Severable) -> int:
    [(number,)] = installation.rows(COUNT_LIVE)
    return int(number)


def wait_for_all(installation: Severable, seconds: float) -> None:
    eventually(lambda: not live_jobs(installation), seconds, "The end of every job")


def job_of(installation: Installation, name: str) -> dict[str, Any]:
    """Its newest one, with the actions."""
    newest = next(job for job in installation.jobs() if job["integration"] == name)
    return dict(installation.document("job", str(newest["job"])))


def each_was_invited_once(installation: Severable, gates: Sequence[Simulator]) -> None:
    all_went_well(installation)
    for gate in gates:
        assert invited(gate) == sorted(JOINERS)
        assert posts(gate) == len(JOINERS)


def all_went_well(installation: Severable) -> None:
    assert installation.rows(UNDONE) == []
    assert installation.rows(HOW_JOBS_ENDED) == [("succeeded",)]


def still_serves(installation: Severable, folder: Path, *simulators: Simulator) -> None:
    """What the directory says next is done, by the processes that there were all the time."""
    assert installation.answers()
    people(installation, folder, "late@example.org,writers")
    everybody = sorted([*JOINERS, "late@example.org"])
    eventually(
        lambda: all(invited(simulator) == everybody for simulator in simulators),
        2 * TICK_SECONDS + MOMENT_SECONDS,
        "The late one's invite",
    )
    wait_for_all(installation, MOMENT_SECONDS)
    assert {posts(simulator) for simulator in simulators} == {len(everybody)}


def test_the_database_gone_in_mid_job_loses_nothing_and_repeats_nothing(
    on_two_lines: OnTwoLines, serve: Serve, tmp_path: Path
) -> None:
    """Three jobs at once: one reads, one has a call in the air, one looks again."""
    gates = [serve(make()) for make in (reading, applying, verifying)]
    stand(on_two_lines, gates, tmp_path)

    on_two_lines.to_database.cut()
    time.sleep(1)
    for gate in gates:
        gate.open()
    time.sleep(OUTAGE_SECONDS - 1)
    on_two_lines.to_database.mend()

    wait_for_all(on_two_lines, LEASE_SECONDS - OUTAGE_SECONDS + TICK_SECONDS + MOMENT_SECONDS)
    each_was_invited_once(on_two_lines, gates)
    still_serves(on_two_lines, tmp_path, *gates)


def test_one_process_outlives_an_outage_of_its_database(
    single_on_a_line: SingleOnALine, serve: Serve, tmp_path: Path
) -> None:
    gate = serve(applying())
    stand(single_on_a_line, [gate], tmp_path)

    single_on_a_line.to_database.cut()
    time.sleep(1)
    gate.open()
    time.sleep(OUTAGE_SECONDS - 1)
    single_on_a_line.to_database.mend()

    wait_for_all(single_on_a_line, LEASE_SECONDS - OUTAGE_SECONDS + TICK_SECONDS + MOMENT_SECONDS)
    assert single_on_a_line.rows(HOW_JOBS_ENDED) == [("succeeded",)]
    assert single_on_a_line.rows(UNDONE) == []
    assert (invited(gate), posts(gate)) == (sorted(JOINERS), len(JOINERS))
    still_serves(single_on_a_line, tmp_path, gate)


def test_a_flushed_broker_delays_queued_jobs_and_harms_none(
    on_two_lines: OnTwoLines, serve: Serve, tmp_path: Path
) -> None:
    """Every hand of the worker has a job, and one more job waits, when Redis forgets everything."""
    gates = [serve(applying()) for _ in range(on_two_lines.at_once + 1)]
    names = stand(on_two_lines, gates, tmp_path)
    broker = redis.Redis.from_url(on_two_lines.broker)
    eventually(lambda: broker.llen("celery"), TICK_SECONDS, "A message that waits")

    broker.flushdb()
    assert broker.llen("celery") == 0
    for gate in gates:
        gate.open()

    wait_for_all(on_two_lines, UNDELIVERED_SECONDS + TICK_SECONDS + MOMENT_SECONDS)
    each_was_invited_once(on_two_lines, gates)
    the_next_sync_is_due(on_two_lines, names[0])
    still_serves(on_two_lines, tmp_path, *gates)


def the_next_sync_is_due(installation: OnTwoLines, name: str) -> None:
    """And begins by itself."""
    before = job_of(installation, name)["job"]
    with psycopg.connect(installation.database) as database:
        database.execute(
            "UPDATE integrations_integration SET next_sync_at = now(), next_sync_trigger = 'schedule' "
            "WHERE name = %s",
            [name],
        )
    eventually(lambda: job_of(installation, name)["job"] > before, 2 * TICK_SECONDS, "The sync that was due")
    wait_for_all(installation, MOMENT_SECONDS)
    job = job_of(installation, name)
    assert (job["trigger"], job["state"], job["counts"]["planned"]) == ("schedule", "succeeded", 0)


def test_a_broker_that_is_away_stops_no_job_and_what_is_asked_meanwhile_is_done_afterwards(
    on_two_lines: OnTwoLines, serve: Serve, tmp_path: Path
) -> None:
    gate = serve(applying())
    stand(on_two_lines, [gate], tmp_path)

    on_two_lines.to_broker.cut()
    gate.open()
    wait_for_all(on_two_lines, MOMENT_SECONDS)
    each_was_invited_once(on_two_lines, [gate])
    people(on_two_lines, tmp_path, "meanwhile@example.org,writers")
    time.sleep(OUTAGE_SECONDS)
    assert posts(gate) == len(JOINERS)
    on_two_lines.to_broker.mend()

    eventually(lambda: "meanwhile@example.org" in invited(gate), 90, "What was asked meanwhile")
    wait_for_all(on_two_lines, MOMENT_SECONDS)
    assert posts(gate) == len(JOINERS) + 1
    assert on_two_lines.answers()


def test_jobs_whose_processes_of_the_workers_pool_were_killed_are_taken_over_by_the_same_worker(
    on_two_lines: OnTwoLines, serve: Serve, tmp_path: Path
) -> None:
    gates = [serve(make()) for make in (reading, applying, verifying)]
    stand(on_two_lines, gates, tmp_path)
    children = {int(number) for (number,) in on_two_lines.rows(PROCESSES_AT_WORK)}
    assert len(children) == len(gates)
    assert {parent_of(child) for child in children} == {on_two_lines.processes["worker"].pid}

    for child in children:
        os.kill(child, signal.SIGKILL)
    for gate in gates:
        gate.open()

    wait_for_all(on_two_lines, 2 * TICK_SECONDS + MOMENT_SECONDS)
    each_was_invited_once(on_two_lines, gates)
    still_serves(on_two_lines, tmp_path, *gates)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


EDITORS_RULE = """
[[rule]]
name = "Editors"
group = "editors"
role = "owner"
state = "active"
"""
CREW_RULE = """
[[rule]]
name = "Crew"
group = "crew"
role = "reader"
projects = [{ name = "Search", role = "member" }]
state = "active"
"""


@pytest.mark.parametrize(
    ("limit", "refusals", "seconds"),
    [(RateLimit(15, 2.0, says_when=True), 10, 180), (RateLimit(120, 10.0, says_when=False), 1, 400)],
    ids=["says when", "says nothing"],
)
def test_an_organization_behind_a_low_rate_limit_is_brought_in_line_all_the_same(
    on_two_lines: OnTwoLines,
    serve: Serve,
    tmp_path: Path,
    limit: RateLimit,
    refusals: int,
    seconds: float,
) -> None:
    """Few enough that any machine comes to it; where a 429 does not say for how long, a minute is waited."""
    organization = Organization(owner="editor@example.org")
    organization.add_project("Search")
    for place in range(40):
        organization.add_member(f"mover{place}@example.org")
        organization.add_member(f"leaver{place}@example.org")
    simulator = serve(Simulator(organization, rate_limit={"": limit}))
    name = connect(on_two_lines, simulator)
    crew = [f"{who}{place}@example.org,crew" for who in ("mover", "joiner") for place in range(40)]
    leavers = [f"leaver{place}@example.org," for place in range(40)]
    people(on_two_lines, tmp_path, "editor@example.org,editors", *crew, *leavers)
    follow(on_two_lines, name, tmp_path, EDITORS_RULE)
    wait_for_all(on_two_lines, seconds)
    may = ("mode=manage", "first_removals=allow", "removal_limit_count=100")
    on_two_lines.run("configure", name, *[word for setting in may for word in ("--set", setting)])
    simulator.requests.clear()

    follow(on_two_lines, name, tmp_path, EDITORS_RULE + CREW_RULE)
    eventually(lambda: simulator.organization.invites, seconds, "The first invite")
    wait_for_all(on_two_lines, seconds)

    all_went_well(on_two_lines)
    accepted = Counter(
        f"{asked.method} {asked.path} {asked.body}"
        for asked in simulator.requests
        if asked.method != "GET" and asked.status == 200
    )
    assert (len(accepted), set(accepted.values())) == (120, {1})
    assert sum(asked.status == 429 for asked in simulator.requests) >= refusals
    # What the job before has used of the limits counts in this one too.
    last = on_two_lines.document("sync", name, seconds=seconds)
    assert last["counts"]["planned"] == 0
