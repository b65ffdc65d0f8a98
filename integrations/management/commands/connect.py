"""Connect a remote: try its credential there, store it encrypted, and enable the integration."""

import os
import re
import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cakewalk.commands import BaseCommand
from integrations.catalog import connector_class, connector_classes
from integrations.connecting import Entry, Outcome, save_and_enable
from integrations.management.raised_mode import queue_preview
from integrations.models import Credential, Integration
from provisioning.management.foreground import print_json, wrong_usage

DOES_NOT_WORK = 4
LONGEST_INPUT = 10_000


class Command(BaseCommand):
    help = (
        "Try a key on the live API, and store and enable the integration when it works. An integration that "
        "has the name already gets the new key; its address, mode and other settings stay as they are "
        "unless they are given. The key is read from an environment variable or from standard input, and "
        "is never an argument, which everyone on the machine could read. Nothing is stored unless the key "
        "works. Exits 2 when what was entered is refused before any call, and 4 when it was tried and the "
        "API could not be reached, or said no."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        refuse = parser.error
        # A key that was given as an argument after all must not reach a log by way of the error message.
        parser.error = lambda message: refuse(_without_keys(message))  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=list(connector_classes()), help="of the connector")
        parser.add_argument("--name", required=True, help="the integration, a new one or one to change")
        key = parser.add_mutually_exclusive_group(required=True)
        key.add_argument("--key-env", metavar="VAR", help="the environment variable that holds the key")
        key.add_argument(
            "--key-stdin",
            action="store_true",
            help="read the key from standard input; a terminal asks for it",
        )
        parser.add_argument("--base-url", metavar="URL", help="the API address; the official one by default")
        parser.add_argument("--mode", choices=Integration.Mode.values, help="observe by default")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        entry = _entry(options)
        before = Integration.objects.filter(pk=entry.integration.pk).first() if entry.integration else None
        outcome = save_and_enable(entry, now=timezone.now())
        if options["json"]:
            print_json(_document(entry, outcome), self.stdout)
        else:
            self._tell(outcome)
        if outcome.integration is None:
            raise CommandError(
                " ".join((*outcome.problems.values(), "Nothing was stored.")),
                returncode=DOES_NOT_WORK if outcome.report else 2,
            )
        if before and before.enabled and outcome.integration.goes_further_than(before):
            queue_preview(outcome.integration, self.stderr)

    def _tell(self, outcome: Outcome) -> None:
        for check in outcome.report.checks if outcome.report else ():
            self.stderr.write(f"{check.name}: {check.answer}. {check.detail}", style_func=str)
        if made := outcome.integration:
            simulated = "simulated, " if made.simulated else ""
            self.stdout.write(
                f"{made} is enabled ({simulated}mode {made.mode}): the key works on {made.base_url}."
            )


def _entry(options: dict[str, Any]) -> Entry:
    name = options["name"].strip()
    stored = Integration.objects.filter(kind=options["kind"], name__iexact=name).first()
    official = connector_class(options["kind"]).card.default_base_url
    return Entry(
        kind=options["kind"],
        name=stored.name if stored else name,
        base_url=(options["base_url"] or "").strip() or (stored.base_url if stored else official),
        secret=_key(options),
        integration=stored,
        mode=options["mode"],
    )


def _key(options: dict[str, Any]) -> str:
    if options["key_stdin"]:
        key = _read_key(connector_class(options["kind"]).card.secret_label)
    else:
        key = _key_of_variable(options["key_env"])
    if not key.strip():
        raise wrong_usage("The key is empty. Nothing was stored.")
    return key.strip()


def _key_of_variable(name: str) -> str:
    if name in os.environ:
        return os.environ[name]
    # What is no variable's name may be the key itself, and is not repeated.
    named = f"no variable {name} is set" if name.isidentifier() else "what was given is not one"
    raise wrong_usage(f"--key-env takes the name of an environment variable, and {named}.")


def _read_key(label: str) -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        return getpass(f"{label}: ")  # which does not show what is typed
    return sys.stdin.buffer.read(LONGEST_INPUT).decode("utf-8", "replace")


def _without_keys(message: str) -> str:
    return re.sub(r"[^\s'=,()]{20,}", "…", message)


def _document(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    """The integration as it is stored now; as it was entered, where it is not."""
    found = outcome.integration or entry.integration
    shown = found or Integration(kind=entry.kind, name=entry.name, base_url=entry.base_url)
    credential = Credential.objects.defer("secret").filter(integration=found).first() if found else None
    report = outcome.report
    return {
        "integration": shown.name,
        "kind": shown.kind,
        "enabled": shown.enabled,
        "mode": str(shown.mode),
        "base_url": shown.base_url,
        "credential": credential.hint if credential else None,
        "simulated": report.simulated if report else shown.simulated,
        "checks": [
            {"name": check.name, "answer": check.answer, "detail": check.detail}
            for check in (report.checks if report else ())
        ],
        "problems": dict(outcome.problems),
    }
