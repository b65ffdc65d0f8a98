"""What a piece of work costs the process that does it."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Of the work alone, without the start of its process; but `most_mb` is of the whole process, and
    `base_mb` what that had before the work.
    """

    cpu: float
    wall: float
    base_mb: float
    most_mb: float

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def measured(work: Callable[[], object]) -> Cost:
    base, cpu, wall = memory("VmRSS"), time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall, base, memory("VmHWM"))


def memory(what: str) -> float:
    """In megabytes. Asked of Linux itself: what `getrusage` tells begins with the memory of the parent."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1]) / 1024
