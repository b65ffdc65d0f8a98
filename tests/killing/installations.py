"""A company whose next sync has eleven things to do, on each kind of database, with workers to be killed."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

import psycopg
import redis
from celery import Celery
from psycopg import sql

from integrations.connectors.openai.simulator import Organization, Simulator
from tests import migrated
from tests.killing.moments import Kill
from tests.machine import Services
from tests.stack.installation import Installation, eventually

AMBUSH = Path(__file__).parent / "ambush"
NAME = "Newsroom"
PEOPLE = """\
email,active,groups
editor@example.org,yes,editors
ada@example.org,yes,writers
alan@example.org,yes,writers
grace@example.org,yes,writers
joan@example.org,yes,writers
kate@example.org,yes,editors
lex@example.org,yes,
mary@example.org,no,writers
"""
RULES = """
[[rule]]
name = "Everybody reads"
role = "reader"
state = "active"

[[rule]]
name = "Editors"
group = "editors"
role = "owner"
state = "active"

[[rule]]
name = "Writers"
group = "writers"
role = "reader"
projects = [{ name = "Search", role = "member" }]
state = "active"

[[group]]
name = "platform"
projects = [{ name = "Search", role = "member" }]
state = "active"
"""


def newsroom() -> Organization:
    """Two are missing, two have the wrong projects, one is to be an owner, one has left and has a key.
    A group has the wrong role in a project.
    """
    organization = Organization(owner="editor@example.org")
    organization.add_project("Search")
    for name in ("grace", "kate", "lex", "mary"):
        organization.add_member(f"{name}@example.org")
    for name in ("lex", "mary"):
        organization.add_to_project("Search", f"{name}@example.org")
    organization.add_invite("joan@example.org")
    search, mary = organization.find_project("Search"), organization.find_user("mary@example.org")
    organization.add_group_to_project(
        search.id, organization.add_group("platform").id, "role-api-project-owner"
    )
    organization.add_project_key(search.id, mary.id, "laptop")
    return organization


SETUP = """\
migrate --verbosity 0
connect openai --name Newsroom --key-env KEY --base-url {} --mode manage
configure Newsroom --set first_removals=allow --set leaver_keys=revoke
import_people people.csv
import_rules rules.toml --integration Newsroom
sync Newsroom --preview"""
IN_ONE_PROCESS = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "cakewalk.settings"
import django
django.setup()
from django.core.management import call_command
for words in json.load(sys.stdin):
    call_command(*words)
"""
JOBS = "provisioning_provisioningjob WHERE NOT preview"


class Killable(Installation):
    """`begin_again()` brings back the moment before the sync; then the job is begun, killed and ended."""

    database: str

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        organization = newsroom()
        self.organization = organization.dump()
        self.simulator = Simulator(organization).start()

    def start(self) -> None:
        """A database as it is before the sync, kept to begin with again and again."""
        self._serve()
        for name, content in (("people.csv", PEOPLE), ("rules.toml", RULES)):
            (self.folder / name).write_text(content)
        subprocess.run(
            [sys.executable, "-c", IN_ONE_PROCESS],
            cwd=self.folder,
            env=self._environment | {"KEY": self.simulator.organization.admin_key},
            input=json.dumps([words.split() for words in SETUP.format(self.simulator.base_url).splitlines()]),
            capture_output=True,
            text=True,
            check=True,
        )
        self.keep()

    def begin_again(self) -> None:
        self._serve()
        (self.folder / "struck").unlink(missing_ok=True)
        self.restore()

    def _serve(self) -> None:
        self.simulator.stop()
        self.simulator.organization = Organization.load(self.organization)
        self.simulator.requests.clear()
        self.simulator.start()

    def stop(self) -> None:
        super().stop()
        self.simulator.stop()

    @abstractmethod
    def keep(self) -> None: ...

    @abstractmethod
    def restore(self) -> None: ...

    @abstractmethod
    def be_killed(self, kill: Kill) -> bool:
        """A worker goes on with the job, or begins it, and dies. False: the moment did not come."""

    @abstractmethod
    def come_to_an_end(self) -> None:
        """Another worker, and nobody kills it."""

    def next_sync(self) -> dict[str, Any]:
        """What is still to be done afterwards."""
        return dict(self.document("sync", NAME))

    def writes(self) -> list[str]:
        """What has been asked of the organization that changes it, with what was sent."""
        return [
            f"{asked.method} {asked.path} {json.dumps(asked.body, sort_keys=True)}"
            for asked in self.simulator.requests
            if asked.method != "GET"
        ]

    def doomed(self, kill: Kill) -> dict[str, str]:
        """The environment of a process that dies at the moment."""
        ambush = {
            "call": kill.call,
            "when": kill.when,
            "nth": kill.nth,
            "methods": kill.methods,
            "struck": str(self.folder / "struck"),
            "spare": os.getpgrp(),
        }
        return self._environment | {"PYTHONPATH": str(AMBUSH), "AMBUSH": json.dumps(ambush)}

    def has_struck(self) -> bool:
        """Also makes way for the next ambush."""
        try:
            (self.folder / "struck").unlink()
        except FileNotFoundError:
            return False
        return True


