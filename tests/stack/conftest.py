"""Every kind of installation, started and stopped; two kinds are shared by the tests of a module."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import redis
from playwright.sync_api import Browser, BrowserContext
from psycopg import sql

from integrations.connectors.openai.simulator import Organization, Simulator
from tests import migrated
from tests.conftest import SERVICES, need
from tests.stack.installation import (
    Installation,
    OnTwoLines,
    SingleOnALine,
    SingleProcess,
    ThreeProcesses,
    WebOnALine,
)

Kind = TypeVar("Kind", bound=Installation)


@pytest.fixture
def newsroom() -> Iterator[Simulator]:
    """An organization that the test, and not the installation, serves and can look into."""
    with Simulator(Organization(owner="editor@example.org")) as simulator:
        yield simulator


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def single_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = SingleProcess(tmp_path_factory.mktemp("single"))
    installation.spare_the_migrations()
    yield from _running(installation)


@pytest.fixture(scope="module")
def three_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    need(SERVICES.missing())
    folder: Path = tmp_path_factory.mktemp("three")
    with own_database() as database, own_broker() as broker:
        yield from _running(ThreeProcesses(folder, DATABASE_URL=database, CELERY_BROKER_URL=broker))


@pytest.fixture
def on_two_lines(tmp_path: Path) -> Iterator[OnTwoLines]:
    """One for each test, which leaves lines cut and processes killed."""
    need(SERVICES.missing())
    with own_database() as database, own_broker() as broker:
        yield from _running(OnTwoLines(tmp_path, database, broker))


@pytest.fixture
def web_on_a_line(tmp_path: Path) -> Iterator[WebOnALine]:
    need(SERVICES.missing())
    with own_database() as database, own_broker() as broker:
        yield from _running(WebOnALine(tmp_path, database, broker))


@pytest.fixture
def single_on_a_line(tmp_path: Path) -> Iterator[SingleOnALine]:
    need(SERVICES.missing())
    with own_database() as database:
        yield from _running(SingleOnALine(tmp_path, database))


@contextmanager
def own_database() -> Iterator[str]:
    name = f"cakewalk_stack_{secrets.token_hex(4)}"
    like = migrated.on_postgresql(SERVICES.database_url)
    with psycopg.connect(SERVICES.database_url, autocommit=True) as server:
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(words.format(sql.Identifier(name), sql.Identifier(like)))
    try:
        yield SERVICES.database_url.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(SERVICES.database_url, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_broker() -> Iterator[str]:
    """One of the numbered databases of Redis that no other run on this machine has: two workers on one queue
    take each other's messages. Who has which is kept in the first of them.
    """
    server = SERVICES.broker_url.rpartition("/")[0]
    taken = redis.Redis.from_url(f"{server}/0")
    names = {number: f"cakewalk tests have database {number}" for number in range(1, 16)}
    free = (number for number, name in names.items() if taken.set(name, os.getpid(), nx=True, ex=LONGEST_RUN))
    number = next(free, None)
    assert number, f"All databases of {server} are taken; each is given back {LONGEST_RUN} s later at most."
    broker = f"{server}/{number}"
    redis.Redis.from_url(broker).flushdb()
    try:
        yield broker
    finally:
        redis.Redis.from_url(broker).flushdb()
        taken.delete(names[number])


LONGEST_RUN = 5400
"""Seconds after which whoever has a database of Redis is believed to have been killed."""


def _running(installation: Kind) -> Iterator[Kind]:
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
