"""Decide against the held actions of a job."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting
from provisioning.management.foreground import job_numbered, print_job, user_named, wrong_usage


class Command(BaseCommand):
    help = (
        "Reject what a job holds: it is not done, and the job ends. What it has done stays done. The next "
        "sync plans the same and holds it again, unless --keep-until names a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--by", required=True, metavar="USER", help="the approver's user name")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument(
            "--keep-until",
            type=date.fromisoformat,
            metavar="DATE",
            help="the last day on which syncs ignore the held accounts, as 2026-01-31",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        job = job_numbered(options["job"])
        try:
            done = requesting.reject(
                job,
                by=user_named(options["by"]),
                reason=options["reason"],
                keep_until=options["keep_until"],
            )
        except requesting.Refused as error:
            raise wrong_usage(str(error)) from error
        self.stderr.write(f"{job} is rejected. {done}")
        print_job(job, self.stdout, as_json=options["json"])
