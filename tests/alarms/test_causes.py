"""What is told once, what is told again, and what is left out: the decision, over values."""

from datetime import UTC, datetime, timedelta

import pytest

from provisioning.alarms.causes import Cause, Decision, Finding, Key, Open, calm_for, decide, is_reminder_due

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def found(cause: Cause = Cause.SYNC_FAILED, code: str = "unreachable", of: int | None = 3, **more) -> Finding:
    told = {
        "subject": f"integration {of}",
        "name": "Acme",
        "what": "went wrong",
        "detail": "why",
        "path": "/",
    }
    return Finding(cause=cause, code=code, integration=of, **told | more)


def an_open(cause: Cause = Cause.SYNC_FAILED, gone: timedelta | None = None, **more) -> Open:
    known = {"detail": "why", "path": "/", **more}
    subject = known.pop("subject", "integration 3")
    return Open(1, Key(cause, subject), None if gone is None else NOW - gone, **known)


def test_a_new_cause_opens_an_alarm_and_the_next_look_leaves_it_as_it_is():
    assert decide([found()], [], now=NOW) == Decision(opens=(found(),))
    assert decide([found()], [an_open()], now=NOW) == Decision()


def test_repeated_failures_of_one_integration_are_one_cause_whose_alarm_shows_the_newest():
    newer = found(code="read_incomplete", detail="another reason", path="/jobs/13")
    assert decide([newer], [an_open()], now=NOW) == Decision(stays=((an_open(), newer),))


def test_the_all_clear_comes_when_the_cause_was_gone_for_a_while():
    assert decide([], [an_open()], now=NOW) == Decision(goes=(an_open(),))
    waiting, over = an_open(gone=9 * MINUTE), an_open(gone=10 * MINUTE)
    assert decide([], [waiting], now=NOW) == Decision()
    assert decide([], [over], now=NOW) == Decision(closes=(over,))


def test_a_cause_that_comes_back_meanwhile_is_told_no_second_time():
    waiting = an_open(gone=9 * MINUTE)
    assert decide([found()], [waiting], now=NOW) == Decision(stays=((waiting, found()),))


def test_what_comes_and_goes_must_be_gone_longer_each_time_but_never_longer_than_six_hours():
    calm = [calm_for(Cause.SYNC_FAILED, times) for times in (0, 1, 2, 5, 6, 1000)]
    assert calm == [10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 320 * MINUTE, 6 * HOUR, 6 * HOUR]


def test_a_job_that_was_decided_waits_for_nobody():
    waiting = an_open(Cause.HELD, subject="job 12")
    assert decide([], [waiting], now=NOW) == Decision(closes=(waiting,))


PAUSED = found(Cause.PAUSED, "paused")
SILENT = found(Cause.NO_SYNC, "no_sync")
PARTIAL = found(Cause.SYNC_PARTIAL, "failed")
EXPIRED = found(Cause.CREDENTIAL, "key_expired", subject="integration 3 key_expired")
OLD = found(Cause.CREDENTIAL, "key_old", subject="integration 3 key_old")
MISSING = found(Cause.CREDENTIAL, "credential_missing", subject="integration 3 credential_missing")
ELSEWHERE = found(Cause.NO_SYNC, "no_sync", of=4)
QUIET = found(Cause.SOURCE_QUIET, "no_request", of=None, subject="source 3")


@pytest.mark.parametrize(
    ("there_is", "told"),
    [
        ([found(), SILENT], [found()]),
        ([PAUSED, found(), SILENT, EXPIRED], [PAUSED]),
        ([PAUSED, PARTIAL, OLD], [PAUSED, OLD]),
        ([MISSING, found(code="credential_missing"), SILENT], [MISSING]),
        ([found(), ELSEWHERE, QUIET], [found(), ELSEWHERE, QUIET]),
        ([OLD, found()], [OLD, found()]),
    ],
)
def test_what_only_follows_from_another_cause_is_not_told_beside_it(there_is, told):
    assert list(decide(there_is, [], now=NOW).opens) == told


def test_what_was_told_is_not_over_because_its_cause_is_known_now():
    assert decide([PAUSED, found()], [an_open()], now=NOW) == Decision(opens=(PAUSED,))


def test_reminders_wait_twice_as_long_each_time_and_never_come_where_nobody_wants_them():
    due = [
        is_reminder_due(NOW - hours * HOUR, sent, every=24 * HOUR, now=NOW)
        for hours, sent in ((23, 0), (24, 0), (47, 1), (48, 1), (95, 2), (96, 2))
    ]
    assert due == [False, True, False, True, False, True]
    assert not is_reminder_due(NOW - 1000 * HOUR, 0, every=timedelta(), now=NOW)
