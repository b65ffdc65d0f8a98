"""LDAP servers are set up by forms that keep the password where it was meant to go."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from directory.models import LdapServer
from tests.admin.browser import Typed, as_shown, forms, said
from tests.admin.builders import LDAP_PASSWORD, ldap_server
from tests.environment import new_fernet_key

ADD = "/admin/directory/ldapserver/add/"


def typed(**more: str) -> Typed:
    usual = {"source_name": "corp", "flavour": "openldap", "url": "ldaps://x.example.org", "base_dn": "dc=x"}
    return {
        **usual,
        "bind_dn": "cn=reader",
        "new_password": LDAP_PASSWORD,
        "pull_every_minutes": "60",
        **more,
    }


def page(server: LdapServer) -> str:
    return reverse("admin:directory_ldapserver_change", args=[server.pk])


def problems(client: Client, address: str, sent: Typed) -> dict[str, list[str]]:
    answer = client.post(address, sent)
    return dict(answer.context["adminform"].form.errors) if answer.status_code == 200 else {}


def test_a_new_server_gets_a_source_and_its_password_is_shown_to_nobody(clients: dict[str, Client]) -> None:
    operator = clients["operator"]
    assert operator.post(ADD, typed()).status_code == 302
    server = LdapServer.objects.get()
    assert (server.source.name, server.source.kind) == ("corp", "ldap")
    assert server.password.reveal() == LDAP_PASSWORD
    assert server.next_pull_at is None  # not before somebody has seen what a pull does
    for client in (operator, clients["auditor"]):
        for address in (page(server), reverse("admin:directory_source_change", args=[server.source_id])):
            assert LDAP_PASSWORD not in client.get(address).content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "https://x.example.org"}, "url"),
        ({"url": "ldap://x.example.org"}, "url"),
        ({"url": "ldaps://x.example.org:port"}, "url"),
        ({"people_filter": "(uid=ada"}, "people_filter"),
        ({"attributes": "salary = pay"}, "attributes"),
        ({"new_password": ""}, "new_password"),
    ],
)
def test_what_cannot_be_asked_is_refused_beside_its_field(
    clients: dict[str, Client], wrong: dict[str, str], field: str
) -> None:
    answer = clients["operator"].post(ADD, typed(**wrong))
    assert list(answer.context["adminform"].form.errors) == [field]
    assert LDAP_PASSWORD not in answer.content.decode()
    assert not LdapServer.objects.exists()


def test_a_stored_password_is_not_sent_to_another_place(clients: dict[str, Client]) -> None:
    server, operator = ldap_server("corp"), clients["operator"]
    moved = as_shown(operator, page(server), "ldapserver_form", url="ldaps://elsewhere.example.org")
    assert list(problems(operator, page(server), moved)) == ["new_password"]
    assert operator.post(page(server), moved | {"new_password": "another"}).status_code == 302
    server.refresh_from_db()
    assert (server.url, server.password.reveal()) == ("ldaps://elsewhere.example.org", "another")


def test_other_settings_leave_the_password_even_where_it_cannot_be_read(
    clients: dict[str, Client], settings
) -> None:
    server, operator, keys = ldap_server("corp"), clients["operator"], settings.FERNET_KEYS
    settings.FERNET_KEYS = [new_fernet_key()]
    sent = as_shown(operator, page(server), "ldapserver_form", people_filter="(uid=*)")
    assert operator.post(page(server), sent).status_code == 302
    settings.FERNET_KEYS = keys
    server.refresh_from_db()
    assert (server.people_filter, server.password.reveal()) == ("(uid=*)", LDAP_PASSWORD)


def test_the_button_asks_for_a_pull_and_the_page_says_why_the_last_one_changed_nothing(
    clients: dict[str, Client],
) -> None:
    server, operator = ldap_server("corp"), clients["operator"]
    source_page = reverse("admin:directory_source_change", args=[server.source_id])
    button = reverse("admin:directory_ldapserver_pull", args=[server.pk])
    shown = operator.get(source_page)
    assert button in forms(shown)
    assert "Failed: nothing was changed" in shown.content.decode()
    assert said(operator.post(button)) == [
        "A pull of corp begins within 15 seconds, as soon as a worker is free."
    ]
    assert list(LdapServer.objects.due(timezone.now())) == [server]
    assert "asked for, and waiting for a worker" in operator.get(source_page).content.decode()
