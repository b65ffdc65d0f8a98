"""The items of a population: what was to be done for somebody, in which plans, and how it ended. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MOST_LINES = 50
"""So many of an item's lines are named one by one; their number is told."""


@dataclass(slots=True)
class Line:
    """A line of a plan that changes something for somebody, as it stood at a moment."""

    id: int
    job: int
    seq: int
    planned_at: datetime
    kind: str
    situation: str
    state: str
    email: str
    account_id: str | None
    person: int | None
    role: str | None
    entitlement: dict[str, str] | None
    holder: dict[str, str] | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    new_account_id: str | None
    error: dict[str, str] | None
    holds: Sequence[str]
    approved_at: datetime | None
    approved_by: str | None
    known_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    confirmed_at: datetime | None
    request_id: str | None
    corroboration: dict[str, str] | None
    rule: str
    reasons: Sequence[dict[str, Any]]

    def as_of(self, end: datetime) -> "Line":
        """Without what came later."""
        if self.approved_at and self.approved_at >= end:
            self.approved_at = self.approved_by = None
        if self.confirmed_at and self.confirmed_at >= end:
            self.confirmed_at = None
        if self.started_at and self.started_at >= end:
            self.started_at = None
        if self.finished_at is None or self.finished_at >= end:
            waits = "held" if self.holds and not self.approved_at else "planned"
            self.state = "started" if self.started_at else waits
            self.finished_at = self.error = self.request_id = self.confirmed_at = self.corroboration = None
        return self

    def key(self) -> tuple[Any, ...]:
        """The same for the same thing to be done for the same one."""
        held, holder = self.entitlement or {}, self.holder or {}
        who = self.person or self.account_id or self.email
        return self.situation, self.kind, who, held.get("kind"), held.get("id"), holder.get("id"), self.role


@dataclass(slots=True)
class Item:
    """Something that was to be done for a joiner, a mover or a leaver. `attempts`: in how many plans it was.

    `left_at`: the end of a leaver's last day, where that was before `known_at`. A leaver of whom only the
    directory tells, and no plan, has no attempts.
    """

    name: str
    situation: str
    kind: str
    email: str
    account_id: str
    person: int | None
    what: str
    rule: str = ""
    attempts: int = 0
    lines: list[int] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    known_at: datetime | None = None
    left_at: datetime | None = None
    planned_at: datetime | None = None
    was_held: bool = False
    approved_at: datetime | None = None
    approved_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    confirmed_at: datetime | None = None
    state: str = "not_planned"
    error: str = ""
    request_id: str = ""
    event: str = ""

    def add(self, line: Line) -> None:
        self.attempts += 1
        if len(self.lines) < MOST_LINES:
            self.lines.append(line.id)
        if len(self.jobs) < MOST_LINES and line.job not in self.jobs:
            self.jobs.append(line.job)
        self.known_at = min(filter(None, (self.known_at, line.known_at)), default=None)
        self.planned_at = self.planned_at or line.planned_at
        self.was_held = self.was_held or bool(line.holds)
        self.approved_at, self.approved_by = line.approved_at, line.approved_by or ""
        self.started_at, self.finished_at = line.started_at, line.finished_at
        self.confirmed_at = line.confirmed_at
        self.state, self.error = line.state, (line.error or {}).get("code", "")
        self.request_id = line.request_id or ""
        self.event = (line.corroboration or {}).get("event", "")
        self.rule = line.rule

    @property
    def is_done(self) -> bool:
        return self.state == "done"

    @property
    def took(self) -> timedelta | None:
        """From when the directory knew to the read that showed it."""
        return self.confirmed_at - self.known_at if self.confirmed_at and self.known_at else None

    @property
    def began(self) -> datetime | None:
        """From when a leaver's time counts: from their last day, where the source told of it only later."""
        return min(filter(None, (self.left_at, self.known_at)), default=None)


def fold(lines: Iterable[tuple[Line, str, datetime | None]]) -> Iterator[Item]:
    """Items, each as it is done; then those that are not, in the order of their first plan. `lines`: each
    with what it does, in words, and when a leaver's last day ended.
    """
    open_: dict[tuple[Any, ...], Item] = {}
    for line, what, left_at in lines:
        key = line.key()
        item = open_.get(key)
        if item is None:
            name = f"{line.situation}-{line.id}"
            item = Item(name, line.situation, line.kind, line.email, line.account_id or "", line.person, what)
            open_[key] = item
        item.add(line)
        if left_at and item.known_at and left_at < item.known_at:
            item.left_at = left_at
        if item.is_done:
            yield open_.pop(key)
    yield from open_.values()
