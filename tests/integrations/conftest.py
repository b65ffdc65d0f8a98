"""A simulated organization behind real HTTP, and what staff would enter to connect it."""

from collections.abc import Iterator

import pytest

from integrations.connecting import Entry
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import Integration
from tests.integrations.entering import NOW, enter


@pytest.fixture
def organization() -> Organization:
    return Organization()


@pytest.fixture
def simulator(organization: Organization) -> Iterator[Simulator]:
    with Simulator(organization) as running:
        yield running


@pytest.fixture
def entry(organization: Organization, simulator: Simulator) -> Entry:
    """Everything right: the organization's own admin key and address."""
    return enter(simulator)


@pytest.fixture
def acme(db: None, organization: Organization, simulator: Simulator) -> Integration:
    """A connected integration that works."""
    acme = Integration.objects.create(kind="openai", name="Acme", base_url=simulator.base_url)
    acme.store_credential(organization.admin_key, now=NOW)
    acme.enable(now=NOW)
    return acme
