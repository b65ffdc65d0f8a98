"""`make soak`: generated tests with very many cases, chaos with many seeds, a kill at every step, outages.

Says with which seed it began, so that it can be repeated, and writes its figures into docs/safety.md.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from tests import safety_page
from tests.effort import LIVES, PERCENT
from tests.machine import Services

SUBJECTS = ("any_plan", "any_listing", "any_restore", "convergence", "matching", "safety")
TESTS = [f"tests/provisioning/test_{subject}.py" for subject in SUBJECTS]
BY_SEEDS = ("tests/provisioning/test_chaos.py", "tests/provisioning/test_foreseeing.py")
OUTAGES = (
    "tests/stack/test_outages.py",
    "tests/stack/test_recovery.py",
    "tests/stack/test_probes.py",
    "tests/stack/test_stopping.py",
    "tests/stack/test_one_id.py",
    "tests/provisioning/test_rate.py",
)
LEAST_CASES = 100_000 * PERCENT // 100
LONGEST_SECONDS = 45 * 60
STATISTICS = re.compile(r"^tests/\S+?::(\S+):\n\n(?:  .*\n)*?    - ([\d,]+) passing", re.MULTILINE)


def generate(seed: int) -> tuple[bool, dict[str, int]]:
    """Whether all went well, and how many cases passed by test."""
    words = ["-q", "-n", "2", "--dist", "worksteal", "--hypothesis-show-statistics"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"--hypothesis-seed={seed}", *TESTS, *BY_SEEDS],
        env=os.environ | {"HYPOTHESIS_PROFILE": "soak", "SOAK_SEED": str(seed)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
    found = STATISTICS.findall(done.stdout)
    return done.returncode == 0, {_named(test): int(passed.replace(",", "")) for test, passed in found}


def _named(test: str) -> str:
    return test.removesuffix("::runTest")


def kill() -> tuple[bool, str]:
    """Whether all went well, and the sentence that sums it up."""
    missing = Services.from_environment().missing()
    if missing:
        print(f"Workers are killed on SQLite only: PostgreSQL with Redis {missing}", flush=True)
    matrix = [sys.executable, "-m", "tests.killing.matrix", *(["--only", "sqlite"] if missing else [])]
    done = subprocess.run(matrix, stdout=subprocess.PIPE, text=True, timeout=LONGEST_SECONDS, check=False)
    print(done.stdout, flush=True)
    return done.returncode == 0, done.stdout.strip().rpartition("\n")[2]


def cut_off() -> tuple[bool, str]:
    """Whether all went well, and the sentence that sums it up. Mostly waiting, so four at a time."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "4", *OUTAGES],
        env=os.environ | {"HYPOTHESIS_PROFILE": "soak"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    print(done.stdout, flush=True)
    survived = re.search(r"(\d+) passed", done.stdout)
    return done.returncode == 0, f"{survived[1] if survived else 'No'} outages and low limits survived."


def figures(seed: int, cases: Mapping[str, int], survived: str, seconds: float) -> str:
    said = (
        f"On {datetime.now(UTC):%Y-%m-%d}, with seed {seed}, in {seconds / 60:.0f} minutes: "
        f"{sum(cases.values()):,} generated cases and {LIVES} lives in chaos of 25 syncs each; nothing found."
    )
    lines = [f"| `{test}` | {number:,} |" for test, number in sorted(cases.items())]
    return "\n".join([f"{said} {survived}", "", "| test | cases |", "|---|---|", *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    seed = parser.parse_args().seed
    print(f"Seed {seed}. To repeat it: make soak SEED={seed}", flush=True)
    started = time.monotonic()
    well, cases = generate(seed)
    for test, number in cases.items():
        print(f"{number:9,}  {test}")
    total, seconds = sum(cases.values()), time.monotonic() - started
    print(f"{total:9,}  generated cases in {seconds:.0f} s, and {LIVES} lives in chaos", flush=True)
    survived, killed = kill()
    went_on, outages = cut_off()
    well = well and survived and went_on and total >= LEAST_CASES
    if well and PERCENT == 100:
        safety_page.write("soak", figures(seed, cases, f"{killed} {outages}", time.monotonic() - started))
    print("make soak: all well." if well else "make soak: NOT well.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
