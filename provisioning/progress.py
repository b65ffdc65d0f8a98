"""How jobs say how far they are, read back: `Action 3 of 12`, `Read 300 members.` Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

OF_ALL = re.compile(r"(?P<doing>.+?),? (?P<done>\d+) of (?P<total>\d+)\.?")
READ = re.compile(r"Read (?P<done>\d+) (?P<what>.+?)\.?")


class Step(NamedTuple):
    """`done` and `total` are None where they are not known."""

    doing: str
    done: int | None = None
    total: int | None = None


def step_of(said: str, expected: Mapping[str, int] | None = None) -> Step:
    """`expected`: how many the last complete read found, by the names of listings."""
    if found := OF_ALL.fullmatch(said):
        return Step(DOING.get(found["doing"], found["doing"]), int(found["done"]), int(found["total"]))
    if found := READ.fullmatch(said):
        return Step(f"Reading {found['what']}", int(found["done"]), (expected or {}).get(found["what"]))
    return Step(said.rstrip("."))


DOING: Mapping[str, str] = {"Action": "Carrying out"}
