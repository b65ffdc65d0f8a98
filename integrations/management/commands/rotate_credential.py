"""Replace the key of an integration through the remote itself."""

import sys
from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from integrations.models import Rotation
from provisioning import rotating
from provisioning.management.foreground import integration_named, print_json, wrong_usage

EXIT_STATUS = {Rotation.State.DONE: 0, Rotation.State.GIVEN_UP: 4}
HALF_WAY = 6


class Command(BaseCommand):
    help = (
        "Make a new key with the one in use, try it, put it to use, and revoke the old one. Until the new "
        "key is in use the old one works. Run it again to go on after an interruption. No key is ever "
        "printed. Exits 2 when nothing was begun, because a job is live or there is no key; 4 when it was "
        "given up and the old key stays in use; 6 when it stopped half-way."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = integration_named(options["name"])
        try:
            rotation = rotating.rotate(integration, by=None)
        except rotating.Refused as refusal:
            raise wrong_usage(str(refusal)) from refusal
        if options["json"]:
            print_json(_document(rotation), self.stdout)
        else:
            self.stdout.write(rotating.in_words(rotation))
        if status := EXIT_STATUS.get(Rotation.State(rotation.state), HALF_WAY):
            sys.exit(status)


def _document(rotation: Rotation) -> dict[str, Any]:
    return {
        "integration": rotation.integration.name,
        "state": str(rotation.state),
        "old": rotation.old_hint,
        "new": rotation.new_hint or None,
        "key_name": rotation.key_name,
        "detail": rotation.detail or None,
        "started_at": rotation.started_at.isoformat(),
        "finished_at": rotation.finished_at.isoformat() if rotation.finished_at else None,
    }
