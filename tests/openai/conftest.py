"""An organization behind a simulator, and connectors to it that do not sleep."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Organization, Simulator
from tests.openai.builders import ADMIN_KEY
from tests.openai.remote import Remote, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def organization() -> Organization:
    return Organization()


@pytest.fixture
def simulator(organization: Organization) -> Iterator[Simulator]:
    with Simulator(organization) as simulator:
        yield simulator


@pytest.fixture
def connector(organization: Organization, simulator: Simulator, time: Time) -> OpenAIConnector:
    return OpenAIConnector(secret=organization.admin_key, base_url=simulator.base_url, pace=time.pace())


@pytest.fixture
def connect(time: Time) -> Callable[..., OpenAIConnector]:
    """A connector to a remote with prepared answers."""

    def connect(remote: Remote, **pace: Any) -> OpenAIConnector:
        return OpenAIConnector(secret=ADMIN_KEY, base_url=remote.base_url, pace=time.pace(**pace))

    return connect
