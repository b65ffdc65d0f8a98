"""A key holder enters keys, and sees and does nothing else."""

import pytest
from django.contrib.auth.models import Group as Role
from django.test import Client
from django.urls import reverse

from cakewalk.models import User
from integrations.connectors.openai.simulator import Simulator
from integrations.models import Credential, Integration
from tests.admin.builders import integration, staff
from tests.admin.roles import KEY_HOLDER, OPERATOR
from tests.integrations.entering import WRONG_KEY

CREDENTIALS = "/admin/integrations/credentials/"
CONNECT = "/admin/integrations/connect/openai/"


def enter(client: Client, into: Integration, key: str, button: str = "_enable", **typed: str) -> int:
    page = reverse("integrations:credential", args=[into.pk])
    asked = {"name": into.name, "base_url": into.base_url, "secret": key, button: "1"}
    return client.post(page, asked | typed).status_code


@pytest.fixture
def acme(db: None, simulator: Simulator) -> Integration:
    return integration(secret=WRONG_KEY, base_url=simulator.base_url)


def test_a_key_that_works_is_stored_with_who_entered_it_and_leads_back_to_the_keys(
    acme: Integration, clients: dict[str, Client], simulator: Simulator
) -> None:
    assert enter(clients[KEY_HOLDER], acme, simulator.organization.admin_key) == 302

    assert acme.stored_secret().reveal() == simulator.organization.admin_key
    assert str(Credential.objects.get().entered_by) == KEY_HOLDER
    assert "The key of Acme works, and is stored." in clients[KEY_HOLDER].get(CREDENTIALS).content.decode()


def test_neither_the_name_nor_where_the_key_is_sent_is_theirs_to_change(
    acme: Integration, clients: dict[str, Client], simulator: Simulator
) -> None:
    elsewhere = {"name": "Mine", "base_url": "http://127.0.0.1:1/v1"}
    enter(clients[KEY_HOLDER], acme, simulator.organization.admin_key, **elsewhere)

    found = Integration.objects.get()
    assert (found.name, found.base_url) == ("Acme", simulator.base_url)
    assert found.stored_secret().reveal() == simulator.organization.admin_key


def test_what_is_disabled_stays_so_and_an_untried_key_disables_nothing(
    acme: Integration, clients: dict[str, Client], simulator: Simulator
) -> None:
    assert enter(clients[KEY_HOLDER], acme, WRONG_KEY, "_save") == 403
    acme.disable()

    enter(clients[KEY_HOLDER], acme, simulator.organization.admin_key)

    found = Integration.objects.get()
    assert (found.enabled, found.stored_secret().reveal()) == (False, simulator.organization.admin_key)
    assert "An operator enables it." in clients[KEY_HOLDER].get(CREDENTIALS).content.decode()


def test_an_operator_who_enters_no_keys_prepares_what_a_key_holder_completes(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    Role.objects.get(name="Operator").permissions.remove(
        *Role.objects.get(name="Key holder").permissions.all()
    )
    typed = {"name": "Beta", "base_url": simulator.base_url, "secret": simulator.organization.admin_key}
    page = clients[OPERATOR].get(CONNECT).content.decode()
    assert "It is saved without a key" in page
    assert 'name="secret"' not in page
    for button in ("_enable", "_test", "_link"):
        assert clients[OPERATOR].post(CONNECT, typed | {button: "1"}).status_code == 403

    clients[OPERATOR].post(CONNECT, typed | {"_save": "1"})
    beta = Integration.objects.get()
    assert not Credential.objects.exists()
    assert "No key was entered yet." in clients[KEY_HOLDER].get(CREDENTIALS).content.decode()
    enter(clients[KEY_HOLDER], beta, simulator.organization.admin_key)

    assert beta.stored_secret().reveal() == simulator.organization.admin_key
    assert clients[OPERATOR].get(reverse("integrations:credential", args=[beta.pk])).status_code == 403


def test_a_link_of_whoever_may_no_longer_enter_keys_is_over(
    acme: Integration, clients: dict[str, Client], simulator: Simulator
) -> None:
    page = reverse("integrations:credential", args=[acme.pk])
    link = clients[KEY_HOLDER].post(page, {"_link": "1", "hours": "1"}).context["new_link"]
    assert Client().post("/key/", {"link": link}).status_code == 200

    User.objects.get(username=KEY_HOLDER).groups.clear()

    assert Client().post("/key/", {"link": link}).status_code == 404


def test_home_tells_them_of_a_key_that_was_rejected_and_of_nothing_else(
    acme: Integration, clients: dict[str, Client]
) -> None:
    quiet = clients[KEY_HOLDER].get("/admin/").content.decode()
    assert "No key is asked of you" in quiet
    assert "Acme" not in quiet

    Integration.objects.update(rejected_at="2026-01-01T00:00Z")

    told = clients[KEY_HOLDER].get("/admin/").context["needs"]
    assert [(need.title, need.url) for need in told] == [
        ("Acme needs attention", reverse("integrations:credential", args=[acme.pk]))
    ]


def test_on_one_integration_only_the_key_of_that_one(acme: Integration, simulator: Simulator) -> None:
    globex = integration("Globex", secret=WRONG_KEY, base_url=simulator.base_url)
    user = staff("kim")
    user.roles_on_integrations.create(role=Role.objects.get(name="Key holder"), integration=acme)
    client = Client()
    client.force_login(user)

    listed = client.get(CREDENTIALS).content.decode()
    assert ("Acme" in listed, "Globex" in listed) == (True, False)
    assert enter(client, acme, simulator.organization.admin_key) == 302
    assert enter(client, globex, simulator.organization.admin_key) == 403
    assert globex.stored_secret().reveal() == WRONG_KEY
