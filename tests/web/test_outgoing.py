"""Where an installation for production sends something: nowhere inside, however it is written."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from requests import adapters

from cakewalk.addresses import is_public
from directory.ldap import reading
from directory.ldap.entries import Inconclusive
from directory.models import LdapServer
from integrations.connectors.base import RemoteUnreachable
from integrations.connectors.http import Pace, Transport
from integrations.connectors.openai.connector import OpenAIConnector
from provisioning.alarms import addresses, posting
from tests.alarms.test_sending import a_certificate
from tests.openai.builders import ADMIN_KEY
from tests.openai.remote import Answer, Remote

INSIDE = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "127.8.9.10",
    "0.0.0.0",  # noqa: S104 - bound to by nobody
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0xa9fea9fe",
    "2852039166",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "localhost.localdomain",
    "ip6-localhost",
    "foo.localhost",
    "127.0.0.1.nip.io",
    "metadata",
    "metadata.google.internal",
    "kubernetes.default.svc",
    "rebinding.example.org",
]
IN_DISGUISE = [
    "api.openai.com@127.0.0.1",
    "api.openai.com:443@127.0.0.1",
    "me:secret@127.0.0.1",
    "127.0.0.1#@api.openai.com",
    "127.0.0.1?@api.openai.com",
    "127.0.0.1\\@api.openai.com",
    "api.openai.com\\.127.0.0.1",
    "api.openai.com%00.127.0.0.1",
    "api.openai.com%2F@127.0.0.1",
    "127.0.0.1\t",
    "127.0.0.1\r\nHost: api.openai.com",
    "\uff11\uff12\uff17.0.0.1",  # fullwidth
    "\u2460\u2461\u2466.0.0.1",  # in circles
    "127\u30020\u30020\u30021",  # with ideographic full stops
]
HOSTILE = [*INSIDE, *IN_DISGUISE]


def by_a_key(host: str) -> str:
    """As when it is connected, and as when it was stored before and is called."""
    address = f"https://{host}/v1"
    if refusal := OpenAIConnector.refuse_base_url(address):
        with pytest.raises(RemoteUnreachable):
            OpenAIConnector(secret=ADMIN_KEY, base_url=address)
        return refusal
    raise AssertionError("It would be stored.")


def by_a_call_of_the_transport(host: str) -> str:
    with pytest.raises(RemoteUnreachable) as refused:
        Transport(f"https://{host}/v1", ADMIN_KEY, lambda _: None, Pace(patience=0)).read(
            "/organization/users"
        )
    return str(refused.value)


def by_an_alarm(host: str) -> str:
    address = f"https://{host}/hook"
    return addresses.refuse(address, []) or posting.post(address, b"{}", {}, []).says


def by_a_call_with_an_alarm(host: str) -> str:
    try:
        return posting.post(f"https://{host}/hook", b"{}", {}, []).says
    except ValueError as refused:  # what no form lets through
        return str(refused)


def by_ldap(host: str) -> str:
    address = f"ldaps://{host}"
    try:
        LdapServer(url=address, base_dn="dc=x").clean()
    except ValidationError as error:
        return " ".join(error.messages)
    return by_a_read_of_ldap(host)


def by_a_read_of_ldap(host: str) -> str:
    with pytest.raises((Inconclusive, ValueError)) as refused:
        reading.read(reading.Login(f"ldaps://{host}"), [reading.Search("dc=x", "(cn=*)", ("cn",))])
    return str(refused.value)


@pytest.fixture
def connected_to(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was connected to. Numbers lead where they say, and whatever else is a name to this machine."""
    found: list[object] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        try:
            return real(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            return real("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def connect(_: socket.socket, where: object) -> None:
        found.append(where)
        raise OSError("not from a test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return found


ASKERS = [
    by_a_key,
    by_a_call_of_the_transport,
    by_an_alarm,
    by_a_call_with_an_alarm,
    by_ldap,
    by_a_read_of_ldap,
]


@pytest.mark.parametrize("ask", ASKERS, ids=lambda asker: asker.__name__)
@override_settings(HTTPS=True, CONNECTOR_ALLOWED_HOSTS=[], WEBHOOK_ALLOWED_HOSTS=[], LDAP_ALLOWED_HOSTS=[])
def test_nothing_inside_is_called(connected_to: list[object], ask: Callable[[str], str]) -> None:
    assert {host for host in HOSTILE if not ask(host) or connected_to} == set()


@pytest.mark.parametrize("ask", [by_a_call_of_the_transport, by_a_call_with_an_alarm, by_a_read_of_ldap])
@override_settings(HTTPS=True, CONNECTOR_ALLOWED_HOSTS=[], WEBHOOK_ALLOWED_HOSTS=[], LDAP_ALLOWED_HOSTS=[])
def test_a_name_that_leads_inside_is_told_with_the_setting_that_would_allow_it(connected_to, ask):
    said = ask("rebinding.example.org")
    assert "rebinding.example.org leads to 127.0.0.1, which is no public address." in said
    assert "_ALLOWED_HOSTS does not name" in said


@pytest.mark.parametrize("ask", [by_a_call_of_the_transport, by_a_call_with_an_alarm, by_a_read_of_ldap])
@override_settings(HTTPS=True, CONNECTOR_ALLOWED_HOSTS=[], WEBHOOK_ALLOWED_HOSTS=[], LDAP_ALLOWED_HOSTS=[])
def test_public_addresses_are_called(connected_to, ask):
    ask("8.8.8.8")
    assert connected_to
    assert {where[0] for where in connected_to} == {"8.8.8.8"}


@pytest.mark.parametrize("ask", [by_a_call_of_the_transport, by_a_read_of_ldap])
@override_settings(HTTPS=True, CONNECTOR_ALLOWED_HOSTS=["inside.corp"], LDAP_ALLOWED_HOSTS=["inside.corp"])
def test_a_host_that_the_setting_names_may_be_inside(connected_to, ask):
    ask("inside.corp")
    assert {where[0] for where in connected_to} == {"127.0.0.1"}


def test_the_local_machine_may_have_the_key_only_without_https(settings):
    address = "http://127.0.0.1:8123/v1"
    settings.HTTPS = True
    refusal = OpenAIConnector.refuse_base_url(address)
    assert refusal is not None
    assert "CONNECTOR_ALLOWED_HOSTS" in refusal
    settings.HTTPS = False
    assert OpenAIConnector.refuse_base_url(address) is None


@pytest.mark.parametrize("ip", ["1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses_are_told_from_the_rest(ip):
    assert is_public(ip)


# -- to the very address that was judged


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were resolved: to this machine once, and elsewhere from then on."""
    names: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if not host.endswith(".example.org"):
            return real(host, port, *args, **more)
        names.append(host)
        return real("127.0.0.1" if len(names) == 1 else "192.0.2.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


def test_a_name_is_resolved_once_and_what_it_led_to_is_called(asked_for):
    with Remote(Answer(body={"fine": True})) as remote:
        address = remote.base_url.replace("127.0.0.1", "rebinding.example.org")
        transport = Transport(address, ADMIN_KEY, lambda _: None, Pace(patience=0))
        assert transport.read("/organization/users").status == 200
        assert remote.asked[0].headers["Host"] == address.split("/")[2]
    assert asked_for == ["rebinding.example.org"]


@pytest.mark.parametrize(
    ("named", "works"), [("api.example.org", True), ("other.example.org", False)], ids=["its own", "another"]
)
def test_the_certificate_must_still_be_that_of_the_name(tmp_path, monkeypatch, asked_for, named, works):
    pem, _ = a_certificate(named, tmp_path)
    with_key = tmp_path / "both.pem"
    with_key.write_bytes(pem.with_suffix(".key").read_bytes() + pem.read_bytes())
    with Remote(Answer(body={"fine": True}), certificate=with_key) as remote:
        address = remote.base_url.replace("127.0.0.1", "api.example.org")
        transport = Transport(address, ADMIN_KEY, lambda _: None, Pace(patience=0))
        monkeypatch.setattr(adapters, "DEFAULT_CA_BUNDLE_PATH", str(pem))
        if works:
            assert transport.read("/organization/users").status == 200
        else:
            with pytest.raises(RemoteUnreachable, match=r"certificate of api\.example\.org"):
                transport.read("/organization/users")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"])
def test_proxies_of_the_environment_are_not_used(monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Remote(Answer(body={"fine": True})) as remote:
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, Pace(patience=0))
        assert transport.read("/organization/users").status == 200
