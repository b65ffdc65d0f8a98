"""`make run`: Cakewalk in one process, with a simulated organization where there is no real one."""

import signal
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from cakewalk import first_start
from cakewalk.commands import BaseCommand
from cakewalk.single_process import SingleProcess
from integrations.connectors.openai.simulator import Organization, Simulator
from provisioning import tasks


class Command(BaseCommand):
    help = "Serve Cakewalk on PORT with its worker and clock in the same process, until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        # Not an Event: a handler that sets one waits for ever when it interrupts the thread that looks at it.
        asked_to_stop: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: asked_to_stop.append(number))
        process = _bound()
        call_command("migrate", verbosity=0, interactive=False)
        username, password = first_start.first_user()
        simulator = first_start.open_simulator()
        process.start()
        # The broker of the former start is gone with its messages, and so are its workers.
        tasks.pick_up_lost_jobs.delay(undelivered_after=0)
        try:
            first_start.connect(simulator, self._say)
        except first_start.NotConnected as problem:
            raise CommandError(f"The organization was not connected. {problem}") from problem
        tasks.look_after_the_record.delay()
        self._say(_welcome(username, password, simulator))
        while not asked_to_stop and not process.stopped:
            time.sleep(0.2)
        self._say("Stopping; a job in hand is finished first, or taken up at the next start.")
        broken = process.stopped
        process.stop()
        if broken:
            raise CommandError(f"The {broken[0]} ended by itself. The lines above say why.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _bound() -> SingleProcess:
    try:
        return SingleProcess(settings.PORT)
    except OSError as error:
        taken = f"Port {settings.PORT} cannot be used ({error.strerror}). Set another one, as in: PORT=8100"
        raise CommandError(taken) from error


def _welcome(username: str, password: str | None, simulator: Simulator | None) -> str:
    lines = ["", f"Cakewalk is at http://localhost:{settings.PORT}/admin/", f"  user      {username}"]
    lines.append(f"  password  {password or 'as printed at the first start (make password gives a new one)'}")
    if simulator:
        lines += [
            "",
            "Simulated OpenAI, to connect it once more by hand:",
            f"  API address  {simulator.base_url}",
            f"  Admin key    {_living_key(simulator.organization)}",
        ]
    return "\n".join([*lines, "", "Ctrl-C stops it. Everything is kept in var/."])


def _living_key(organization: Organization) -> str:
    """The first one that may do everything; where it was rotated away, a later one."""
    keys = organization.admin_keys.values()
    whole = [key.value for key in keys if not key.read_only and key.scopes is None]
    return whole[0] if whole else organization.admin_key
