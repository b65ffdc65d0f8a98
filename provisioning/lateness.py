"""Why a leaver was out late: of all that stood in the way, as the record has it, what took longest. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Cause(StrEnum):
    SOURCE_LATE = "source_late"
    DISABLED = "disabled"
    PAUSED = "paused"
    JOB_FAILED = "job_failed"
    NO_SYNC = "no_sync"
    MODE = "mode"
    HELD = "held"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    FAILED = "failed"
    SLOW = "slow"
    UNCONFIRMED = "unconfirmed"


SKIPPED: dict[str, Cause] = {
    "mode": Cause.MODE,
    "not_approved": Cause.REJECTED,
    "awaiting_approval": Cause.HELD,
    "expired": Cause.HELD,
    "superseded": Cause.HELD,
    "cancelled": Cause.CANCELLED,
    "stopped": Cause.JOB_FAILED,
    "directory_empty": Cause.JOB_FAILED,
    "source_shrunk": Cause.JOB_FAILED,
}
"""Codes of actions that were left out, where they are no refusal by name."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One plan that had the removal in it, and what became of it. `code`: of its error."""

    job: int
    planned_at: datetime
    state: str
    code: str = ""
    held: bool = False
    approved_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A job that came to no plan: failed, refused, or its read was not proven complete."""

    job: int
    at: datetime
    code: str


@dataclass(frozen=True, slots=True)
class Shut:
    """From when to when nothing started by itself: DISABLED or PAUSED."""

    cause: Cause
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """`left_at`: their last day's end, where the source told of it only later. `until`: the read that showed
    the account gone, or when this is judged. `attempts` and `looks` in the order of their time.
    """

    known_at: datetime
    until: datetime
    attempts: Sequence[Attempt] = ()
    looks: Sequence[Look] = ()
    shut: Sequence[Shut] = ()
    left_at: datetime | None = None

    @property
    def began(self) -> datetime:
        return min(self.left_at, self.known_at) if self.left_at else self.known_at

    @property
    def took(self) -> timedelta:
        return self.until - self.began


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time, and what it went by with. `job`: 0 where there was none."""

    cause: Cause
    since: datetime
    until: datetime
    code: str = ""
    job: int = 0

    @property
    def lasted(self) -> timedelta:
        return self.until - self.since


def main_cause(departure: Departure) -> Stretch:
    """What took longest, in all its parts together: its first part, as long as they all were."""
    parts: dict[tuple[Cause, str], list[Stretch]] = defaultdict(list)
    for stretch in stretches(departure):
        parts[stretch.cause, stretch.code].append(stretch)
    longest = max(parts.values(), key=lambda some: sum((one.lasted for one in some), timedelta()))
    first = longest[0]
    whole = sum((one.lasted for one in longest), timedelta())
    return Stretch(first.cause, first.since, first.since + whole, first.code, first.job)


def stretches(departure: Departure) -> Iterator[Stretch]:
    """All of the time from the departure to its end, in order and without a gap."""
    known, until = departure.known_at, departure.until
    if departure.began < known:
        yield Stretch(Cause.SOURCE_LATE, departure.began, known)
    planned = [one for one in departure.attempts if one.planned_at < until]
    first = max(planned[0].planned_at, known) if planned else until
    if first > known or not planned:
        yield from _waiting(departure, known, first)
    ends = [*(one.planned_at for one in planned[1:]), until]
    for attempt, end in zip(planned, ends, strict=False):
        yield from _during(departure, attempt, max(attempt.planned_at, known), end)


def _waiting(departure: Departure, since: datetime, until: datetime) -> Iterator[Stretch]:
    """Nothing had the removal in its plan yet. Once a job has failed, that is what it waits for."""
    if shut := _shut(departure, since, until):
        yield Stretch(shut, since, until)
        return
    failed = next((look for look in departure.looks if since <= look.at < until), None)
    yield Stretch(Cause.NO_SYNC, since, failed.at if failed else until)
    if failed:
        yield Stretch(Cause.JOB_FAILED, failed.at, until, failed.code, failed.job)


def _shut(departure: Departure, since: datetime, until: datetime) -> Cause | None:
    """Whether nothing could start for the better part of this time."""
    lasted: dict[Cause, timedelta] = defaultdict(timedelta)
    for one in departure.shut:
        lasted[one.cause] += max(min(one.until or until, until) - max(one.since, since), timedelta())
    longest = max(lasted, key=lambda cause: lasted[cause], default=None)
    return longest if longest and lasted[longest] * 2 > until - since else None


def _during(departure: Departure, attempt: Attempt, since: datetime, until: datetime) -> Iterator[Stretch]:
    """From one plan to the next, or to the end."""
    held_until = min(attempt.approved_at, until) if attempt.approved_at and attempt.held else None
    if held_until and held_until > since:
        yield Stretch(Cause.HELD, since, held_until, "", attempt.job)
        since = held_until
    if attempt.state == "done":
        done = min(max(attempt.ended_at or until, since), until)
        yield Stretch(Cause.SLOW, since, done, "", attempt.job)
        yield Stretch(Cause.UNCONFIRMED, done, until, "", attempt.job)
        return
    cause = _cause(attempt)
    if cause is not Cause.HELD and (shut := _shut(departure, since, until)):
        yield Stretch(shut, since, until)
        return
    code = attempt.code if cause in (Cause.FAILED, Cause.REFUSED, Cause.JOB_FAILED) else ""
    yield Stretch(cause, since, until, code, attempt.job)


def _cause(attempt: Attempt) -> Cause:
    match attempt.state:
        case "held":
            return Cause.HELD
        case "planned" | "started":
            return Cause.SLOW
        case "failed" | "stale":
            return Cause.FAILED
    return SKIPPED.get(attempt.code, Cause.REFUSED)
