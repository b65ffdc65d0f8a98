"""People from a CSV or Excel file into the directory."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from cakewalk.bar import Bar
from cakewalk.ledger.recording import together
from directory import importing
from directory.import_plan import ImportPlan, Options
from directory.management.telling import PlanCommand
from directory.people_table import COLUMNS, Problem, listed
from directory.progress import Progress
from directory.tabular import MAX_FILE_BYTES
from provisioning import requesting


class Command(PlanCommand):
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
        self.add_plan_arguments(parser)

    def handle(self, *, file: Path, dry_run: bool, json: bool, **given: Any) -> None:
        options = Options(given["source"], given["replace"], given["allow_drop"])
        with Bar(self.stderr) as bar:
            plan = _carried_out(file, options, bar.share, dry_run=dry_run)
        if json:
            self.print_json(plan.as_json(dry_run=dry_run))
        self.tell(plan, dry_run=dry_run)
        if not plan.acceptable:
            hint = " Allow it with --allow-drop." if plan.refusal else ""
            raise CommandError(f"Nothing was imported.{hint}", returncode=2)


def _carried_out(file: Path, options: Options, tell: Progress, *, dry_run: bool) -> ImportPlan:
    now = timezone.now()
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
        reading = importing.read(content, now=now, tell=tell)
        if dry_run:
            return importing.preview_reading(file.name, reading, options, now=now, tell=tell)
        with together():
            plan = importing.import_reading(file.name, reading, options, now=now, tell=tell)
            requesting.people_changed(plan.people)
        return plan
    except OSError as error:
        problem = f"{file} cannot be read: {error.strerror}."
    except importing.DirectoryChanged as error:
        problem = str(error)
    return ImportPlan(file.name, options, errors=[Problem(None, None, problem)])
