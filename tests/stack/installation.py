"""Installations of Cakewalk as users have them: real processes, on a copy of the code in an own folder."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from tests import migrated
from tests.stack.line import Line

ROOT = Path(__file__).resolve().parents[2]
CODE = ("cakewalk", "directory", "docs", "integrations", "provisioning", "deploy", "manage.py")
START_SECONDS = 60.0
UNSETTLED = """
SELECT id FROM provisioning_provisioningjob WHERE state IN ('queued', 'running')
UNION ALL
SELECT id FROM integrations_integration
WHERE enabled AND rejected_at IS NULL AND next_sync_at <= CURRENT_TIMESTAMP
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], Any], seconds: float = 30.0, what: str = "It") -> Any:
    """Waits until it holds and returns what it returned; fails when it takes longer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come to be within {seconds:.0f} s.")


class Installation(ABC):
    """`settings` go into the processes' environment; nothing of the test's own settings does."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self.port = free_port()
        self.password = ""
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._logs: list[TextIO] = []
        self._environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ
        } | {"PORT": str(self.port), **settings}
        for name in CODE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        subprocess.run(
            [sys.executable, "deploy/write_env.py"], cwd=folder, check=True, stderr=subprocess.DEVNULL
        )

    @abstractmethod
    def start(self) -> None:
        """All its processes; returns when pages are served, with `password` set."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str, status: int = 0, stdin: str = "", seconds: float = START_SECONDS) -> str:
        """A management command's standard output."""
        return self.manage(*words, status=status, stdin=stdin, seconds=seconds).stdout

    def manage(
        self, *words: str, status: int = 0, stdin: str = "", seconds: float = START_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A management command, with all that it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def document(self, *words: str, status: int = 0, seconds: float = START_SECONDS) -> Any:
        return json.loads(self.run(*words, "--json", status=status, seconds=seconds))

    def shown_by(self, typed: str) -> str:
        """All that a shell in its folder prints, whatever it ends with."""
        done = subprocess.run(
            ["bash", "-c", typed],  # noqa: S607
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return done.stdout

    def launch(self, name: str, *words: str) -> None:
        """A process in the background; what it prints goes to NAME.log in the folder."""
        log = (self.folder / f"{name}.log").open("a")
        self._logs.append(log)
        self.processes[name] = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self._environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        """As the kernel does when memory runs out."""
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def answers(self) -> bool:
        """Whether pages are served. A process that ended instead fails the test with what it said."""
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.log(name)}"
        try:
            with urlopen(f"{self.url}/admin/login/", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        """All its processes with their children, at once: how they end when asked to is a test of its own."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()
        for log in self._logs:
            log.close()
        self._logs.clear()

    def jobs(self) -> list[dict[str, Any]]:
        """The newest first."""
        return list(self.document("jobs")["jobs"])

    @abstractmethod
    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Straight from the database: a command takes a second of a processor."""

    def settled(self) -> list[dict[str, Any]]:
        """The jobs, once none is queued or running, and no sync is due."""
        eventually(lambda: not self.rows(UNSETTLED), 60, "The end of every job")
        return self.jobs()


class SingleProcess(Installation):
    """`make run`: SQLite, and everything in one process."""

    def spare_the_migrations(self) -> None:
        """Begin with a database that has them. What a first start is like is shown without."""
        (self.folder / "var").mkdir(exist_ok=True)
        shutil.copy(migrated.on_sqlite(), self.folder / "var" / "cakewalk.sqlite3")

    def start(self) -> None:
        self.launch("serve", "manage.py", "serve")
        eventually(lambda: self.answers() and "Ctrl-C stops it" in self.log("serve"), START_SECONDS, "serve")
        found = re.search(r"password\s+(\S+)", self.log("serve"))
        self.password = self.password or (found[1] if found else "")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "var" / "cakewalk.sqlite3")) as database:
            return database.execute(query).fetchall()


class ThreeProcesses(Installation):
    """As in production: web server, worker and clock apart, on PostgreSQL and Redis."""

    at_once = 2
    """How many jobs its worker has in hand."""

    def start(self) -> None:
        self.run("migrate", "--verbosity", "0")
        self.password = self.run("new_password", "admin", "--create").strip()
        self.launch_web()
        self.launch_worker()
        self.launch_clock()
        eventually(self.answers, START_SECONDS, "The web server")

    def launch_web(self) -> None:
        self.launch("web", "-m", "gunicorn", "cakewalk.wsgi", "--bind", f"127.0.0.1:{self.port}")

    def launch_worker(self) -> None:
        words = ("-m", "celery", "-A", "cakewalk", "worker", "--concurrency", str(self.at_once))
        self.launch("worker", *words)

    def launch_clock(self) -> None:
        self.launch("clock", "-m", "celery", "-A", "cakewalk", "beat")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.settings["DATABASE_URL"], query)


class OnTwoLines(ThreeProcesses):
    """Speaks to PostgreSQL and to Redis over lines that can be cut. The test itself needs no line."""

    at_once = 4

    def __init__(self, folder: Path, database: str, broker: str) -> None:
        self.to_database, self.to_broker = Line(database, 5432), Line(broker, 6379)
        self.database, self.broker = database, broker
        super().__init__(folder, DATABASE_URL=self.to_database.url, CELERY_BROKER_URL=self.to_broker.url)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.database, query)


class WebOnALine(OnTwoLines):
    """Its web server alone, on a database that has the migrations already."""

    def start(self) -> None:
        self.password = self.run("new_password", "admin", "--create").strip()
        self.launch_web()
        eventually(self.answers, START_SECONDS, "The web server")


class SingleOnALine(SingleProcess):
    """`make run` on PostgreSQL, over a line that can be cut."""

    at_once = 4

    def __init__(self, folder: Path, database: str) -> None:
        self.to_database, self.database = Line(database, 5432), database
        super().__init__(folder, DATABASE_URL=self.to_database.url)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.database, query)


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()
