"""How long each phase of a job took, and which part of its work that was."""

from datetime import UTC, datetime, timedelta

from provisioning.timeline import spans

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_each_phase_lasts_until_the_next_and_only_work_has_a_share() -> None:
    entered = [
        ("queued", at(0)),
        ("reading", at(5)),
        ("planning", at(11)),
        ("awaiting_approval", at(13)),
        ("queued", at(3613)),
        ("applying", at(3614)),
    ]

    found = spans(entered, ended_at=at(3616), now=at(9999))

    assert [(span.phase, span.seconds, span.start, span.share, span.waits) for span in found] == [
        ("queued", 5, 0, 0, True),
        ("reading", 6, 0, 600, False),
        ("planning", 2, 600, 200, False),
        ("awaiting_approval", 3600, 800, 0, True),
        ("queued", 1, 800, 0, True),
        ("applying", 2, 800, 200, False),
    ]
    assert not any(span.runs for span in found)


def test_the_last_phase_of_a_job_that_goes_on_counts_on() -> None:
    found = spans([("queued", at(0)), ("reading", at(1))], ended_at=None, now=at(31))

    assert [(span.phase, span.seconds, span.runs) for span in found] == [
        ("queued", 1, False),
        ("reading", 30, True),
    ]


def test_what_a_worker_wrote_after_the_job_was_cancelled_is_no_phase() -> None:
    found = spans([("queued", at(0)), ("reading", at(1)), ("planning", at(3))], ended_at=at(2), now=at(9))

    assert [(span.phase, span.seconds) for span in found] == [("queued", 1), ("reading", 1)]


def test_a_job_that_only_waited_has_no_shares() -> None:
    assert [span.share for span in spans([("queued", at(0))], ended_at=at(4), now=at(9))] == [0]
