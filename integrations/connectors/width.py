"""How many calls of one family may be under way at once, as answers and refusals teach. Pure.

One more for each round that went well; half as many after a refusal. Calls that were sent before the number
was halved tell nothing new: what refused one of them refuses the others that went with it, too.
"""

from dataclasses import dataclass, replace

MOST = 8


@dataclass(frozen=True, slots=True)
class Width:
    size: float = 1.0
    halvings: int = 0

    @property
    def room(self) -> int:
        return int(self.size)


def went_well(width: Width, sent_at: Width) -> Width:
    """`sent_at`: the width when the call was sent."""
    if sent_at.halvings < width.halvings:
        return width
    return replace(width, size=min(width.size + 1 / width.size, float(MOST)))


def was_refused(width: Width, sent_at: Width) -> Width:
    if sent_at.halvings < width.halvings:
        return width
    return Width(max(width.size / 2, 1.0), width.halvings + 1)
