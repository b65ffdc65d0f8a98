"""A world for each test that asks for one."""

from collections.abc import Iterator

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.provisioning.world import BOSS, World


@pytest.fixture
def world(db: None) -> Iterator[World]:
    organization = Organization(owner=BOSS)
    with Simulator(organization) as simulator:
        yield World(organization, simulator)
