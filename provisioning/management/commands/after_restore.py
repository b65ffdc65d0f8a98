"""What comes first when a backup was restored, before any worker is started."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from cakewalk.commands import BaseCommand
from provisioning import old_state
from provisioning.management.foreground import print_json

NEXT = """\
Next, in this order:
  1. Bring the directory up to date: pull or import each source, let SCIM clients send everybody again.
  2. Look at users, roles, marks and rules: they are as they were then. Who left since may sign in again.
  3. Renew SCIM tokens that were renewed since; a token that was revoked since works again.
  4. Sync each integration, which only observes, and look at what it would do.
  5. Raise its mode as it was. That shows once more what would be done.\
"""


class Command(BaseCommand):
    help = (
        "Make a restored database harmless: every integration only observes, plans and jobs of then are "
        "cancelled, everybody is signed out, one-time links are revoked. Says what the ledger has lost, as "
        "far as checkpoints know, and writes it down. Until then no job of an older state does anything."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--backup", default="", metavar="NAME", help="which backup it was, for the ledger"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        found = old_state.whole_gap()
        facts = {"backup": options["backup"]} if options["backup"] else {}
        done = old_state.make_harmless(now=timezone.now(), facts=facts)
        if options["json"]:
            document = {
                "gap": found.sentence if found else None,
                "checkpoints_lost": len(found.lost) if found else 0,
                "modes": done.modes,
                "jobs_cancelled": done.jobs,
                "sessions_ended": done.sessions,
                "key_links_revoked": done.key_links,
            }
            print_json(document, self.stdout)
            return
        self.stdout.write(found.sentence if found else "No checkpoint knows of entries that are not there.")
        for name, mode in done.modes.items():
            self.stdout.write(f"{name} only observes now; its mode was {mode}.")
        self.stdout.write(
            f"{len(done.jobs)} jobs cancelled, {done.sessions} sessions ended, "
            f"{done.key_links} one-time links revoked."
        )
        self.stdout.write(NEXT)
