"""Add and change access rules from a TOML file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning import requesting
from provisioning.management.foreground import print_json, the_integration, wrong_usage
from provisioning.rules_file import RulesFileError, import_rules


class Command(BaseCommand):
    help = "Add and change access rules from a TOML file, all or none. Rules it does not name stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="in the form of export_rules")
        parser.add_argument("--integration", metavar="NAME", help="needed where there is more than one")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = the_integration(options["integration"])
        try:
            outcome = import_rules(integration, options["file"].read_bytes())
        except OSError as error:
            raise wrong_usage(f"{options['file']} cannot be read: {error.strerror}.") from error
        except RulesFileError as error:
            raise wrong_usage(f"{options['file']} was not imported.\n{error}") from error
        if outcome["added"] or outcome["changed"]:
            requesting.directory_changed()
        if options["json"]:
            print_json({"integration": integration.name, **outcome}, self.stdout)
            return
        for what, names in outcome.items():
            self.stdout.write(f"{len(names)} {what}{': ' if names else ''}{', '.join(names)}")
