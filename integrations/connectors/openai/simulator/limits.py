"""How many requests an organization may make: in all, or in each family of endpoints."""

import math
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from integrations.connectors.openai.simulator.refusals import TooManyRequests


class RateLimit:
    """So many requests in each window of time, as OpenAI refills its own: all at once.

    `says_when`: with Retry-After. OpenAI has been seen to leave it out.
    """

    def __init__(
        self,
        requests: int,
        window: float = 60.0,
        *,
        says_when: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests, self._window, self._says_when, self._clock = requests, window, says_when, clock
        self._started, self._taken = -math.inf, 0

    def take(self) -> None:
        """Counts one request; raises TooManyRequests where it is one too many."""
        now = self._clock()
        if now >= self._started + self._window:
            self._started, self._taken = now, 0
        self._taken += 1
        if self._taken > self._requests:
            raise too_many(until_next=self._started + self._window - now, says_when=self._says_when)


class TokenBucket:
    """So many requests a second on average, and up to `burst` at once where fewer came before."""

    def __init__(
        self, per_second: float, burst: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second, self.burst, self._clock = per_second, burst, clock
        self._tokens, self._filled_at = burst, clock()

    def take(self) -> None:
        now = self._clock()
        came = (now - self._filled_at) * self.per_second
        self._tokens, self._filled_at = min(self._tokens + came, self.burst), now
        if self._tokens < 1:
            raise too_many(until_next=(1 - self._tokens) / self.per_second)
        self._tokens -= 1


def too_many(*, until_next: float, says_when: bool = True) -> TooManyRequests:
    """`Retry-After` is in whole seconds."""
    return TooManyRequests(
        "Rate limit reached for this organization. Please slow down.",
        code="rate_limit_exceeded",
        headers={"retry-after": str(max(1, math.ceil(until_next)))} if says_when else {},
    )


Limit = RateLimit | TokenBucket


class Limits:
    """Each limit by the path that its family begins with, in which a `*` stands for an id."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = sorted(limits.items(), key=lambda entry: len(entry[0]), reverse=True)

    def take(self, path: str) -> None:
        """A request counts for the closest family alone: the one whose path is the longest."""
        for prefix, limit in self._limits:
            if fnmatchcase(path, f"/v1{prefix}*"):
                limit.take()
                return
