"""Both kinds of installation, each started once for the tests of a module."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.conftest import SERVICES, need
from tests.stack.installation import Installation, SingleProcess, ThreeProcesses


@pytest.fixture
def newsroom() -> Iterator[Simulator]:
    """An organization that the test, and not the installation, serves and can look into."""
    with Simulator(Organization(owner="editor@example.org")) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def single_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = SingleProcess(tmp_path_factory.mktemp("single"))
    yield from _running(installation)


@pytest.fixture(scope="module")
def three_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    need(SERVICES.missing())
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    broker = SERVICES.broker_url.rpartition("/")[0] + f"/{15 - worker % 8}"
    name = f"cakewalk_stack_{secrets.token_hex(4)}"
    with psycopg.connect(SERVICES.database_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    redis.Redis.from_url(broker).flushdb()
    folder: Path = tmp_path_factory.mktemp("three")
    url = SERVICES.database_url.rpartition("/")[0] + f"/{name}"
    try:
        yield from _running(ThreeProcesses(folder, DATABASE_URL=url, CELERY_BROKER_URL=broker))
    finally:
        redis.Redis.from_url(broker).flushdb()
        with psycopg.connect(SERVICES.database_url, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _running(installation: Installation) -> Iterator[Installation]:
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
