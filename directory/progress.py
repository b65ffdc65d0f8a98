"""How far a long piece of work has come, for whoever shows it."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar


class Progress(Protocol):
    """Called with what is being done, which share of that is done, from 0 to 1, and of how many, if they are
    counted.
    """

    def __call__(self, doing: str, share: float, of: int = 0, /) -> None: ...


Item = TypeVar("Item")
STEP = 1000


def silent(doing: str, share: float, of: int = 0, /) -> None:
    """For nobody."""


def counted(items: Sequence[Item], doing: str, tell: Progress, *, step: int = STEP) -> Iterator[Item]:
    """The items, with a word every thousand of them."""
    for number, item in enumerate(items):
        if number % step == 0:
            tell(doing, number / len(items), len(items))
        yield item
    tell(doing, 1, len(items))
