"""How commands tell what a plan of changes to the directory does, or did."""

import json
from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from directory.import_plan import Change, ImportPlan
from directory.importing import DROP_PERCENT
from directory.models import Source

SHOWN = 50
"""More lines than this of one kind are counted, not printed."""


class PlanCommand(BaseCommand):
    def add_plan_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and change nothing"
        )
        parser.add_argument(
            "--allow-drop",
            action="store_true",
            help=f"let more than {DROP_PERCENT} %% of the source's active people lose access",
        )
        parser.add_argument("--json", action="store_true", help="print the result as one JSON document")

    def print_json(self, document: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))

    def tell(self, plan: ImportPlan, *, dry_run: bool) -> None:
        for warning in plan.warnings:
            self.say(f"Warning: {warning}")
        self._list([str(problem) for problem in plan.problems])
        if plan.errors:
            return
        if dry_run:
            self._list([f"+ {_described(change)}" for change in plan.added])
            self._list([f"~ {_described(change)}" for change in plan.changed])
            self._list([f"- {_described(change)}" for change in plan.deactivated])
        if plan.groups_made:
            self.say(f"New groups: {', '.join(plan.groups_made)}")
        done = "imported" if plan.applied else "not imported"
        one, more = ("row", "rows") if plan.options.kind == Source.Kind.FILE else ("entry", "entries")
        rows = f"{plan.rows} {one if plan.rows == 1 else more}"
        self.say(
            f"{plan.file}, {done} into source {plan.options.source!r}: {rows}, "
            f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.deactivated)} deactivated, "
            f"{plan.unchanged} unchanged."
        )

    def _list(self, lines: list[str]) -> None:
        for line in lines[:SHOWN]:
            self.say(line)
        if len(lines) > SHOWN:
            self.say(f"… and {len(lines) - SHOWN} more")

    def say(self, line: str) -> None:
        self.stderr.write(line, style_func=str)  # or else every message is as red as an error


def _described(change: Change) -> str:
    """`ada@example.org: title 'Engineer' → 'Lead'`"""
    if not change.before:
        return str(change.after["email"])
    fields = ", ".join(f"{column} {_shown(old)} → {_shown(new)}" for column, old, new in change.fields)
    return f"{change.before['email']}: {fields}"


def _shown(value: Any) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)
