"""Show or change the settings of an integration."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from cakewalk.commands import BaseCommand
from integrations.configuring import (
    SETTINGS,
    BadSettings,
    as_text,
    configure,
    read_settings,
    schedule_of,
    settings_of,
)
from integrations.management.raised_mode import queue_preview
from provisioning.management.foreground import integration_named, print_json, wrong_usage


class Command(BaseCommand):
    help = (
        f"Show or change the settings of an integration: {', '.join(SETTINGS)}. Several are changed all or "
        "none. Raising the mode queues a preview, and leaves a full interval to read it. Exits 2, with "
        "nothing changed, when a setting cannot be what it was told to be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="SETTING=VALUE",
            help="such as mode=extend; may be repeated; without it, all settings are printed",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = integration_named(options["name"])
        try:
            done = configure(integration, read_settings(options["set"]), now=timezone.now())
        except BadSettings as problem:
            raise wrong_usage("\n".join((*problem.sentences, "Nothing was changed."))) from problem
        preview = None
        if done.mode_raised and done.integration.enabled:
            preview = queue_preview(done.integration, self.stderr)
        settings = settings_of(done.integration)
        if options["json"]:
            document = {
                "integration": integration.name,
                "settings": settings,
                "schedule": schedule_of(done.integration),
                "changed": done.changed,
                "preview": preview,
            }
            print_json(document, self.stdout)
            return
        shown = done.changed if options["set"] else SETTINGS
        for name in shown:
            self.stdout.write(f"{name}={as_text(settings[name])}")
        if options["set"] and not shown:
            self.stderr.write(f"{integration} was already so.", style_func=str)
