"""Who may do what in the admin, with everything that is told of it in the ledger: each deed by each role."""

import functools
from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.admin.builders import Company
from tests.admin.conftest import signed_in
from tests.admin.deeds import DEEDS, Deed, Sender, everything
from tests.admin.roles import NONE, SHOWN_TO, STAFF
from tests.ledger.told import last_seq, told

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def installation(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[Company, dict[str, Client]]]:
    """One for all deeds, each of which is undone: to build it takes longer than a deed by every role."""
    with django_db_blocker.unblock(), Simulator(Organization()) as simulator, transaction.atomic():
        company = Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)
        yield company, dict(signed_in())  # all of them, before anything is looked at
        transaction.set_rollback(True)


@pytest.fixture
def company(installation: tuple[Company, dict[str, Client]]) -> Company:
    return installation[0]


@pytest.fixture
def clients(installation: tuple[Company, dict[str, Client]]) -> dict[str, Client]:
    """Signed in as at first: a new password, or signing out, leaves one with another cookie."""
    clients = {role: Client() for role in installation[1]}
    for role, client in clients.items():
        client.cookies = deepcopy(installation[1][role].cookies)
    return clients


class Onlooker(Client):
    """Is shown each form once: what a role does is undone before the next one tries."""

    get = functools.cache(Client.get)  # type: ignore[assignment]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.what)
def test_each_deed_is_done_by_whom_it_is_meant_for(
    company: Company, clients: dict[str, Client], deed: Deed
) -> None:
    before, since = everything(), last_seq()
    done, entries = {}, {}
    sees_all = Onlooker()
    sees_all.cookies = clients["superuser"].cookies
    for role, client in clients.items():
        typed = deed.typed(company, Sender(int(client.session["_auth_user_id"]), sees_all))
        with transaction.atomic():
            status = client.post(deed.address(company), typed).status_code
            done[role] = (status, {table for table, rows in everything().items() if rows != before[table]})
            entries[role] = told(since)
            transaction.set_rollback(True)

    assert {role for role, (_, changed) in done.items() if changed} == (NONE if deed.only_shows else deed.who)
    assert all(deed.changes in changed for _, changed in done.values() if changed)
    assert {role for role, (status, _) in done.items() if status == 403} == refused(deed)
    assert {status for status, _ in done.values()} <= {200, 302, 403}
    assert {role for role, lines in entries.items() if lines} == (NONE if deed.is_silent else deed.who)
    assert all(actor == role for role, lines in entries.items() for actor, _ in lines)


def refused(deed: Deed) -> frozenset[str]:
    """Who is told that they may not. A list is shown again where it does not offer the action."""
    sees_the_list = SHOWN_TO[deed.page] if deed.page.endswith("_changelist") else NONE
    return STAFF - deed.who - sees_the_list


def test_nothing_is_done_without_the_page_that_offers_it(
    company: Company, clients: dict[str, Client]
) -> None:
    """A form of another site carries no token of ours."""
    before, since = everything(), last_seq()
    for deed in DEEDS:
        forged = Client(enforce_csrf_checks=True)
        forged.cookies = clients["superuser"].cookies
        sender = Sender(int(forged.session["_auth_user_id"]), clients["superuser"])
        typed = deed.typed(company, sender)
        assert (deed.what, forged.post(deed.address(company), typed).status_code) == (deed.what, 403)
    assert everything() == before
    assert told(since) == []
