"""What parts of `make bench` measure in: new databases, and processes whose costs are told at their end."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.environment import new_fernet_key
from tests.machine import Services

ROOT = Path(__file__).parents[2]
SMALL = Path(__file__).with_name("small.py")


@dataclass(frozen=True)
class Spent:
    """By a process, from its start to its end."""

    seconds: float
    cpu: float
    megabytes: float
    """At most."""
    printed: str


def spent_by(
    words: Sequence[str], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, stdin: str = ""
) -> Spent:
    """What a Python process takes. One that fails ends the run, with what it printed."""
    with tempfile.NamedTemporaryFile("r") as took:
        done = subprocess.run(
            [sys.executable, "-I", "-S", SMALL, took.name, *words],
            cwd=cwd,
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        seconds, cpu, megabytes = json.load(took)
        return Spent(seconds, cpu, megabytes, done.stdout)


@dataclass(frozen=True)
class Installation:
    """A database of its own, and a place for files."""

    database_url: str
    folder: Path
    fernet_key: str

    def run(self, *words: str, stdin: str = "") -> Spent:
        """A management command as a whole."""
        return spent_by(["manage.py", *words], env=self.environment, stdin=stdin)

    def shell(self, code: str) -> str:
        """What code in Django's shell prints."""
        return self.run("shell", "--verbosity=0", f"--command={code}").printed

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.database_url,
            "DJANGO_SECRET_KEY": "b" * 60,
            "FERNET_KEYS": self.fernet_key,
            "ENV_FILE": os.devnull,
            "CELERY_BROKER_URL": "memory://",
        }
        return os.environ | own


def databases() -> Sequence[str]:
    return ["SQLite"] if Services.from_environment().missing() else ["SQLite", "PostgreSQL"]


@contextmanager
def installation(database: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as folder:
        made = {"SQLite": _sqlite, "PostgreSQL": _postgresql}[database]
        with made(Path(folder)) as url:
            here = Installation(url, Path(folder), new_fernet_key())
            here.run("migrate", "--verbosity=0")
            yield here


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'cakewalk.sqlite3'}"


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    server, name = Services.from_environment().database_url, f"cakewalk_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
