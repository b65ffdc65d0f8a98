"""Take the mark off an account."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from directory.emails import email_key
from provisioning.management.foreground import integration_named, print_json, wrong_usage
from provisioning.management.marking import checked_email
from provisioning.models import Mark


class Command(BaseCommand):
    help = "Take the mark (protected or ignored) off an account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument("email", help="the address of the account")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = integration_named(options["name"])
        email = checked_email(options["email"])
        if not Mark.objects.lift(integration, email_key(email)):
            raise wrong_usage(f"{email} has no mark in {integration}.")
        if options["json"]:
            print_json({"integration": integration.name, "email": email, "mark": None}, self.stdout)
        else:
            self.stdout.write(f"{email} is no longer marked in {integration}.")
