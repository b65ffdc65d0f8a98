"""People from a CSV or Excel file into the directory."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from directory import importing
from directory.importing import Change, ImportPlan, Options
from directory.people_table import COLUMNS, Problem, listed
from directory.tabular import MAX_FILE_BYTES
from provisioning import requesting

SHOWN = 50
"""More lines than this of one kind are counted, not printed."""


class Command(BaseCommand):
    help = (
        f"Add and change people from a .csv or .xlsx file with the columns {listed(COLUMNS)}. Only email "
        "is required; several groups or aliases in one cell are separated by a semicolon. Columns that "
        "are absent leave what is known untouched. The file is imported completely or not at all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a .csv or .xlsx file")
        parser.add_argument("--source", default="file", help="whose people these are (default: file)")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="deactivate the people of the source that the file leaves out",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and change nothing"
        )
        parser.add_argument(
            "--allow-drop",
            action="store_true",
            help=f"let more than {importing.DROP_PERCENT} %% of the source's active people lose access",
        )
        parser.add_argument("--json", action="store_true", help="print the result as one JSON document")

    def handle(self, *, file: Path, dry_run: bool, json: bool, **given: Any) -> None:
        options = Options(given["source"], given["replace"], given["allow_drop"])
        plan = _carried_out(file, options, dry_run=dry_run)
        if plan.applied and plan.changes:
            requesting.directory_changed()
        if json:
            self._print_json(plan, dry_run=dry_run)
        self._tell(plan, dry_run=dry_run)
        if not plan.acceptable:
            hint = " Allow it with --allow-drop." if plan.refusal else ""
            raise CommandError(f"Nothing was imported.{hint}", returncode=2)

    def _print_json(self, plan: ImportPlan, *, dry_run: bool) -> None:
        self.stdout.write(json.dumps(plan.as_json(dry_run=dry_run), ensure_ascii=False, indent=2))

    def _tell(self, plan: ImportPlan, *, dry_run: bool) -> None:
        for warning in plan.warnings:
            self._say(f"Warning: {warning}")
        self._list([str(problem) for problem in plan.problems])
        if plan.errors:
            return
        if dry_run:
            self._list([f"+ {_described(change)}" for change in plan.added])
            self._list([f"~ {_described(change)}" for change in plan.changed])
            self._list([f"- {_described(change)}" for change in plan.deactivated])
        if plan.groups_made:
            self._say(f"New groups: {', '.join(plan.groups_made)}")
        done = "imported" if plan.applied else "not imported"
        rows = f"{plan.rows} row{'s' * (plan.rows != 1)}"
        self._say(
            f"{plan.file}, {done} into source {plan.options.source!r}: {rows}, "
            f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.deactivated)} deactivated, "
            f"{plan.unchanged} unchanged."
        )

    def _list(self, lines: list[str]) -> None:
        for line in lines[:SHOWN]:
            self._say(line)
        if len(lines) > SHOWN:
            self._say(f"… and {len(lines) - SHOWN} more")

    def _say(self, line: str) -> None:
        self.stderr.write(line, style_func=str)  # or else every message is as red as an error


def _carried_out(file: Path, options: Options, *, dry_run: bool) -> ImportPlan:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
        if dry_run:
            return importing.preview(file.name, content, options, now=timezone.now())
        return importing.import_people(file.name, content, options, now=timezone.now())
    except OSError as error:
        problem = f"{file} cannot be read: {error.strerror}."
    except importing.DirectoryChanged as error:
        problem = str(error)
    return ImportPlan(file.name, options, errors=[Problem(None, None, problem)])


def _described(change: Change) -> str:
    """`ada@example.org: title 'Engineer' → 'Lead'`"""
    if not change.before:
        return str(change.after["email"])
    fields = ", ".join(f"{column} {_shown(old)} → {_shown(new)}" for column, old, new in change.fields)
    return f"{change.before['email']}: {fields}"


def _shown(value: Any) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)
