"""Take a job from a worker that is silent or dead."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting
from provisioning.management.foreground import job_numbered, print_job, user_named, wrong_usage


class Command(BaseCommand):
    help = "Queue a running job again whose worker is dead or silent for longer than its lease."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--by", required=True, metavar="USER", help="who releases it")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        job = job_numbered(options["job"])
        try:
            requesting.release(job, by=user_named(options["by"]), reason=options["reason"])
        except requesting.Refused as error:
            raise wrong_usage(str(error)) from error
        print_job(job, self.stdout, as_json=options["json"])
