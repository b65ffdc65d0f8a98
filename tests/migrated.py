"""Databases in which all migrations have run, made once for each state of the code, to be copied.

The hundred migrations take ten seconds of a processor, for each worker of pytest and each installation that
tests start. Whoever begins with a copy still runs `migrate`, which finds nothing to do.
"""

import fcntl
import functools
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from django.db import connection
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".pytest_cache" / "d" / "migrated"
WHAT_MIGRATES = ("cakewalk", "directory", "integrations", "provisioning", "requirements.txt")
"""Migrations use what stands beside them, as the guards of the ledger; so any change makes a new one."""


def on_sqlite() -> Path:
    """The file of a database that nobody writes to."""
    kept = KEPT / f"{_state_of_the_code()}.sqlite3"
    with _one_at_a_time():
        if not kept.exists():
            for outdated in KEPT.glob("*.sqlite3*"):
                outdated.unlink()
            made = kept.with_suffix(".sqlite3-made")
            _migrate(f"sqlite:///{made}")
            with closing(sqlite3.connect(made)) as database:
                database.execute("PRAGMA journal_mode=DELETE")  # else a copy would need the files beside it
            made.rename(kept)
    return kept


def on_postgresql(server: str) -> str:
    """The name of a database on the server, which nobody is connected to."""
    ours = f"cakewalk_migrated_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}_"
    kept = f"{ours}{_state_of_the_code()}"
    with _one_at_a_time(), psycopg.connect(server, autocommit=True) as orders:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        there = [name for (name,) in orders.execute(query, [ours])]
        if kept not in there:
            for outdated in there:
                orders.execute(_named("DROP DATABASE {} WITH (FORCE)", outdated))
            orders.execute(_named("CREATE DATABASE {}", f"{ours}made"))
            _migrate(f"{server.rpartition('/')[0]}/{ours}made")
            orders.execute(_named("ALTER DATABASE {} RENAME TO {}", f"{ours}made", kept))
    return kept


def begin_tests_with_a_copy() -> Iterator[None]:
    """The database of this process's tests, which Django is about to make and to migrate."""
    if connection.vendor == "postgresql":
        settings = connection.settings_dict
        server = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**settings)
        settings["TEST"]["TEMPLATE"] = on_postgresql(server)
        yield
        return
    # It is in memory, and goes with its last connection.
    name = connection.creation._get_test_db_name()  # type: ignore[attr-defined]
    with closing(sqlite3.connect(name, uri=True)) as ours:
        _as_migrated().backup(ours)
        yield


def begin_again() -> None:
    """After a test that has really written. Quicker than to empty tables; what migrations wrote is there."""
    connection.ensure_connection()
    _as_migrated().backup(connection.connection)


@functools.cache
def _as_migrated() -> sqlite3.Connection:
    """Open as long as this process tests, whatever becomes of the file when the code is changed meanwhile."""
    return sqlite3.connect(on_sqlite())


def _migrate(database_url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        check=True,
    )


def _state_of_the_code() -> str:
    read = hashlib.sha256()
    for name in WHAT_MIGRATES:
        for file in sorted((ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / name]):
            read.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return read.hexdigest()[:16]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Workers of pytest begin together."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _named(words: str, *names: str) -> sql.Composed:
    return sql.SQL(words).format(*map(sql.Identifier, names))
