"""Why a leaver was out late: what took longest, found from the record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioning.lateness import Attempt, Cause, Departure, Look, Shut, Stretch, main_cause, stretches

KNOWN = datetime(2026, 11, 2, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return KNOWN + timedelta(hours=hours)


def late(
    *attempts: Attempt,
    until: float = 30,
    looks: tuple[Look, ...] = (),
    shut: tuple[Shut, ...] = (),
    left: float | None = None,
) -> Departure:
    return Departure(KNOWN, at(until), attempts, looks, shut, None if left is None else at(left))


def tried(hours: float, state: str = "done", code: str = "", job: int = 7, **more: Any) -> Attempt:
    return Attempt(job, at(hours), state, code, **more)


DONE: dict[str, Any] = {"ended_at": at(29.9)}

TABLE = [
    ("no sync came", late(), Cause.NO_SYNC, "", 30),
    ("no sync came for long", late(tried(28, **DONE)), Cause.NO_SYNC, "", 28),
    (
        "jobs failed",
        late(looks=(Look(4, at(2), "read_incomplete"),)),
        Cause.JOB_FAILED,
        "read_incomplete",
        28,
    ),
    ("it was disabled", late(shut=(Shut(Cause.DISABLED, at(-5), at(20)),)), Cause.DISABLED, "", 30),
    ("its key was rejected", late(shut=(Shut(Cause.PAUSED, at(1)),)), Cause.PAUSED, "", 30),
    (
        "it was disabled for a moment only",
        late(shut=(Shut(Cause.DISABLED, at(1), at(2)),)),
        Cause.NO_SYNC,
        "",
        30,
    ),
    ("it observed", late(tried(0, "skipped", "mode")), Cause.MODE, "", 30),
    ("it waits", late(tried(0, "held", "removal_limit", held=True)), Cause.HELD, "", 30),
    (
        "it waited",
        late(tried(0, held=True, approved_at=at(26), **DONE)),
        Cause.HELD,
        "",
        26,
    ),
    (
        "it waited in two plans",
        late(tried(0, "skipped", "superseded", held=True), tried(9, held=True, approved_at=at(20), **DONE)),
        Cause.HELD,
        "",
        20,
    ),
    (
        "it waited in another job",
        late(tried(0, "skipped", "awaiting_approval"), tried(20, **DONE)),
        Cause.HELD,
        "",
        20,
    ),
    ("nobody approved in time", late(tried(0, "skipped", "expired")), Cause.HELD, "", 30),
    ("an approver said no", late(tried(0, "skipped", "not_approved")), Cause.REJECTED, "", 30),
    ("the job was cancelled", late(tried(0, "skipped", "cancelled")), Cause.CANCELLED, "", 30),
    ("the last owner", late(tried(0, "refused", "last_owner")), Cause.REFUSED, "last_owner", 30),
    ("OpenAI limits", late(tried(0, "failed", "rate_limited")), Cause.FAILED, "rate_limited", 30),
    (
        "it failed again and again",
        late(*(tried(n, "failed", "unreachable") for n in range(20)), tried(20, **DONE)),
        Cause.FAILED,
        "unreachable",
        20,
    ),
    (
        "the directory was refused",
        late(tried(0, "skipped", "source_shrunk")),
        Cause.JOB_FAILED,
        "source_shrunk",
        30,
    ),
    ("it took long", late(tried(0, "started")), Cause.SLOW, "", 30),
    ("no read showed it", late(tried(0, "done", ended_at=at(1))), Cause.UNCONFIRMED, "", 29),
    (
        "the source told late",
        late(tried(0, "done", ended_at=at(1)), until=1, left=-40),
        Cause.SOURCE_LATE,
        "",
        40,
    ),
    (
        "it was disabled after a failure",
        late(tried(0, "failed", "unreachable"), shut=(Shut(Cause.DISABLED, at(1)),)),
        Cause.DISABLED,
        "",
        30,
    ),
]


@pytest.mark.parametrize(
    ("departure", "cause", "code", "hours"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_what_took_longest_is_the_cause(departure: Departure, cause: Cause, code: str, hours: float) -> None:
    found = main_cause(departure)
    assert (found.cause, found.code, found.lasted) == (cause, code, timedelta(hours=hours))


@pytest.mark.parametrize("departure", [row[1] for row in TABLE], ids=[r[0] for r in TABLE])
def test_all_the_time_is_accounted_for_without_a_gap(departure: Departure) -> None:
    parts = list(stretches(departure))
    assert [one.since for one in parts[1:]] == [one.until for one in parts[:-1]]
    assert (parts[0].since, parts[-1].until) == (departure.began, departure.until)


def test_the_job_that_stood_in_the_way_is_named() -> None:
    assert main_cause(late(tried(0, "held", job=12))) == Stretch(Cause.HELD, KNOWN, at(30), "", 12)
