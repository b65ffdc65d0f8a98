"""Cycles of objects are looked for seldom, where looking takes long and finds none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (100_000, 50, 1_000)
"""So many new objects before the young are looked through, so often before those that stayed, and so on."""


@contextmanager
def seldom() -> Iterator[None]:
    """Of a large sync, Python spends a sixth on looking through all its accounts and people for cycles, again
    and again. What is no longer needed goes without that. Whatever else the process makes meanwhile is
    collected a little later.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def not_among_what_is_there() -> None:
    """For a process that has imported all that it will, and keeps it: to look through that for cycles takes a
    tenth of a second, each time of another request.
    """
    gc.collect()
    gc.freeze()
