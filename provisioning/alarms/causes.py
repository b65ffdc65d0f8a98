"""What is wrong now against what has been told: what to open, what to wait for, what to close. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    SYNC_FAILED = "sync_failed"
    SYNC_PARTIAL = "sync_partial"
    HELD = "held"
    PAUSED = "paused"
    NO_SYNC = "no_sync"
    CREDENTIAL = "credential"
    SOURCE_QUIET = "source_quiet"
    LEDGER_BROKEN = "ledger_broken"
    PART_SILENT = "part_silent"


UNUSABLE = ("credential_missing", "credential_unreadable")
"""Codes of a credential with which no job can begin."""
CALM = timedelta(minutes=10)
"""So long a cause must be gone before the all-clear."""
LONGEST_CALM = timedelta(hours=6)
LATELY = timedelta(days=1)
"""As far back as is counted how often a cause has come and gone."""


class Key(NamedTuple):
    """What an alarm is open for once: a cause, and whose."""

    cause: str
    subject: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause as it is now. `what`: in a few words, of `name`, whose it is. `path`: where it is settled."""

    cause: Cause
    subject: str
    code: str
    name: str
    what: str
    detail: str
    path: str
    integration: int | None = None

    @property
    def key(self) -> Key:
        return Key(self.cause, self.subject)


@dataclass(frozen=True, slots=True)
class Open:
    """An alarm that is not over. `lately`: how many for the same were closed within LATELY."""

    id: int
    key: Key
    gone_since: datetime | None
    detail: str
    path: str
    lately: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """`stays`: found again, and differently. `goes`: not found for the first time, so that it may be over."""

    opens: Sequence[Finding] = ()
    stays: Sequence[tuple[Open, Finding]] = ()
    goes: Sequence[Open] = ()
    closes: Sequence[Open] = ()


def decide(found: Iterable[Finding], open_: Iterable[Open], *, now: datetime) -> Decision:
    by_key = {finding.key: finding for finding in found}
    alarms = {alarm.key: alarm for alarm in open_}
    again = [(alarm, by_key[key]) for key, alarm in alarms.items() if key in by_key]
    missing = [alarm for key, alarm in alarms.items() if key not in by_key]
    over = [alarm for alarm in missing if _is_over(alarm, now)]
    return Decision(
        opens=tuple(finding for finding in roots(by_key.values()) if finding.key not in alarms),
        stays=tuple(pair for pair in again if _differs(*pair)),
        goes=tuple(alarm for alarm in missing if alarm.gone_since is None and alarm not in over),
        closes=tuple(over),
    )


def roots(found: Iterable[Finding]) -> Iterator[Finding]:
    """Without what only follows from another finding about the same integration, which is told instead."""
    found = list(found)
    by_integration: dict[int | None, list[Finding]] = {}
    for finding in found:
        by_integration.setdefault(finding.integration, []).append(finding)
    for finding in found:
        others = by_integration[finding.integration]
        if finding.integration is None or not any(_explains(other, finding) for other in others):
            yield finding


FOLLOWS: Mapping[Cause, Sequence[Cause]] = {
    Cause.PAUSED: (Cause.SYNC_FAILED, Cause.SYNC_PARTIAL, Cause.NO_SYNC),
    Cause.SYNC_FAILED: (Cause.NO_SYNC,),
}


def _explains(finding: Finding, other: Finding) -> bool:
    if finding.cause == Cause.PAUSED and other.code == "key_expired":
        return True
    if finding.cause == Cause.CREDENTIAL and finding.code in UNUSABLE:
        return other.cause in (Cause.SYNC_FAILED, Cause.NO_SYNC)
    return other.cause in FOLLOWS.get(finding.cause, ())


def _is_over(alarm: Open, now: datetime) -> bool:
    calm = calm_for(alarm.key.cause, alarm.lately)
    return now - (alarm.gone_since or now) >= calm


def calm_for(cause: str, lately: int) -> timedelta:
    """The more often it came lately, the longer it must be gone. A job that was decided never waits again."""
    if cause == Cause.HELD:
        return timedelta()
    doubled: timedelta = CALM * 2 ** min(lately, 10)
    return min(doubled, LONGEST_CALM)


def _differs(alarm: Open, finding: Finding) -> bool:
    told = (alarm.detail, alarm.path)
    return alarm.gone_since is not None or told != (finding.detail, finding.path)


def is_reminder_due(last_told: datetime, reminders: int, *, every: timedelta, now: datetime) -> bool:
    """Each one waits twice as long as the one before, so that nobody learns to overlook them."""
    return bool(every) and now - last_told >= every * 2 ** min(reminders, 10)
