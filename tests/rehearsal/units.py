"""The units of deploy/systemd as they are shipped: what is rehearsed is what an installation runs."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
COMMON = UNITS / "cakewalk-.service.d" / "10-common.conf"

Line = tuple[str, str, str]


@dataclass(frozen=True)
class Unit:
    """Paths stand in it as in the file, with %d and %S, until `placed` puts others in their place."""

    name: str
    command: str
    settings: Mapping[str, str]
    credentials: Mapping[str, str]
    environment_files: tuple[str, ...]
    restart_seconds: float | None
    stop_seconds: float
    kills_children: bool
    notifies: bool

    def words(self, places: Mapping[str, str]) -> list[str]:
        return shlex.split(placed(self.command, places))

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """As systemd has it: lines of an EnvironmentFile go before Environment=."""
        found = {name: placed(value, places) for name, value in self.settings.items()}
        for path in self.environment_files:
            lines = Path(placed(path, places)).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        return found


def placed(text: str, places: Mapping[str, str]) -> str:
    for place, there in places.items():
        text = text.replace(place, there)
    return text.replace("%%", "%")


def read(name: str) -> Unit:
    lines = [*_lines(UNITS / f"cakewalk-{name}.service"), *_lines(COMMON)]
    said = {key: value for section, key, value in lines if section == "Service"}
    several = [(key, value) for section, key, value in lines if section == "Service"]
    return Unit(
        name=name,
        command=said["ExecStart"],
        settings=dict(
            assignment.split("=", 1)
            for key, value in several
            if key == "Environment"
            for assignment in shlex.split(value)
        ),
        credentials=dict(value.split(":", 1) for key, value in several if key == "LoadCredential"),
        environment_files=tuple(value for key, value in several if key == "EnvironmentFile"),
        restart_seconds=float(said["RestartSec"]) if said.get("Restart") == "always" else None,
        stop_seconds=float(said.get("TimeoutStopSec", "90")),
        kills_children=said.get("KillMode", "control-group") in ("mixed", "control-group"),
        notifies=said.get("Type") == "notify",
    )


def _lines(path: Path) -> Iterator[Line]:
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()
