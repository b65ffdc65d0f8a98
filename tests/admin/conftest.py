"""A company behind the admin, and a client for each role."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import pytest
from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.test import Client
from django.utils import timezone

from cakewalk.models import User
from integrations.connectors.openai.simulator import Simulator
from tests.admin.builders import Company, staff
from tests.admin.roles import NOBODY, ROLES, SUPERUSER

import_module(settings.ROOT_URLCONF)  # some tests look at what pages there are before they ask for one


@pytest.fixture
def company(db: None, simulator: Simulator) -> Company:
    return Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)


@pytest.fixture
def clients(db: None) -> Mapping[str, Client]:
    return signed_in()


class Clients(Mapping[str, Client]):
    """Signed in when they are first asked for, which takes longer than most of what tests do with one."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self.users = users
        self.signed_in: dict[str, Client] = {}

    def __getitem__(self, role: str) -> Client:
        if role not in self.signed_in:
            client = self.signed_in[role] = Client()
            # It would be a change of a row, between what a test has seen before and what it sees after.
            user_logged_in.disconnect(dispatch_uid="update_last_login")
            client.force_login(self.users[role])
            user_logged_in.connect(update_last_login, dispatch_uid="update_last_login")
        return self.signed_in[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self.users)

    def __len__(self) -> int:
        return len(self.users)


def signed_in() -> Mapping[str, Client]:
    """A client for each role."""
    users = {}
    for role in ROLES:
        granted = [] if role in (NOBODY, SUPERUSER) else [role.capitalize()]
        known = User.objects.filter(username=role).first()  # the company asks some of them to review
        users[role] = known or staff(role, *granted, is_superuser=role == "superuser")
        User.objects.filter(username=role).update(last_login=timezone.now())
    return Clients(users)
