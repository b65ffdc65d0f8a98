"""A company behind the admin, and a client for each role."""

from importlib import import_module

import pytest
from django.conf import settings
from django.test import Client

from cakewalk.models import User
from integrations.connectors.openai.simulator import Simulator
from tests.admin.builders import Company, staff
from tests.admin.roles import NOBODY, ROLES, SUPERUSER

import_module(settings.ROOT_URLCONF)  # some tests look at what pages there are before they ask for one


@pytest.fixture
def company(db: None, simulator: Simulator) -> Company:
    return Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)


@pytest.fixture
def clients(db: None) -> dict[str, Client]:
    return signed_in()


def signed_in() -> dict[str, Client]:
    """A client for each role."""
    clients = {}
    for role in ROLES:
        granted = [] if role in (NOBODY, SUPERUSER) else [role.capitalize()]
        known = User.objects.filter(username=role).first()  # the company asks some of them to review
        clients[role] = Client()
        clients[role].force_login(known or staff(role, *granted, is_superuser=role == "superuser"))
    return clients
