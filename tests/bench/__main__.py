"""Run all parts of `make bench`, or some; print what they find, and keep it in docs/ if asked to.

The exit status is 1 when a limit was not kept.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import importlib
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django
import psycopg
import redis

from tests import safety_page
from tests.bench.drawing import draw
from tests.bench.installation import ROOT
from tests.bench.result import Result
from tests.machine import Services

PARTS = (
    "start",
    "sync",
    "latency",
    "apply",
    "imports",
    "ledger",
    "pages",
    "leavers",
    "integrations",
    "scaling",
)
BY_NAME = ("endurance",)
"""Too long for the run of everything: measured where they are asked for by their name."""
DOCS = ROOT / "docs"
PLOTS = DOCS / "performance"
CONSTANTS = PLOTS / "constants.json"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[*PARTS, *BY_NAME], action="append")
    parser.add_argument("--write", action="store_true", help="keep what is found in docs/")
    given = parser.parse_args()
    if missing := Services.from_environment().missing():
        print(f"On SQLite only: PostgreSQL with Redis {missing}", file=sys.stderr)
    missed: list[str] = []
    for part in given.only or PARTS:
        began = time.monotonic()
        result: Result = importlib.import_module(f"tests.bench.{part}").measure()
        print(
            f"## {part}, measured in {time.monotonic() - began:.0f} s\n\n{result.as_markdown()}\n", flush=True
        )
        missed += result.missed
        if given.write:
            _keep(part, result)
    return 1 if missed else 0


def _keep(part: str, result: Result) -> None:
    PLOTS.mkdir(exist_ok=True)
    if result.constants:
        CONSTANTS.write_text(f"{json.dumps(dict(result.constants), indent=2)}\n")
    for plot in result.plots:
        draw(plot, PLOTS)
    safety_page.write(part, f"{_machine()}\n\n{result.as_markdown()}", page_of(part))


def page_of(part: str) -> Path:
    return DOCS / ("scaling.md" if part == "scaling" else "performance.md")


def _machine() -> str:
    parts = [f"{os.cpu_count()} cores of {_processor()}", f"Python {platform.python_version()}"]
    parts.append(f"Django {django.__version__}")
    services = Services.from_environment()
    if not services.missing():
        with psycopg.connect(services.database_url) as connection:
            version = connection.info.server_version
        parts.append(f"PostgreSQL {version // 10000}.{version % 10000}")
        with redis.Redis.from_url(services.broker_url) as broker:
            parts.append(f"Redis {dict(broker.info('server'))['redis_version']}")
    return f"On {datetime.now(UTC):%Y-%m-%d}: {', '.join(parts)}."


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
