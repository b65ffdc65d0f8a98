"""A sample that anybody can draw again: the items whose hash with the seed is lowest. Pure."""

import hashlib
import heapq
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


Each = TypeVar("Each", bound=Named)


def rank(seed: str, name: str) -> str:
    """By what items are drawn, in hexadecimal."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


class Draw(Generic[Each]):
    """Items come one by one, and the lowest are kept, however many there are."""

    def __init__(self, seed: str, number: int) -> None:
        self._seed, self._number = seed, number
        self._kept: list[tuple[int, str, Each]] = []

    def offer(self, item: Each) -> None:
        if not self._number:
            return
        # A heap gives away its lowest: the highest rank shall go.
        entry = (-int(rank(self._seed, item.name), 16), item.name, item)
        if len(self._kept) < self._number:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def drawn(self) -> list[Each]:
        return [item for _rank, _name, item in sorted(self._kept, key=lambda kept: (-kept[0], kept[1]))]
