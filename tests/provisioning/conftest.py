"""A world for each test that asks for one."""

from collections.abc import Iterator

import pytest

from integrations.connectors import errands
from integrations.connectors.openai.simulator import Organization, Simulator
from tests.provisioning.world import BOSS, World


@pytest.fixture
def world(db: None) -> Iterator[World]:
    organization = Organization(owner=BOSS)
    with Simulator(organization) as simulator:
        yield World(organization, simulator)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No action is under way beside another, so that it is known which one was the second."""
    monkeypatch.setattr(errands, "MOST", 1)
