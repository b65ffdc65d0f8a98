"""Give back what a job took."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting, wording
from provisioning.management.foreground import end_with, job_numbered, run_here, user_named, wrong_usage


class Command(BaseCommand):
    help = (
        "Plan to give back what a job took, from what it wrote down before: invites, roles, grants. "
        "The plan awaits an approver (exit status 3)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int, help="its number, as jobs lists it")
        parser.add_argument("--by", required=True, metavar="USER", help="who asks for it")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument(
            "--keep-until",
            type=date.fromisoformat,
            metavar="DATE",
            help="the last day on which syncs leave these accounts alone, whatever the rules say",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        job = job_numbered(options["job"])
        try:
            restore = requesting.request_restore(
                job,
                by=user_named(options["by"]),
                reason=options["reason"],
                keep_until=options["keep_until"],
                deliver=False,
            )
        except requesting.Refused as error:
            raise wrong_usage(str(error)) from error
        for sentence in wording.NOT_RESTORED:
            self.stderr.write(str(sentence))
        run_here(restore, self.stderr)
        end_with(restore, self.stdout, as_json=options["json"])
