"""What an import would do, as values: each person that is added or changed, or why it may not be done."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from directory.models import Person, Source
from directory.people_table import Problem

FIELDS = (
    "email",
    "name",
    "active",
    "department",
    "title",
    "employee_id",
    "start_date",
    "end_date",
    "time_zone",
    "external_id",
)
NEW = {
    **{name: getattr(Person(), name) for name in FIELDS},
    "groups": (),
    "aliases": (),
}

DECISIVE = ("email", "aliases", "active", "groups", "start_date", "end_date", "time_zone")
"""Columns that access may hang on."""


@dataclass(frozen=True, slots=True)
class Options:
    source: str = "file"
    replace: bool = False
    allow_drop: bool = False
    kind: str = Source.Kind.FILE
    by: str = ""
    """Who imports, where that is known."""


@dataclass(slots=True)
class Change:
    """One person to be added or changed: all that is known before (nothing: a new person) and after.

    `person_id`: of a new person from when they are written.
    """

    person_id: int | None
    rows: tuple[int, ...]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def row(self) -> int | None:
        return self.rows[0] if self.rows else None

    @property
    def fields(self) -> list[tuple[str, Any, Any]]:
        """Column, before and after of what differs."""
        pairs = [(column, self.before.get(column), value) for column, value in self.after.items()]
        return [
            (column, old, new)
            for column, old, new in pairs
            if old != new and not (old is None and new in ("", ()))
        ]

    @property
    def deactivates(self) -> bool:
        return bool(self.before) and self.before["active"] and not self.after["active"]

    def is_about(self, *columns: str) -> bool:
        return any(self.before.get(column) != self.after[column] for column in columns)

    def as_json(self) -> dict[str, Any]:
        return {
            "email": self.after["email"],
            "rows": self.rows,
            "fields": {column: [plain(old), plain(new)] for column, old, new in self.fields},
        }


@dataclass(slots=True)
class ImportPlan:
    """All that an import would do, or why it may not."""

    file: str
    options: Options
    rows: int = 0
    added: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    deactivated: list[Change] = field(default_factory=list)
    unchanged: int = 0
    untouched: int = 0
    dropped: int = 0
    groups_made: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    contested: list[tuple[str, int]] = field(default_factory=list)
    """Addresses that a person of another source has, by whose id."""
    refusal: Problem | None = None
    applied: bool = False

    @property
    def changes(self) -> list[Change]:
        return [*self.added, *self.changed, *self.deactivated]

    @property
    def people(self) -> list[int]:
        """The ids of those who may have another access, now that it is applied."""
        return [
            change.person_id or 0 for change in self.changes if self.applied and change.is_about(*DECISIVE)
        ]

    @property
    def acceptable(self) -> bool:
        return not self.errors and self.refusal is None

    @property
    def problems(self) -> list[Problem]:
        return [*self.errors, *([self.refusal] if self.refusal else [])]

    @property
    def digest(self) -> str:
        """Equal for plans that do the same. What was accepted beside the plan is no part of it."""
        deeds = [self.options.source, self.options.replace, [change.as_json() for change in self.changes]]
        return hashlib.sha256(json.dumps(deeds).encode()).hexdigest()

    def as_json(self, *, dry_run: bool) -> dict[str, Any]:
        return {
            "file": self.file,
            "source": self.options.source,
            "dry_run": dry_run,
            "applied": self.applied,
            "rows": self.rows,
            "added": len(self.added),
            "changed": len(self.changed),
            "deactivated": len(self.deactivated),
            "unchanged": self.unchanged,
            "untouched": self.untouched,
            "groups_made": self.groups_made,
            "people": {
                "added": [change.as_json() for change in self.added],
                "changed": [change.as_json() for change in self.changed],
                "deactivated": [change.as_json() for change in self.deactivated],
            },
            "warnings": self.warnings,
            "errors": [problem.as_json() for problem in self.problems],
        }


def plain(value: Any) -> Any:
    """As JSON has it."""
    return value.isoformat() if isinstance(value, date) else value
