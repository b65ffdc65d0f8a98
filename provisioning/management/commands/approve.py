"""Approve the held actions of a job, and carry them out in the foreground."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting
from provisioning.management.foreground import end_with, job_numbered, run_here, user_named, wrong_usage


class Command(BaseCommand):
    help = (
        "Approve exactly the plan of a job that awaits approval, and apply it. Everything that holds it is "
        "overridden; with --only just what is named, and the plan is applied once nothing holds it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--by", required=True, metavar="USER", help="the approver's user name")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument("--digest", help="the plan that was looked at; another one is not approved")
        parser.add_argument(
            "--only",
            action="append",
            metavar="CODE",
            help="override just this hold, such as first_removals; may be repeated",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        job = job_numbered(options["job"])
        approver = user_named(options["by"])
        try:
            requesting.approve(
                job,
                by=approver,
                reason=options["reason"],
                digest=options["digest"],
                only=options["only"],
                deliver=False,
            )
        except requesting.Refused as error:
            raise wrong_usage(str(error)) from error
        for hold in job.remaining_holds():
            self.stderr.write(f"Nothing is applied yet. Still held: {hold['code']}: {hold['detail']}.")
        run_here(job, self.stderr)
        end_with(job, self.stdout, as_json=options["json"])
