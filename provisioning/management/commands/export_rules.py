"""Write an integration's access rules as TOML."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cakewalk.commands import BaseCommand
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from provisioning.management.foreground import the_integration, wrong_usage
from provisioning.rules_file import export_rules


class Command(BaseCommand):
    help = "Write the access rules as TOML, in the form that import_rules reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="standard output when left out")
        parser.add_argument("--integration", metavar="NAME", help="needed where there is more than one")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = the_integration(options["integration"])
        document = export_rules(integration)
        facts = {"of": "access rules", "form": "toml", "rows": integration.rules.count()}
        record(Verb.EXPORT_BEGUN, integration, facts=facts)
        if options["file"] is None:
            self.stdout.write(document, ending="")
            return
        try:
            options["file"].write_text(document, encoding="utf-8")
        except OSError as error:
            raise wrong_usage(f"{options['file']} cannot be written: {error.strerror}.") from error
