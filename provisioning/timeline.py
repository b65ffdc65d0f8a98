"""A job's phases with how long each took, from when they were entered. Over values alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

WAITS = ("queued", "awaiting_approval")
"""Phases in which nobody works, so that they have no share of the work."""

Entered = Sequence[tuple[str, datetime]]


@dataclass(frozen=True, slots=True)
class Span:
    """`start` and `share` in parts of a thousand of all the work. `runs`: it is not over yet."""

    phase: str
    at: datetime
    seconds: float
    start: int
    share: int
    runs: bool

    @property
    def lasted(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    @property
    def waits(self) -> bool:
        return self.phase in WAITS


def spans(entered: Entered, ended_at: datetime | None, now: datetime) -> list[Span]:
    """`ended_at`: None while the job goes on or waits."""
    end = ended_at or now
    begun = [(phase, at) for phase, at in entered if at <= end]
    lasted = [
        (phase, at, (next_at - at).total_seconds())
        for (phase, at), (_, next_at) in pairwise([*begun, ("", end)])
    ]
    work = sum(seconds for phase, _, seconds in lasted if phase not in WAITS)
    found, done = [], 0.0
    for place, (phase, at, seconds) in enumerate(lasted, start=1):
        counts = phase not in WAITS and work > 0
        found.append(
            Span(
                phase,
                at,
                seconds,
                start=round(1000 * done / work) if work else 0,
                share=max(round(1000 * seconds / work), 4) if counts else 0,
                runs=ended_at is None and place == len(lasted),
            )
        )
        done += seconds if counts else 0
    return found
