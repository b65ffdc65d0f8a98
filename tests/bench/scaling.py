"""What a fleet carries that is larger than this machine: computed, and tried in a simulation.

Nothing is measured here. What a sync costs each part of the fleet was measured by the part `integrations`, in
docs/performance/constants.json; the simulation queues syncs of that cost at workers, processors, one
PostgreSQL and the one chain of the ledger, as an installation would.
"""

import json
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import simpy
from tqdm import tqdm

from tests.bench.installation import ROOT
from tests.bench.result import Plot, Result, Table

MEASURED = ROOT / "docs" / "performance" / "constants.json"

EVERY_SECONDS = 1800.0
"""The usual time between two syncs of an integration."""
CALL_SECONDS = 0.2
"""How long the remote takes for one answer. Meanwhile a worker waits, and its processor is free."""
WORKERS_PER_CORE = 4
DATABASE_CORES = 4
SIMULATED_SYNCS = 30_000
"""Or as many as fall due in an hour."""
LATE_SECONDS = 60.0
"""A fleet carries what it begins within so many seconds, in 95 of 100 syncs."""
LOADS = (0.5, 0.7, 0.8, 0.9, 0.95, 1.05)
"""Of what is computed as the most."""
FLEETS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Costs:
    """Of one sync in which nothing changed, of an integration with 100 members."""

    calls: float
    worker_seconds: float
    """Of a processor, in a worker."""
    database_seconds: float
    """Of a processor, in PostgreSQL."""
    ledger_seconds: float
    """For which the chain's head is locked at most, so that no other job can write to the ledger."""

    @classmethod
    def measured(cls) -> "Costs":
        told: Mapping[str, float] = json.loads(MEASURED.read_text())
        return cls(
            calls=told["calls_per_job"],
            worker_seconds=told["cpu_of_a_worker_per_job"],
            database_seconds=told["cpu_of_postgresql_per_job"],
            ledger_seconds=told["ledger_entries_per_job"] * told["seconds_per_ledger_entry"],
        )

    @property
    def seconds(self) -> float:
        """How long one takes when nothing else is to be done."""
        return self.calls * CALL_SECONDS + self.worker_seconds + self.database_seconds + self.ledger_seconds


@dataclass(frozen=True)
class Fleet:
    workers: int

    @property
    def cores(self) -> int:
        return max(self.workers // WORKERS_PER_CORE, 1)

    def most_per_second(self, costs: Costs) -> Mapping[str, float]:
        """Syncs that each part can carry at most, by the law of the bottleneck."""
        return {
            "workers": self.workers / costs.seconds,
            "processors of the workers": self.cores / costs.worker_seconds,
            "PostgreSQL": DATABASE_CORES / costs.database_seconds,
            "the ledger's chain": 1 / costs.ledger_seconds,
        }

    def first_to_give(self, costs: Costs) -> tuple[str, float]:
        return min(self.most_per_second(costs).items(), key=lambda part: part[1])


def measure() -> Result:
    costs = Costs.measured()
    rows: list[tuple[str, ...]] = []
    carried: list[tuple[float, float]] = []
    waits: dict[str, list[tuple[float, float]]] = {}
    for workers in tqdm(FLEETS, "scaling", leave=False, disable=None):
        fleet = Fleet(workers)
        part, most = fleet.first_to_give(costs)
        tried = {load: late(fleet, costs, most * load) for load in LOADS}
        # Beyond what was computed they are ever later, only not yet by so much in the time that is simulated.
        load = max((load for load in LOADS if load < 1 and tried[load] <= LATE_SECONDS), default=0.0)
        integrations = int(most * load * EVERY_SECONDS)
        carried.append((workers, integrations))
        waits[f"{workers} workers"] = [(100 * load, tried[load]) for load in LOADS]
        rows.append(
            (
                f"{workers} on {fleet.cores}",
                f"{int(most * EVERY_SECONDS):,}",
                f"{integrations:,}",
                f"{tried[load]:.1f} s" if load else "",
                part,
            )
        )
    head = (
        "workers on cores",
        "integrations at most, computed",
        "carried in the simulation",
        "95 % begin within",
        "gives first",
    )
    some = {
        name: points for name, points in waits.items() if name in ("1 workers", "8 workers", "64 workers")
    }
    return Result(
        [Table(head, rows)],
        [
            Plot(
                "scaling",
                "Integrations with 100 members that a fleet carries",
                "workers",
                "integrations",
                {"simulated": carried},
                log=True,
            ),
            Plot(
                "scaling-waits",
                "How late syncs begin",
                "load, % of the most that was computed",
                "95 % begin within, s",
                some,
            ),
        ],
    )


def late(fleet: Fleet, costs: Costs, per_second: float) -> float:
    """How late 95 of 100 syncs begin, in seconds, when so many fall due each second, at random."""
    world = simpy.Environment()
    workers = simpy.Resource(world, fleet.workers)
    cores = simpy.Resource(world, fleet.cores)
    database, ledger = simpy.Resource(world, DATABASE_CORES), simpy.Resource(world, 1)
    chance, began_late = random.Random(7), list[float]()

    def sync() -> Generator[simpy.Event, Any, Any]:
        due = world.now
        with workers.request() as worker:
            yield worker
            began_late.append(world.now - due)
            yield world.timeout(costs.calls * CALL_SECONDS * chance.uniform(0.5, 1.5))
            for part, seconds in (
                (cores, costs.worker_seconds),
                (database, costs.database_seconds),
                (ledger, costs.ledger_seconds),
            ):
                with part.request() as turn:
                    yield turn
                    yield world.timeout(seconds * chance.uniform(0.5, 1.5))

    def clock() -> Generator[simpy.Event, Any, Any]:
        while True:
            yield world.timeout(chance.expovariate(per_second))
            world.process(sync())

    world.process(clock())
    world.run(until=min(2 * EVERY_SECONDS, SIMULATED_SYNCS / per_second))
    waiting = len(workers.queue)
    ordered = sorted([*began_late, *[float("inf")] * waiting])
    return ordered[int(0.95 * (len(ordered) - 1))]
