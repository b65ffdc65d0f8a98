"""One process of an installation with its children, kept alive as systemd keeps it."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a piece is started and stopped. `user`: whom it runs as, where the rehearsal itself is root's."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    restart_seconds: float = 2.0
    stop_seconds: float = 20.0
    stop_signal: int = signal.SIGTERM
    user: str | None = None
    notifies: bool = False


@dataclass
class Piece:
    """Runs until stop(): whenever its first process ends, its children end too, and it is started anew."""

    recipe: Recipe
    log: Path
    starts: int = 0
    overdue: int = 0
    """How often it had not ended when its patience was over."""
    _process: "subprocess.Popen[bytes] | None" = None
    _over: threading.Event = field(default_factory=threading.Event)
    _at_once: threading.Event = field(default_factory=threading.Event)
    _may_start: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None
    _ready: socket.socket | None = None

    def start(self) -> "Piece":
        self._may_start.set()
        self._launch()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        return descendants(self.pid)

    def kill(self) -> None:
        """The first process alone. What it leaves behind is swept by whoever keeps it."""
        os.kill(self.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def restart(self) -> float:
        """As `systemctl restart`. Returns how long the stop took."""
        began = time.monotonic()
        process, starts = self._process, self.starts
        assert process is not None
        self._at_once.set()
        self.signal(self.recipe.stop_signal)
        try:
            process.wait(self.recipe.stop_seconds)
        except subprocess.TimeoutExpired:
            self.overdue += 1
            self.kill()
            process.wait()
        took = time.monotonic() - began
        while self.starts == starts:
            time.sleep(0.02)
        self._at_once.clear()
        return took

    def hold(self) -> None:
        """Not started again until release()."""
        self._may_start.clear()

    def release(self) -> None:
        self._may_start.set()

    def stop(self) -> None:
        if self._over.is_set():
            return
        self._over.set()
        self._may_start.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self.signal(self.recipe.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._sweep()
            self._process.wait()
        if self._keeper:
            self._keeper.join(10)

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """What a unit of Type=notify tells systemd itself."""
        assert self._ready is not None
        self._ready.settimeout(seconds)
        while b"READY=1" not in self._ready.recv(4096):
            pass

    def _keep(self) -> None:
        while True:
            assert self._process is not None
            self._process.wait()
            self._sweep()
            self._wait_to_start()
            if self._over.is_set():
                return
            self._launch()

    def _wait_to_start(self) -> None:
        until = time.monotonic() + self.recipe.restart_seconds
        while not self._over.is_set() and not self._at_once.is_set() and time.monotonic() < until:
            time.sleep(0.02)
        self._may_start.wait()

    def _launch(self) -> None:
        recipe = self.recipe
        environment = dict(recipe.environment)
        if recipe.notifies:
            environment["NOTIFY_SOCKET"] = self._listen()
        as_user: dict[str, Any] = {}
        if recipe.user and os.geteuid() == 0:
            as_user = {"user": recipe.user, "group": recipe.user, "extra_groups": []}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(recipe.words),
                cwd=recipe.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user,
            )
        self.starts += 1

    def _listen(self) -> str:
        if self._ready:
            self._ready.close()
        self._ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"\0cakewalk-{os.getpid()}-{self.recipe.name}-{self.starts}"
        self._ready.bind(address)
        return "@" + address[1:]

    def _sweep(self) -> None:
        """KillMode=mixed: what is left of the unit when its first process has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def cut_power(pieces: Sequence[Piece]) -> None:
    """All of them with all their children, at one moment, and nothing is started until release()."""
    for piece in pieces:
        piece.hold()
    for pid in [pid for piece in pieces for pid in (piece.pid, *piece.children())]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, parent = [], [pid]
    while parent:
        parent = [child for child, of in parents.items() if of in parent]
        found += parent
    return found


def repeated(once: Callable[[], object], every: float, over: threading.Event) -> threading.Thread:
    """In the background, until it is over."""

    def go_on() -> None:
        while not over.wait(every):
            once()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    return thread
