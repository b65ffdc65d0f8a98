"""What the ledger tells of one job, put together, and where the job's row tells otherwise. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Facts = Mapping[str, Any]

LIVE = ("queued", "running")

COLUMNS = (
    "state",
    "trigger",
    "scope",
    "preview",
    "restores_id",
    "request_reason",
    "requested_at",
    "requested_by_id",
    "mode",
    "digest",
    "planned_at",
    "holds",
    "refusal",
    "error",
    "read",
    "directory",
    "overrides",
    "approved_by_id",
    "approved_at",
    "approval_reason",
    "finished_at",
    "cancel_reason",
    "cancelled_by_id",
    "rejection_reason",
    "rejected_by_id",
)
"""Of a job's row: what is compared."""


class Told(NamedTuple):
    """Something that entry `seq` tells."""

    seq: int
    facts: Any


@dataclass
class Story:
    """The last word on each thing. `decided`: what its end says, with who decided so."""

    state: Told | None = None
    requested: Told | None = None
    planned: Told | None = None
    swept: Told | None = None
    overrides: list[Any] = field(default_factory=list)
    approved: Told | None = None
    decided: Told | None = None
    outcomes: Told | None = None

    @property
    def is_live(self) -> bool:
        """Its lines are still changed, and what they came to is told when that is over."""
        return self.state is None or self.state.facts in LIVE


def story_of(entries: Iterable[tuple[int, str, Mapping[str, Any]]]) -> Story:
    """Of one job, in their order: number, verb, and what it tells."""
    story = Story()
    for seq, verb, said in entries:
        facts = said.get("facts") or {}
        if state := (said.get("after") or {}).get("state"):
            story.state = Told(seq, state)
        if name := PARTS.get(verb):
            setattr(story, name, Told(seq, facts))
        story.overrides += facts.get("overrides", [])
        if "finished_at" in facts:
            story.decided = Told(seq, facts)
        if "outcomes" in facts:
            story.outcomes = Told(seq, facts["outcomes"])
    return story


PARTS = {
    "job.requested": "requested",
    "job.planned": "planned",
    "job.swept": "swept",
    "job.approved": "approved",
}

ASKED = {
    "trigger": "trigger",
    "scope": "scope",
    "preview": "preview",
    "restores": "restores_id",
    "reason": "request_reason",
    "requested_at": "requested_at",
    "by_user": "requested_by_id",
}
PLANNED = {"mode": "mode", "planned_at": "planned_at", "holds": "holds"}
APPROVED = {
    "reason": "approval_reason",
    "approved_at": "approved_at",
    "by_user": "approved_by_id",
}
DECIDED = {
    "finished_at": "finished_at",
    "error": "error",
    "refusal": "refusal",
    "cancelled": "cancel_reason",
    "cancelled_by": "cancelled_by_id",
    "rejected": "rejection_reason",
    "rejected_by": "rejected_by_id",
}
"""Which fact of an entry stands in which column of the row."""


class Difference(NamedTuple):
    seq: int
    column: str
    stored: Any
    told: Any


def differences(job: Mapping[str, Any], story: Story, users: Mapping[int, str]) -> Iterator[Difference]:
    """`job`: COLUMNS of its row, moments as they are told. `users`: names of those that there are, by number.

    Whoever has been deleted is no longer named by the row.
    """
    for told, columns in _parts(story):
        for name, column in columns.items():
            stored, said = job[column], told.facts.get(name)
            if column.endswith("_by_id"):
                if not _is_same_user(stored, said, users):
                    yield Difference(told.seq, column, users.get(stored, stored), (said or {}).get("name"))
            elif stored != said:
                yield Difference(told.seq, column, stored, said)
    if story.state and job["state"] != story.state.facts:
        yield Difference(story.state.seq, "state", job["state"], story.state.facts)
    if story.planned:
        yield from _of_the_plan(job, story.planned)
    if story.requested:
        yield from _of_overrides(job, story, story.requested.seq)


def _parts(story: Story) -> Iterator[tuple[Told, Mapping[str, str]]]:
    if story.requested:
        yield story.requested, ASKED
    if story.planned:
        yield story.planned, PLANNED
    if story.approved:
        yield story.approved, APPROVED
    if story.decided and not story.is_live:
        yield story.decided, DECIDED


def _is_same_user(stored: int | None, said: Mapping[str, Any] | None, users: Mapping[int, str]) -> bool:
    if stored is None and said is not None:
        return said["id"] not in users
    return stored == (said["id"] if said else None)


def _of_the_plan(job: Mapping[str, Any], told: Told) -> Iterator[Difference]:
    if job["digest"] != told.facts["plan"]["digest"]:
        yield Difference(told.seq, "digest", job["digest"], told.facts["plan"]["digest"])
    for column in ("read", "directory"):
        for name, said in told.facts[column].items():
            if (stored := job[column].get(name)) != said:
                yield Difference(told.seq, f"{column}: {name}", stored, said)


def _of_overrides(job: Mapping[str, Any], story: Story, seq: int) -> Iterator[Difference]:
    """And nobody is named as its approver if no entry names one."""
    if job["overrides"] != story.overrides:
        yield Difference(seq, "overrides", job["overrides"], story.overrides)
    if not story.approved:
        for column in ("approved_by_id", "approved_at", "approval_reason"):
            if job[column]:
                yield Difference(seq, column, job[column], None)
