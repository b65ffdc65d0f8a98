"""How long every page of the admin takes in an installation with a million actions. Part of `make bench`.

A small company with something on every page is multiplied in the database (`tests.large_company`), and each
page is asked for as its users ask for it: signed in, with the role that sees most.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import json
import os
import sys
from datetime import UTC, datetime

from tests import bench, safety_page
from tests.machine import Services

MOST_SECONDS = 0.3
"""The limit for one page."""

SHOWN = 12
"""The slowest pages, which are told one by one."""

HEAD = "| page | database | took |\n|---|---|---|"

Took = dict[str, float]


def measured(database: str) -> Took:
    """Seconds by page."""
    with bench.installation(database) as here:
        said = here.printed(
            "shell", "--verbosity=0", "--command=from tests import large_company; large_company.tell()"
        )
    found: Took = json.loads(said)
    return found


def table(took: dict[str, Took]) -> list[str]:
    """By database: the slowest of all, and how many there are."""
    lines = [HEAD]
    for database, pages in took.items():
        slowest = sorted(pages, key=lambda name: -pages[name])
        lines += [_line(name, database, pages[name]) for name in slowest[:SHOWN]]
        rest = slowest[SHOWN:]
        lines.append(_line(f"each of {len(rest)} more at most", database, pages[rest[0]]))
    return lines


def _line(name: str, database: str, seconds: float) -> str:
    late = " **too long**" if seconds > MOST_SECONDS else ""
    return f"| {name} | {database} | {seconds * 1000:.0f} ms{late} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/performance.md")
    given = parser.parse_args()
    missing = Services.from_environment().missing()
    took = {name: measured(name) for name in ["SQLite", *([] if missing else ["PostgreSQL"])]}
    lines = table(took)
    print("\n".join(lines), flush=True)
    if given.write:
        said = f"On {datetime.now(UTC):%Y-%m-%d}, with {os.cpu_count()} cores:"
        safety_page.write("pages", "\n".join([said, "", *lines]), bench.PAGE)
    return 0 if all(seconds <= MOST_SECONDS for pages in took.values() for seconds in pages.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
