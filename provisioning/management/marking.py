"""What `protect` and `ignore` share: setting one account apart, with a reason and perhaps a last day."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from cakewalk.commands import BaseCommand
from directory.emails import email_key
from provisioning.management.foreground import integration_named, print_json, wrong_usage
from provisioning.models import Mark


def checked_email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise wrong_usage(f"{text!r} is not an e-mail address.") from error
    return text


class MarkCommand(BaseCommand):
    """Set an account apart. The kind of mark is the subclass's."""

    kind: Mark.Kind

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument("email", help="the address of the account")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        parser.add_argument(
            "--until", type=date.fromisoformat, metavar="DATE", help="the last day of the mark"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = integration_named(options["name"])
        email = checked_email(options["email"])
        if not options["reason"].strip():
            raise wrong_usage("A mark needs a reason.")
        said = {
            "email": email,
            "kind": self.kind,
            "reason": options["reason"].strip(),
            "until": options["until"],
        }
        mark = Mark.objects.set_apart(integration, email_key(email), said)
        document = {
            "integration": integration.name,
            "email": mark.email,
            "mark": str(self.kind),
            "reason": mark.reason,
            "until": mark.until.isoformat() if mark.until else None,
        }
        if options["json"]:
            print_json(document, self.stdout)
        else:
            self.stdout.write(f"{mark.email} is {self.kind} in {integration}: {mark.reason}")
