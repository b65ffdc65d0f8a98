"""/healthz and /readyz, as a load balancer or a watchdog asks them."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.utils import timezone

from cakewalk.health import beating, readiness
from cakewalk.health.models import Heartbeat, Part
from cakewalk.health.readiness import Look, State


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, State]:
    """How the parts are, for a test to change."""
    parts = {name: State(True, "alive") for name in ("database", "migrations", "broker", *Part.values)}
    monkeypatch.setattr(readiness, "LOOKS", (Look(tuple(parts), lambda: dict(parts)),))
    return parts


def test_a_process_says_that_it_answers_without_a_database_and_under_any_name(client: Client):
    answer = client.get("/healthz", headers={"host": "10.1.2.3:8000"})

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"ok", "text/plain")
    assert not answer.cookies


def test_both_have_the_strictest_policy_and_are_kept_by_nobody(client: Client, asked):
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_nothing_can_be_sent_to_them(client: Client, path: str):
    assert client.post(path, {"a": "b"}).status_code == 405


def test_ready_is_only_where_every_part_is_well(client: Client, asked):
    assert client.get("/readyz").json()["ready"] is True


@pytest.mark.parametrize("part", ["database", "migrations", "broker", *Part.values])
def test_one_part_that_is_not_well_makes_it_unready(client: Client, asked, part: str, caplog):
    asked[part] = State(False, "silent", 93.21)

    answer = client.get("/readyz")

    assert not caplog.records  # it is asked every few seconds
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["parts"][part] == {"ok": False, "says": "silent", "age_seconds": 93.2}
    assert [name for name, state in answer.json()["parts"].items() if not state["ok"]] == [part]


# -- the parts


@pytest.mark.django_db
def test_clock_and_workers_are_told_apart():
    now = timezone.now()
    Heartbeat.objects.beat([Part.CLOCK], now=now - timedelta(seconds=5))
    Heartbeat.objects.beat([Part.WORKER, Part.PEOPLE_WORKER], now=now - timedelta(seconds=600))
    Heartbeat.objects.beat([Part.PEOPLE_WORKER], now=now - timedelta(seconds=80))

    found = readiness.heard_from(dict(Heartbeat.objects.values_list("part", "at")), now=now)

    assert found == {
        "clock": State(True, "alive", 5.0),
        "worker": State(False, "silent", 600.0),
        "worker_for_people": State(True, "alive", 80.0),
    }


def test_who_was_never_heard_from_is_not_well():
    found = readiness.heard_from({}, now=timezone.now())
    assert found == dict.fromkeys(Part.values, State(False, "never heard from"))


@pytest.mark.django_db
def test_a_migrated_database_answers_for_itself_and_its_parts():
    Heartbeat.objects.beat(list(Part), now=timezone.now())
    found = readiness._database()
    assert all(state.ok for state in found.values())
    assert set(found) == {"database", "migrations", "secrets", *Part.values}


@pytest.mark.django_db
def test_what_is_not_migrated_says_how_much_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "_unapplied", lambda: 3)
    found = readiness._database()
    assert found["migrations"] == State(False, "3 not applied")
    assert found["worker"] == State(False, "not asked")


def test_the_broker_of_this_process_answers():
    assert readiness._broker() == {"broker": State(True, "answers")}


# -- in bounded time


@pytest.fixture
def hangs() -> Iterator[threading.Event]:
    """Set at the end, so that no thread is left behind."""
    released = threading.Event()
    yield released
    released.set()


def test_what_hangs_is_waited_for_once_and_hides_nothing_else(hangs, monkeypatch):
    looked: list[int] = []

    def hang():
        looked.append(1)
        hangs.wait()
        return {"database": State(True, "answers")}

    well = Look(("broker",), lambda: {"broker": State(True, "answers")})
    monkeypatch.setattr(readiness, "LOOKS", (Look(("database",), hang), well))
    monkeypatch.setattr(readiness, "PATIENCE", 0.1)
    began = time.monotonic()

    found = [readiness.readiness() for _ in range(3)]

    assert time.monotonic() - began < 1
    assert found == [{"database": State(False, "does not answer"), "broker": State(True, "answers")}] * 3
    assert len(looked) == 1


def test_what_fails_does_not_answer_and_says_nothing_of_hosts():
    def fail():
        raise DatabaseError('connection to server at "db.internal" failed for user "cakewalk"')

    look = Look(("database", "migrations"), fail)
    look.begin()
    assert look.end(time.monotonic() + 5) == dict.fromkeys(
        ("database", "migrations"), State(False, "does not answer")
    )


def test_however_many_ask_the_database_is_asked_once_a_second(monkeypatch):
    looked: list[int] = []

    def find():
        looked.append(1)
        return {"database": State(True, "answers")}

    monkeypatch.setattr(readiness, "LOOKS", (Look(("database",), find),))
    for _ in range(20):
        assert readiness.readiness()["database"].ok
    assert len(looked) == 1


# -- those who beat


@pytest.mark.django_db
def test_a_beat_is_one_row_for_each_part_however_often(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BaseDatabaseWrapper, "close", lambda _: None)  # it is this test's own, too
    with_both = [Part.WORKER, Part.PEOPLE_WORKER]
    for _ in range(3):
        beating.beat(with_both)
    assert set(Heartbeat.objects.values_list("part", flat=True)) == {"worker", "worker_for_people"}


def test_who_beats_outlives_a_database_that_is_away(monkeypatch, caplog):
    def away(*args: object, **kwargs: object) -> None:
        raise DatabaseError("db.internal")

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", away)
    beating.beat([Part.CLOCK])
    assert [record.getMessage() for record in caplog.records] == [
        "No sign of life could be written down (DatabaseError)."
    ]
