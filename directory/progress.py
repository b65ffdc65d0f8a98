"""How far a long piece of work has come, for whoever shows it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Progress = Callable[[str, float], None]
"""Called with what is being done and which share of that is done, from 0 to 1."""

Item = TypeVar("Item")
STEP = 1000


def silent(doing: str, share: float) -> None:
    """For nobody."""


def counted(items: Sequence[Item], doing: str, tell: Progress, *, step: int = STEP) -> Iterator[Item]:
    """The items, with a word every thousand of them."""
    for number, item in enumerate(items):
        if number % step == 0:
            tell(doing, number / len(items))
        yield item
    tell(doing, 1)
