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
            wait = max(1, math.ceil(self._started + self._window - now))
            raise TooManyRequests(
                "Rate limit reached for this organization. Please slow down.",
                code="rate_limit_exceeded",
                headers={"retry-after": str(wait)} if self._says_when else {},
            )


class Limits:
    """Each limit by the path that its family begins with, in which a `*` stands for an id."""

    def __init__(self, limits: Mapping[str, RateLimit]) -> None:
        self._limits = sorted(limits.items(), key=lambda entry: len(entry[0]), reverse=True)

    def take(self, path: str) -> None:
        """A request counts for the closest family alone: the one whose path is the longest."""
        for prefix, limit in self._limits:
            if fnmatchcase(path, f"/v1{prefix}*"):
                limit.take()
                return
