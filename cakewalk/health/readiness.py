"""Whether every part works, found out in bounded time: a part that hangs is one that does not answer."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from cakewalk import secrets_health
from cakewalk.celery import app
from cakewalk.health.models import Heartbeat, Part

SILENT_AFTER = 90.0
"""Seconds. An import of very many people may keep all others from writing for some of them."""
PATIENCE = 1.5
FRESH = 1.0
"""Seconds for which what was found is told again, however many ask."""


@dataclass(frozen=True, slots=True)
class State:
    """Of one part. `age`: seconds since it was heard from, where it is heard from."""

    ok: bool
    says: str
    age: float | None = None

    def as_json(self) -> dict[str, Any]:
        said = {"ok": self.ok, "says": self.says}
        return said if self.age is None else said | {"age_seconds": round(self.age, 1)}


States = Mapping[str, State]
NO_ANSWER = State(False, "does not answer")


class Look:
    """At some parts, by at most one thread at a time: where something hangs, no more and more of them wait.

    `find` says how each of the named parts is; what it raises is that none of them answers.
    """

    def __init__(self, names: Collection[str], find: Callable[[], States]) -> None:
        self.names = names
        self._find = find
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._found: tuple[float, States] = (float("-inf"), {})

    def begin(self) -> None:
        with self._lock:
            at, _ = self._found
            if not self._running and time.monotonic() - at >= FRESH:
                self._running = threading.Thread(target=self._run, daemon=True)
                self._running.start()

    def end(self, give_up_at: float) -> States:
        """What it found, or was found within the last second."""
        if thread := self._running:
            thread.join(max(0.0, give_up_at - time.monotonic()))
        at, found = self._found
        if self._running or time.monotonic() - at >= FRESH + PATIENCE:
            return dict.fromkeys(self.names, NO_ANSWER)
        return found

    def _run(self) -> None:
        try:
            found = self._find()
        except Exception:
            # Whatever it was, it is not told to whoever asks: it may name hosts and users.
            found = dict.fromkeys(self.names, NO_ANSWER)
        finally:
            connection.close()
        with self._lock:
            self._found, self._running = (time.monotonic(), found), None


def _database() -> States:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    unapplied = _unapplied()
    found = {"database": State(True, "answers"), "migrations": _migrated(unapplied)}
    if unapplied:  # what else is asked may be among what is missing
        return found | dict.fromkeys(("secrets", *Part.values), State(False, "not asked"))
    closed = len(secrets_health.unreadable())
    found["secrets"] = State(False, f"{closed} cannot be read") if closed else State(True, "can be read")
    return found | heard_from(dict(Heartbeat.objects.values_list("part", "at")), now=timezone.now())


def _migrated(unapplied: int) -> State:
    return State(False, f"{unapplied} not applied") if unapplied else State(True, "applied")


_known_to_be_applied: list[bool] = []


def _unapplied() -> int:
    """Once they are applied, they stay so for as long as this code runs."""
    if _known_to_be_applied:
        return 0
    executor = MigrationExecutor(connection)
    unapplied = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if not unapplied:
        _known_to_be_applied.append(True)
    return unapplied


def heard_from(beats: Mapping[str, datetime], *, now: datetime) -> dict[str, State]:
    return {part: _heard(beats.get(part), now) for part in Part.values}


def _heard(at: datetime | None, now: datetime) -> State:
    if at is None:
        return State(False, "never heard from")
    age = max((now - at).total_seconds(), 0.0)
    return State(True, "alive", age) if age <= SILENT_AFTER else State(False, "silent", age)


QUEUED: dict[str, int] = {}
"""How many messages waited in each queue when the broker last answered."""


def _broker() -> States:
    with app.connection_for_write() as line:
        line.connect()
        channel = line.channel()  # Redis is called with the channel, and not before
        for queue in app.conf.task_queues:
            QUEUED[queue] = channel.queue_declare(queue).message_count
        channel.close()
    return {"broker": State(True, "answers")}


LOOKS = (
    Look(("database", "migrations", "secrets", *Part.values), _database),
    Look(("broker",), _broker),
)


def readiness() -> States:
    """Each part by its name, within PATIENCE."""
    give_up_at = time.monotonic() + PATIENCE
    for look in LOOKS:
        look.begin()
    found: dict[str, State] = {}
    for look in LOOKS:
        found |= look.end(give_up_at)
    return found
