"""`simulate KIND`: a stand-in for the remote of a connector, until Ctrl-C."""

import importlib
import importlib.util
import json
import pkgutil
import signal
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cakewalk.commands import BaseCommand
from integrations import connectors


class Command(BaseCommand):
    help = "Serves a simulated remote; prints one line of JSON with its address and keys when it is ready."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=simulated_kinds(), help="the remote to pretend")
        parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
        parser.add_argument("--people", type=int, default=25, help="members at the beginning; 25")
        parser.add_argument("--projects", type=int, default=4, help="projects at the beginning; 4")
        parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same people")
        parser.add_argument("--state", type=Path, help="a file that keeps the organization between starts")
        parser.add_argument("--faults", type=Path, help="a JSON file of what shall go wrong")
        parser.add_argument(
            "--switch",
            action="append",
            default=[],
            dest="switches",
            metavar="NAME=VALUE",
            help="how the remote behaves where remotes differ; a wrong one is answered with those there are",
        )

    def handle(self, *, kind: str, **options: Any) -> None:
        names = ("port", "people", "projects", "seed", "state", "faults", "switches")
        given = {name: options[name] for name in names}
        package = importlib.import_module(f"{connectors.__name__}.{kind}.simulator")
        # Not an Event: a handler that sets one waits for ever when it interrupts the thread that looks at it.
        asked_to_stop: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: asked_to_stop.append(number))
        try:
            simulator = package.serve(**given)
        except (OSError, ValueError, OverflowError) as problem:
            raise CommandError(f"The simulator of {kind} cannot start: {problem}") from problem
        self.stdout.write(json.dumps(simulator.announcement))
        self.stdout.flush()
        while not asked_to_stop:
            time.sleep(0.1)
        simulator.stop()


def simulated_kinds() -> list[str]:
    """The connectors whose folder holds a simulator."""
    folders = [module.name for module in pkgutil.iter_modules(connectors.__path__) if module.ispkg]
    return [kind for kind in folders if importlib.util.find_spec(f"{connectors.__name__}.{kind}.simulator")]
