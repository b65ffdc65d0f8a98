"""Cancel a job that has not ended."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting
from provisioning.management.foreground import job_numbered, print_job, user_named, wrong_usage


class Command(BaseCommand):
    help = "Cancel a queued, running or waiting job, and say what was done before: that stays done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--by", required=True, metavar="USER", help="who cancels")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        job = job_numbered(options["job"])
        try:
            done = requesting.cancel(job, by=user_named(options["by"]), reason=options["reason"])
        except requesting.Refused as error:
            raise wrong_usage(str(error)) from error
        self.stderr.write(f"{job} is cancelled. {done}")
        print_job(job, self.stdout, as_json=options["json"])
