"""How hard generated tests try: a little in `make test`, for minutes in `make soak`."""

import os
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
PERCENT = int(os.environ.get("SOAK_PERCENT", "100"))
"""Of the cases of a soak, for those in a hurry."""
LIVES = 30 * PERCENT // 100
"""Lives in chaos of a soak."""
FIRST_SEED = int(os.environ.get("SOAK_SEED", "0"))

for name in ("quick", "soak"):
    settings.register_profile(name, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.load_profile("soak" if SOAK else "quick")


def cases(quick: int, soak: int, **more: Any) -> settings:
    """So many generated cases; `more`: other settings of hypothesis."""
    return settings(max_examples=soak * PERCENT // 100 if SOAK else quick, **more)


def seeds(quick: int) -> Iterable[int]:
    """For tests that draw their chances themselves. `make soak` says with which seed it began."""
    return range(FIRST_SEED, FIRST_SEED + LIVES) if SOAK else range(quick)