class OnSQLite(Killable):
    """The worker is the process of `manage.py sync`, which takes over from one that died."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "killable.sqlite3"
        self._synced: dict[str, Any] = {}
        shutil.copy(migrated.on_sqlite(), self.file)
        super().__init__(folder, DATABASE_URL=f"sqlite:///{self.file}")

    def keep(self) -> None:
        shutil.copy(self.file, self.folder / "kept.sqlite3")

    def restore(self) -> None:
        for leftover in self.folder.glob(f"{self.file.name}*"):
            leftover.unlink()
        shutil.copy(self.folder / "kept.sqlite3", self.file)

    def be_killed(self, kill: Kill) -> bool:
        died = subprocess.run(
            [sys.executable, "manage.py", "sync", NAME],
            cwd=self.folder,
            env=self.doomed(kill),
            capture_output=True,
            start_new_session=True,
            timeout=60,
            check=False,
        )
        return self.has_struck() and died.returncode == -signal.SIGKILL

    def come_to_an_end(self) -> None:
        self._synced = self.document("sync", NAME)

    def next_sync(self) -> dict[str, Any]:
        """The process that took over has synced once more by itself."""
        return self._synced

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.file) as database:
            return database.execute(query).fetchall()


class OnPostgreSQL(Killable):
    """The worker is Celery's, and dies with all its processes. What the clock sends is sent by hand."""

    def __init__(self, folder: Path, services: Services, name: str) -> None:
        self.server, self.database = services.database_url, name
        broker = f"{services.broker_url.rpartition('/')[0]}/{os.getpid() % 8}"
        self.redis = redis.Redis.from_url(broker)
        self.celery = Celery()
        self.celery.conf.broker_write_url = broker  # for another one, the environment's would go before
        url = f"{self.server.rpartition('/')[0]}/{name}"
        self._make(name, like=migrated.on_postgresql(self.server))
        super().__init__(folder, DATABASE_URL=url, CELERY_BROKER_URL=broker)

    def keep(self) -> None:
        self._make(f"{self.database}_kept", like=self.database)

    def restore(self) -> None:
        self.redis.flushdb()
        self._drop(self.database)
        self._make(self.database, like=f"{self.database}_kept")

    def stop(self) -> None:
        super().stop()
        self.redis.flushdb()
        for name in (self.database, f"{self.database}_kept"):
            self._drop(name)

    def be_killed(self, kill: Kill) -> bool:
        worker = self._launch(self.doomed(kill))
        try:
            self._send("start_due_syncs")
            eventually(lambda: self._picked_up_until(worker.poll() is not None), 45, "The end of the worker")
        finally:
            _end(worker)
        return self.has_struck()

    def come_to_an_end(self) -> None:
        worker = self._launch(self._environment)
        try:
            self._send("start_due_syncs")
            eventually(lambda: self._picked_up_until(self._ended()), 60, "The end of the job")
        finally:
            _end(worker)

    def _launch(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        words = ("-m", "celery", "-A", "cakewalk", "worker", "--concurrency", "1", "--loglevel", "WARNING")
        log = (self.folder / "worker.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _send(self, task: str, **words: float) -> None:
        self.celery.send_task(f"provisioning.tasks.{task}", kwargs=words)

    def _picked_up_until(self, done: bool) -> bool:
        """As the clock does; only more often, so that jobs are also delivered more than once."""
        if not done:
            self._send("pick_up_lost_jobs", undelivered_after=0)
            time.sleep(0.5)
        return done

    def _ended(self) -> bool:
        return bool(self.rows(f"SELECT 1 FROM {JOBS} AND finished_at IS NOT NULL"))  # noqa: S608

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings["DATABASE_URL"]) as database:
            return database.execute(query.encode()).fetchall()

    def _make(self, name: str, like: str) -> None:
        self._order("CREATE DATABASE {} TEMPLATE {}", name, like)

    def _drop(self, name: str) -> None:
        self._order("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _order(self, words: str, *names: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as server:
            server.execute(sql.SQL(words).format(*map(sql.Identifier, names)))


def _end(worker: subprocess.Popen[bytes]) -> None:
    """However it is: the processes of a worker that was not killed end as well."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
