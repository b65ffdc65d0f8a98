"""`make bench`: how long large things take and how much memory, each in a process of its own.

A measurement is a function in MEASUREMENTS: given a new, empty installation, it answers with its figures.
Without PostgreSQL they are measured on SQLite only.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import psycopg
from tqdm import tqdm

from tests import safety_page
from tests.environment import new_fernet_key
from tests.machine import Services

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PEOPLE = 100_000


@dataclass(frozen=True)
class Figure:
    what: str
    seconds: float
    cpu: float
    megabytes: float
    limit: float
    """Seconds that it may take."""

    @property
    def is_kept(self) -> bool:
        return self.seconds <= self.limit

    def line(self, database: str) -> str:
        kept = "" if self.is_kept else " **too long**"
        return (
            f"| {self.what} | {database} | {self.seconds:.1f} s{kept} | {self.cpu:.1f} s | "
            f"{self.megabytes:.0f} MB | {self.limit:.0f} s |"
        )


HEAD = "| what | database | took | of it CPU | most memory | limit |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Installation:
    """A database of its own, and a place for files."""

    database_url: str
    folder: Path

    def run(self, what: str, *arguments: str, limit: float) -> Figure:
        """A management command as a whole, from the start of Python to its end."""
        began = time.monotonic()
        with (self.folder / "said").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self._env(), stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            if status:
                said.seek(0)
                raise SystemExit(f"{what}: {said.read().decode()}")
        seconds = time.monotonic() - began
        return Figure(what, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, limit)

    def printed(self, *arguments: str) -> str:
        """What a management command says on standard output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._env(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def _env(self) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.database_url,
            "DJANGO_SECRET_KEY": "b" * 60,
            "FERNET_KEYS": new_fernet_key(),
            "ENV_FILE": os.devnull,
            "CELERY_BROKER_URL": "memory://",
        }
        return os.environ | own


# -- people from files


def imports(here: Installation, kind: str) -> Iterator[Figure]:
    """All new; all as they are; a tenth changed; and a tenth left, by a file that is complete."""
    steps: list[tuple[str, dict[str, int], list[str]]] = [
        ("added", {}, []),
        ("untouched", {}, []),
        (f"{PEOPLE // 10:,} changed", {"changed": PEOPLE // 10}, []),
        (f"--replace, {PEOPLE // 10:,} left", {"changed": PEOPLE // 10, "gone": PEOPLE // 10}, ["--replace"]),
    ]
    for told, different, options in steps:
        file = people_file(here.folder / f"people.{kind}", **different)
        yield here.run(f"{kind.upper()}: {told}", "import_people", str(file), *options, limit=30)


def people_file(file: Path, *, changed: int = 0, gone: int = 0) -> Path:
    rows = [
        ("email", "name", "active", "groups", "aliases", "department", "title", "employee_id", "start_date")
    ]
    for n in range(PEOPLE - gone):
        groups, title = f"group {n % 50};department {n % 20}", "Changed" if n < changed else f"Title {n % 9}"
        rows.append(
            (
                f"person{n}@example.org",
                f"Pérson Number {n}",
                "yes",
                groups,
                f"p{n}@example.com",
                f"Department {n % 40}",
                title,
                str(PEOPLE + n),
                "2020-01-31",
            )
        )
    if file.suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows(rows)
        return file
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(file)
    return file


# -- the ledger


def ledger(here: Installation) -> Iterator[Figure]:
    """Of a million entries: read and checked, and written out."""
    here.printed("shell", "--verbosity=0", "--command=from tests import long_ledger; long_ledger.write()")
    yield here.run("1,000,000 entries: history verify", "history", "verify", limit=30)
    yield here.run("1,000,000 entries: history export", "history", "export", "--format", "json", limit=60)


Measurement = Callable[[Installation], Iterator[Figure]]

MEASUREMENTS: dict[str, Measurement] = {
    "csv": lambda here: imports(here, "csv"),
    "xlsx": lambda here: imports(here, "xlsx"),
    "ledger": ledger,
}


# -- the run


@contextmanager
def installation(database: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as folder:
        made = {"SQLite": sqlite, "PostgreSQL": postgresql}[database]
        with made(Path(folder)) as url:
            here = Installation(url, Path(folder))
            here.run("migrate", "migrate", "--verbosity=0", limit=300)
            yield here


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'cakewalk.sqlite3'}"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    server, name = Services.from_environment().database_url, f"cakewalk_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/performance.md")
    given = parser.parse_args()
    missing = Services.from_environment().missing()
    if missing:
        print(f"On SQLite only: PostgreSQL with Redis {missing}", flush=True)
    lines, all_kept = [HEAD], True
    print(HEAD, flush=True)
    databases = ["SQLite"] if missing else ["SQLite", "PostgreSQL"]
    measured = [(name, database) for name in given.only or MEASUREMENTS for database in databases]
    for name, database in (bar := tqdm(measured, leave=False, disable=None)):
        bar.set_description(f"{name} on {database}")
        with installation(database) as here:
            for figure in MEASUREMENTS[name](here):
                lines.append(figure.line(database))
                all_kept = all_kept and figure.is_kept
                bar.clear()
                print(lines[-1], flush=True)
    if given.write:
        write(lines)
    return 0 if all_kept else 1


def write(lines: list[str]) -> None:
    said = f"On {datetime.now(UTC):%Y-%m-%d}, with {os.cpu_count()} cores:"
    safety_page.write("bench", "\n".join([said, "", *lines]), PAGE)


if __name__ == "__main__":
    sys.exit(main())
