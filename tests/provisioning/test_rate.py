"""A thousand changes under a rate limit, at the real pace."""

import time

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.limits import RateLimit
from integrations.models import Integration
from tests.provisioning.world import BOSS, World

pytestmark = pytest.mark.soak

CHANGES, LIMIT, WINDOW = 1000, 50, 10.0


@pytest.mark.django_db
def test_a_thousand_invites_use_95_percent_of_what_the_limit_allows_and_none_fails() -> None:
    asked: list[float] = []

    def clock() -> float:
        asked.append(time.monotonic())
        return asked[-1]

    organization = Organization(owner=BOSS)
    limits = {"/organization/invites": RateLimit(LIMIT, WINDOW, clock=clock)}
    with Simulator(organization, rate_limit=limits) as simulator:
        world = World(organization, simulator)
        world.configure(mode=Integration.Mode.EXTEND)
        world.rule("Staff", group="staff")
        for place in range(CHANGES):
            world.hire(f"p{place}@example.org", "staff")
        document = world.sync()
    refused = sum(request.status == 429 for request in simulator.requests)
    # Up to the first call of the last window, in which there may be little left to do.
    last = max(place for place in range(1, len(asked)) if asked[place] - asked[place - 1] > WINDOW / 2)
    share = (last - refused) / (LIMIT * (asked[last] - asked[0]) / WINDOW)
    print(f"{share:.1%} used, {refused} refusals")  # noqa: T201 - a measurement, shown by pytest -s
    assert (document["state"], document["counts"]["done"]) == ("succeeded", CHANGES)
    assert len(organization.invites) == CHANGES
    assert share >= 0.95
