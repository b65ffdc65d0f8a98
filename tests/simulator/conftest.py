"""An organization at rest, its simulator, and the official SDK talking to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from openai import OpenAI

from integrations.connectors.openai.simulator import Organization, Simulator

DAY = 24 * 3600


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 1_760_000_000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def organization(clock: Clock) -> Organization:
    return Organization(owner="olivia@example.org", clock=clock)


@pytest.fixture
def simulator(organization: Organization) -> Iterator[Simulator]:
    with Simulator(organization) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with connect(simulator) as client:
        yield client


def connect(simulator: Simulator, key: str = "", **options: Any) -> OpenAI:
    """The official SDK, which shall not hide an error behind a retry."""
    secret = key or simulator.organization.admin_key
    return OpenAI(admin_api_key=secret, base_url=simulator.base_url, max_retries=0, **options)
