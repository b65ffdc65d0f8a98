"""Long commands show on a terminal how far they are, and leave it tidy; programs read what they always do."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import OutputWrapper

from cakewalk.bar import Bar
from provisioning.progress import Step, step_of
from tests.environment import new_fernet_key

ROOT = Path(__file__).parents[1]

SLOW = """
import sys, time
from django.core.management.base import OutputWrapper
from cakewalk.bar import Bar
with Bar(OutputWrapper(sys.stderr), plain=True) as bar:
    for place in range(1, 41):
        bar.step("Carrying out", place, 40, line=f"Action {place} of 40")
        time.sleep(float(sys.argv[1]))
print("{}")
"""


class Screen:
    """A process with a terminal of 100 columns as its standard error, and a file as its standard output."""

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self._screen = ours
        self.shown = ""

    def until(self, text: str) -> None:
        while text not in self.shown and (more := self._more()):
            self.shown += more

    def to_the_end(self) -> str:
        """What it printed."""
        while more := self._more():
            self.shown += more
        os.close(self._screen)
        assert self.process.stdout
        printed = self.process.stdout.read().decode()
        self.process.stdout.close()
        self.process.wait(30)
        return printed

    def _more(self) -> str:
        try:
            return os.read(self._screen, 4096).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""

    @property
    def left(self) -> str:
        """What still stands on the last line, as a terminal shows it."""
        return self.shown.rpartition("\x1b[K")[2].strip()


def env() -> dict[str, str]:
    own = {
        "DJANGO_SETTINGS_MODULE": "cakewalk.settings",
        "DJANGO_SECRET_KEY": "b" * 60,
        "FERNET_KEYS": new_fernet_key(),
        "ENV_FILE": os.devnull,
    }
    return os.environ | own


def test_a_terminal_shows_phase_count_rate_and_what_remains_and_then_nothing_of_it() -> None:
    screen = Screen(sys.executable, "-c", SLOW, "0.04", env=env())

    printed = screen.to_the_end()

    assert re.search(r"Carrying out +\d+%\|.+\| \d+/40, *\d+\.\d+it/s, 00:0\d left", screen.shown)
    assert (printed, screen.left, screen.process.returncode) == ("{}\n", "", 0)


def test_ctrl_c_leaves_the_terminal_tidy() -> None:
    screen = Screen(sys.executable, "-c", SLOW, "0.5", env=env())  # not over before it is interrupted
    screen.until("/40")

    os.killpg(screen.process.pid, signal.SIGINT)
    screen.to_the_end()

    assert "KeyboardInterrupt" in screen.shown
    bar, _, after = screen.shown.rpartition("\r\x1b[K")
    assert "/40" in bar
    assert after.startswith("Traceback")


class Deaf(io.StringIO):
    """No terminal."""


def test_without_a_terminal_jobs_say_plain_lines_and_imports_nothing() -> None:
    heard = Deaf()
    with Bar(OutputWrapper(heard), plain=True) as bar:
        bar.step("Carrying out", 1, 2, line="Action 1 of 2")
        bar.share("Writing", 0.5, 10)

    assert heard.getvalue() == "Action 1 of 2\n"


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("Action 3 of 12", Step("Carrying out", 3, 12)),
        ("Looking again, 3 of 12", Step("Looking again", 3, 12)),
        ("Read 300 users.", Step("Reading users", 300, 900)),
        ("Read 20 invites.", Step("Reading invites", 20, None)),
        ("Storing the plan", Step("Storing the plan")),
    ],
)
def test_what_a_job_says_is_read_back(said: str, step: Step) -> None:
    assert step_of(said, {"users": 900}) == step
