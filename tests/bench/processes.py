"""Processes with the children that they start: how much they hold and have used. Only Linux tells."""

import os
from pathlib import Path


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_of_family(pid: int) -> float:
    """Seconds of the process with the children that it has and those that have ended."""
    ticks = sum(map(int, _stat(pid)[11:15]))
    for child in children(pid):
        try:
            ticks += sum(map(int, _stat(child)[11:13]))
        except FileNotFoundError:
            continue  # it has ended meanwhile
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
