"""What this machine has for the tests that need more than Python: PostgreSQL, Redis, Chromium, OpenLDAP."""

import functools
import os
import shutil
from dataclasses import dataclass

import psycopg
import redis

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def missing_browser() -> str | None:
    return None if chromium() else "needs Chromium, and there is none on this machine's PATH"


def slapd() -> str | None:
    return shutil.which("slapd", path=os.pathsep.join(["/usr/sbin", "/usr/local/sbin", os.environ["PATH"]]))


def missing_slapd() -> str | None:
    return None if slapd() else "needs OpenLDAP's server, and there is no slapd on this machine"


@dataclass(frozen=True)
class Services:
    """A PostgreSQL server in which databases may be made, and a Redis."""

    database_url: str
    broker_url: str

    @classmethod
    def from_environment(cls) -> "Services":
        """What the run was given, else both where Debian's packages put them."""
        given = os.environ.get("DATABASE_URL", "")
        server = os.environ.get("POSTGRESQL_URL", "postgres://postgres@127.0.0.1:5432/postgres")
        broker = os.environ.get("CELERY_BROKER_URL", "")
        return cls(
            given if given.startswith("postgres") else server,
            broker if broker.startswith("redis") else "redis://127.0.0.1:6379/15",
        )

    @functools.cache  # noqa: B019 - there is one for the whole run
    def missing(self) -> str | None:
        try:
            psycopg.connect(self.database_url, connect_timeout=2).close()
        except psycopg.Error as error:
            return f"needs PostgreSQL, and none lets us in here: {str(error).splitlines()[0]}"
        try:
            redis.Redis.from_url(self.broker_url, socket_connect_timeout=2).ping()
        except redis.RedisError as error:
            return f"needs Redis, and none answers here: {error}"
        return None
