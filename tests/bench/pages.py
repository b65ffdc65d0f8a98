"""How long every page of the admin takes in an installation with a million actions.

A small company with something on every page is multiplied in the database (`large_company`), and each page is
asked for as its users ask for it: signed in, with the role that sees most. Beside it: the same page in the
small company, before it grows.
"""

import json
from collections.abc import Iterator, Mapping

from tqdm import tqdm

from tests.bench.installation import databases, installation
from tests.bench.result import Result, Table

MOST_SECONDS = 0.3
"""The limit for one page."""

SHOWN = 12
"""The slowest pages, which are told one by one."""

HEAD = ("page", "database", "took", "in a small company")

Took = Mapping[str, Mapping[str, float]]
"""Seconds of each page, by `small` and `large`."""


def measure() -> Result:
    rows: list[tuple[str, ...]] = []
    missed: list[str] = []
    for database in tqdm(databases(), "pages", leave=False, disable=None):
        took = _measured(database)
        rows += _rows(database, took)
        late = [name for name, seconds in took["large"].items() if seconds > MOST_SECONDS]
        missed += [f"{name} on {database} took {took['large'][name] * 1000:.0f} ms." for name in late]
    return Result([Table(HEAD, rows)], missed=missed)


def _measured(database: str) -> Took:
    with installation(database) as here:
        found: Took = json.loads(here.shell("from tests.bench import large_company; large_company.tell()"))
    return found


def _rows(database: str, took: Took) -> Iterator[tuple[str, ...]]:
    small, large = took["small"], took["large"]
    slowest = sorted(large, key=lambda name: -large[name])
    for name in slowest[:SHOWN]:
        yield name, database, f"{large[name] * 1000:.0f} ms", f"{small[name] * 1000:.0f} ms"
    rest = slowest[SHOWN:]
    most = max(small[name] for name in rest)
    yield (
        f"each of {len(rest)} more at most",
        database,
        f"{large[rest[0]] * 1000:.0f} ms",
        f"{most * 1000:.0f} ms",
    )
