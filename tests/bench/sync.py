"""What it costs to sync an organization in which nothing has changed, beside those who merely list it.

Each in a process of its own, of which the start is not counted, against a server of canned pages.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm import tqdm

from tests.bench.cost import Cost
from tests.bench.installation import ROOT, databases, installation, spent_by
from tests.bench.result import Plot, Result, Table

COMPANIES = ((1_000, 5), (10_000, 50), (50_000, 50), (100_000, 200))
"""How many accounts, in how many projects that rules name."""
JUDGED = 50_000
WITH_SDK = 50_000
"""The SDK is not waited for where there are more."""
TRIES = 2
"""The least counts: whatever else the machine does only adds to it."""
MOST_TIMES_BARE = 2.5
MOST_OF_SDK = 0.5
MOST_MB = 150.0
MOST_GROWTH = 1.1
MOST_PLANNING = 2.0

HEAD = (
    "accounts",
    "projects",
    "what",
    "CPU",
    "took",
    "most memory",
    "CPU beside the bare loop",
    "time beside it",
)
SYNC, BARE, SDK = "sync on", "bare loop", "official SDK, listing"
WAYS = {SDK: "sdk", "the same, asynchronous": "sdk-async"}


@dataclass(frozen=True)
class Measured:
    accounts: int
    projects: int
    what: str
    cost: Cost
    bare: Cost

    @property
    def line(self) -> tuple[str, ...]:
        cost = self.cost
        took = (f"{cost.cpu:.2f} s", f"{cost.wall:.2f} s", f"{cost.most_mb:.0f} MB")
        beside = (f"{self.cpu_beside:.1f} times", f"{self.time_beside:.1f} times")
        return f"{self.accounts:,}", str(self.projects), self.what, *took, *beside

    @property
    def cpu_beside(self) -> float:
        return self.cost.cpu / self.bare.cpu

    @property
    def time_beside(self) -> float:
        return self.cost.wall / self.bare.wall


def measure() -> Result:
    found = [
        one for company in tqdm(COMPANIES, "sync", leave=False, disable=None) for one in _company(*company)
    ]
    planning = _told(spent_by(["-m", "tests.bench.planning"]).printed)
    lines = {
        what: [(one.accounts, one.cost.cpu) for one in found if one.what == what]
        for what in dict.fromkeys(one.what for one in found)
    }
    plot = Plot(
        "sync", "A sync without a change, and a mere list", "accounts", "CPU seconds", lines, log=True
    )
    plans = Table(
        ("planning alone", "CPU", "limit"),
        [("100,000 people and as many accounts", f"{planning.cpu:.2f} s", f"{MOST_PLANNING:.0f} s")],
    )
    return Result([Table(HEAD, [one.line for one in found]), plans], [plot], [*_missed(found, planning)])


def _missed(found: list[Measured], planning: Cost) -> Iterator[str]:
    by_place = {(one.accounts, one.what): one for one in found}
    sdk = by_place[JUDGED, SDK]
    for database in databases():
        name = f"{SYNC} {database}"
        one = by_place[JUDGED, name]
        if max(one.cpu_beside, one.time_beside) > MOST_TIMES_BARE:
            yield (
                f"{JUDGED:,} accounts on {database} took {one.cpu_beside:.1f} times the CPU of the bare loop "
                f"and {one.time_beside:.1f} times its time; the limit is {MOST_TIMES_BARE}."
            )
        if one.cost.cpu > MOST_OF_SDK * sdk.cost.cpu:
            yield f"{JUDGED:,} accounts on {database} took more than half of what the SDK lists them with."
        if one.cost.most_mb > MOST_MB:
            yield (
                f"The process had {one.cost.most_mb:.0f} MB, {one.cost.base_mb:.0f} of them before the sync "
                f"of {JUDGED:,} on {database}; the limit is {MOST_MB:.0f}."
            )
        few, many = (by_place[accounts, name].cost.cpu / accounts for accounts in (10_000, 100_000))
        if many > MOST_GROWTH * few:
            yield f"An account of 100,000 took {many / few:.2f} times that of 10,000 on {database}."
    if planning.cpu > MOST_PLANNING:
        yield f"Planning took {planning.cpu:.1f} s of CPU."


def _company(accounts: int, projects: int) -> Iterator[Measured]:
    with canned(accounts, projects) as line:
        bare = _least(_told(_list("floor", line)) for _ in range(TRIES))
        yield Measured(accounts, projects, BARE, bare, bare)
        for what, way in WAYS.items() if accounts <= WITH_SDK else ():
            yield Measured(accounts, projects, what, _told(_list(way, line)), bare)
        for database in databases():
            yield Measured(accounts, projects, f"{SYNC} {database}", _sync(database, accounts, line), bare)


@contextmanager
def canned(accounts: int, projects: int) -> Iterator[str]:
    words = [sys.executable, "-m", "tests.bench.canned", str(accounts), str(projects)]
    server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield server.stdout.readline()
    finally:
        server.terminate()
        server.wait()


def _list(way: str, line: str) -> str:
    return spent_by(["-m", "tests.bench.listing", way], stdin=line).printed


def _sync(database: str, accounts: int, line: str) -> Cost:
    """The second one and those after it: the first writes everything."""
    with installation(database) as here:
        fill = ["-m", "tests.bench.a_sync", "fill", "--members", str(accounts)]
        spent_by(fill, env=here.environment, stdin=line)
        costs = [
            _told(spent_by(["-m", "tests.bench.a_sync", "sync"], env=here.environment).printed)
            for _ in range(1 + TRIES)
        ]
        return _least(iter(costs[1:]))


def _told(printed: str) -> Cost:
    return Cost(**json.loads(printed))


def _least(costs: Iterator[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.cpu)
