"""How many calls the endpoints of a remote take, as refusals teach, and when the next one may go. Pure.

Calls are counted in windows. An endpoint that never refused takes what comes. After a refusal the next
window shows whether the number was right. Each time it was, more windows keep to it before it is tried again:
a limit costs few refusals, and one that was raised, or that others were using up, is not kept for long.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

REFILL_SECONDS = 60.0
"""A window, where a refusal does not tell: limits are commonly refilled each minute."""
LONGEST_REFILL_SECONDS = 120.0
"""A longer pause is obeyed, and tells nothing of how many calls there may be in each window to come."""
MARGIN = 1.01
"""Calls are counted when they are sent, and there when they arrive, a little later."""
MOST_CONFIRMED = 3
FORGET_SECONDS = 3600.0
ROOMY = 50
"""One call in so many is left for whoever may come to go ahead: of a small limit that would be too much."""
ASK_AGAIN_SECONDS = 5.0
"""Whoever is ahead may be done long before the window ends."""
ASK_SOON_SECONDS = 0.02
"""Until a call that is under way is answered."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one family of endpoints, with the clock of whoever keeps it."""

    limit: int | None = None
    """As many were taken before the last refusal."""
    refill: float = REFILL_SECONDS
    used: int = 0
    room: int | None = None
    """How many more may go in this window; None: until one is refused."""
    ends_at: float = 0.0
    confirmed: int = 0
    """How often in a row a refusal came after the very same number."""
    keeps: int = 0
    """How many windows to come keep to the limit."""


def take(budget: Budget, now: float, ahead: bool | None = None, under_way: int = 0) -> tuple[Budget, float]:
    """One call goes now (0.0), or is to ask again after so many seconds.

    `ahead`: whether there is somebody whom this call lets go first; None where it lets nobody. `under_way`:
    calls that are not answered yet. What goes beyond the known limit goes alone: so one refusal tells enough.
    """
    if now >= budget.ends_at:
        budget = _opened(budget, now)
    if budget.room == 0:
        return budget, budget.ends_at - now
    if _leaves_the_rest(budget, ahead):
        return budget, min(budget.ends_at - now, ASK_AGAIN_SECONDS) if ahead else budget.ends_at - now
    if under_way > 0 and budget.room is None and budget.limit is not None and budget.used >= budget.limit:
        return budget, ASK_SOON_SECONDS
    room = None if budget.room is None else budget.room - 1
    return replace(budget, used=budget.used + 1, room=room), 0.0


def _leaves_the_rest(budget: Budget, ahead: bool | None) -> bool:
    """Half of each window is for whoever is ahead; a little is for whoever may come, save where a window
    tries for more, since a limit that was raised is to be found out.
    """
    if ahead is None or budget.limit is None:
        return False
    if ahead:
        left = budget.limit - budget.used if budget.room is None else budget.room
        return left <= budget.limit // 2
    return budget.room is not None and budget.room <= budget.limit // ROOMY


def exhaust(budget: Budget, now: float, pause: float | None, *, taken: bool) -> tuple[Budget, float]:
    """There is no more in this window: the call that was just counted was refused, or was `taken` as the
    last one. `pause`: what the remote asks for. Returns the seconds until the next window.
    """
    used = max(budget.used - (not taken), 0)
    if used == 0 or budget.room == 0:
        # Others use it up, or another call of ours was refused already: this tells no more than to wait.
        ends_at = max(now + (pause or REFILL_SECONDS), budget.ends_at if budget.room == 0 else 0)
        unsure = replace(budget, limit=used or budget.limit, confirmed=0, keeps=0)
        return replace(unsure, used=used, room=0, ends_at=ends_at), ends_at - now
    started_at = budget.ends_at - budget.refill * MARGIN
    ends_at = max(started_at + REFILL_SECONDS * MARGIN, now) if pause is None else now + pause
    refill = REFILL_SECONDS if pause is None else _window(ends_at - started_at, pause)
    confirmed = min(budget.confirmed + 1, MOST_CONFIRMED) if used == budget.limit else 0
    learned = Budget(used, refill, used, 0, ends_at, confirmed, 2**confirmed - 1)
    if refill > LONGEST_REFILL_SECONDS:
        learned = Budget(used=used, room=0, ends_at=ends_at)
    return learned, ends_at - now


def _window(seconds: float, pause: float) -> float:
    """Whole seconds are rounded up, so that windows of whole seconds, as is usual, look a little longer."""
    return float(int(seconds)) if pause == int(pause) else seconds


def _opened(budget: Budget, now: float) -> Budget:
    lifted = budget.limit is not None and budget.used > budget.limit
    if lifted or now - budget.ends_at > FORGET_SECONDS:
        budget = Budget()
    return replace(
        budget,
        used=0,
        room=budget.limit if budget.keeps else None,
        ends_at=now + budget.refill * MARGIN,
        keeps=max(budget.keeps - 1, 0),
    )


def family(method: str, path: str) -> str:
    """The endpoint, whatever it is asked about: what follows a plural is an id."""
    parts: list[str] = []
    for part in path.strip("/").split("/"):
        parts.append("*" if parts and parts[-1].endswith("s") else part)
    return f"{method} /{'/'.join(parts)}"


class Budgets:
    """The budgets of one remote, by family. These are one worker's own; a subclass may share them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._own: dict[str, Budget] = {}
        self._under_way: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, family: str) -> float:
        under_way = self._under_way[family]
        seconds = self._change(
            family, lambda budget: take(budget, self._clock(), self._ahead(budget), under_way)
        )
        if not seconds:
            self._count(family, 1)
        return seconds

    def answered(self, family: str) -> None:
        """One of those that were taken, whatever the answer was. Told by whichever thread waited for it."""
        self._count(family, -1)

    def _count(self, family: str, by: int) -> None:
        with self._lock:
            self._under_way[family] += by

    def exhaust(self, family: str, pause: float | None, *, taken: bool = False) -> float:
        return self._change(family, lambda budget: exhaust(budget, self._clock(), pause, taken=taken))

    def _ahead(self, budget: Budget) -> bool | None:
        """One worker alone knows of nobody else."""
        return None

    def _change(self, family: str, step: Callable[[Budget], tuple[Budget, float]]) -> float:
        self._own[family], seconds = step(self._own.get(family, Budget()))
        return seconds
