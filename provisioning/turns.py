"""Which line of a plan may begin beside those that are under way. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

FAR = 100
"""So many lines are looked through for one that may begin. Few have anything to do with each other."""


@dataclass(frozen=True, slots=True)
class Line:
    """`concerns`: whom or what it is about; of two lines about the same, the second waits for the first.
    `alone`: beside no other, after all that come before it.
    """

    seq: int
    concerns: frozenset[str] = frozenset()
    needs: int | None = None
    alone: bool = False


def next_line(waiting: Sequence[Line], under_way: Collection[Line]) -> Line | None:
    """The first that nothing before it stands in the way of; None while each must wait."""
    open_ = {line.seq for line in under_way}
    concerned = {one for line in under_way for one in line.concerns}
    if any(line.alone for line in under_way):
        return None
    for line in waiting[:FAR]:
        if line.alone:
            return None if open_ else line
        if line.needs not in open_ and not concerned & line.concerns:
            return line
        open_.add(line.seq)
        concerned |= line.concerns
    return None
