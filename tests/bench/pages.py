"""How long every page of the admin takes with a million actions, and how long every export.

A small company with something on every page is multiplied in the database (`large_company`), and each page is
asked for as its users ask for it: signed in, with the role that sees most. Beside it: the same page in the
small company, before it grows.

`make bench ONLY=pages WHOLE=1` also sends the whole history in each form, which takes minutes.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from tqdm import tqdm

from tests.bench.installation import databases, installation
from tests.bench.result import Result, Table

MOST_SECONDS = 0.3
"""The limit for one page, and for the first byte of an export."""

SHOWN = 12
"""The slowest pages, which are told one by one."""

HEAD = ("page", "database", "took", "in a small company")
EXPORTS_HEAD = (
    "export",
    "database",
    "first row after",
    "in a small company",
    "then a second",
    "memory grew by",
)

WHOLE_HEAD = ("whole export", "database", "rows", "took", "size", "memory grew by")

Took = Mapping[str, float]
"""Seconds of each page."""
Exported = Mapping[str, Any]
"""Of each export what `large_company` tells."""


def measure() -> Result:
    pages: list[tuple[str, ...]] = []
    exports: list[tuple[str, ...]] = []
    whole: list[tuple[str, ...]] = []
    tell = f"large_company.tell(whole={bool(os.environ.get('WHOLE'))})"
    missed: list[str] = []
    for database in tqdm(databases(), "pages", leave=False, disable=None):
        with installation(database) as here:
            told = json.loads(here.shell(f"from tests.bench import large_company; {tell}"))
        pages += _pages(database, told["small"], told["large"])
        exports += _exports(database, told["small exports"], told["large exports"])
        first = {f"{name}, the first row": one["first"] for name, one in told["large exports"].items()}
        missed += [
            f"{name} on {database} took {seconds * 1000:.0f} ms."
            for name, seconds in {**told["large"], **first}.items()
            if seconds > MOST_SECONDS
        ]
        whole += _whole(database, told["whole exports"])
        missed += [
            f"{name} on {database} left off {one['missing']} of its rows."
            for name, one in told["whole exports"].items()
            if one["missing"] or not one["whole"]
        ]
    tables = [Table(HEAD, pages), Table(EXPORTS_HEAD, exports)]
    return Result([*tables, Table(WHOLE_HEAD, whole)] if whole else tables, missed=missed)


def _pages(database: str, small: Took, large: Took) -> Iterator[tuple[str, ...]]:
    slowest = sorted(large, key=lambda name: -large[name])
    for name in slowest[:SHOWN]:
        yield name, database, _milliseconds(large[name]), _milliseconds(small[name])
    rest = slowest[SHOWN:]
    most = max(small[name] for name in rest)
    yield f"each of {len(rest)} more at most", database, _milliseconds(large[rest[0]]), _milliseconds(most)


def _exports(database: str, small: Exported, large: Exported) -> Iterator[tuple[str, ...]]:
    for name, one in large.items():
        yield (
            name.replace(" export", ":"),
            database,
            _milliseconds(one["first"]),
            _milliseconds(small[name]["first"]),
            f"{one['bytes'] / one['seconds'] / 1e6:.1f} MB",
            f"{one['megabytes']:.0f} MB",
        )


def _whole(database: str, exports: Exported) -> Iterator[tuple[str, ...]]:
    for name, one in exports.items():
        took, size = f"{one['seconds']:.0f} s", f"{one['bytes'] / 1e6:.0f} MB"
        shown = name.replace(" export", ":")
        yield shown, database, f"{one['rows']:,}", took, size, f"{one['megabytes']:.0f} MB"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
