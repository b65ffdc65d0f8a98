"""Show one job with its actions."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning.management.foreground import job_numbered, print_job


class Command(BaseCommand):
    help = "Show one job: its state, its counts, and every action with its reason and outcome."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        print_job(job_numbered(options["job"]), self.stdout, as_json=options["json"])
