"""Whose address a request has: the client's, as told by proxies of ours, and by nobody else."""

from ipaddress import ip_network

import pytest
from django.test import Client, override_settings

from cakewalk import proxies
from cakewalk.ledger.models import Entry

OURS = [ip_network("10.0.0.0/24"), ip_network("2001:db8:1::/48"), ip_network("127.0.0.1/32")]


@pytest.mark.parametrize(
    ("peer", "told", "found"),
    [
        # nobody of ours between
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.1.1", "198.51.100.9", "10.0.1.1"),
        # one proxy, and several
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9,10.0.0.2,10.0.0.3", "198.51.100.9"),
        ("2001:db8:1::5", "2001:db8:2::7", "2001:db8:2::7"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        # what the client itself wrote in front is not looked at
        ("10.0.0.1", "203.0.113.1, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.2, 198.51.100.9, 10.0.0.3", "198.51.100.9"),
        ("10.0.0.1", "<script>, 198.51.100.9", "198.51.100.9"),
        # a request of a proxy itself
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        # however a proxy writes it
        ("10.0.0.1", "198.51.100.9:4711", "198.51.100.9"),
        ("10.0.0.1", "[2001:DB8:2:0::7]", "2001:db8:2::7"),
        ("10.0.0.1", "[2001:db8:2::7]:4711", "2001:db8:2::7"),
        ("10.0.0.1", '"[2001:db8:2::7]:4711"', "2001:db8:2::7"),
        ("10.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        # nonsense ends the row at the proxy that told it
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9, _hidden, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.999", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9\x00", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9," * 100_000 + "10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", ",".join(["10.0.0.2"] * 100_000), "10.0.0.2"),
        # a Unix socket, whose peers have no address
        ("", "198.51.100.9", "198.51.100.9"),
        ("", "", ""),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_client_is_the_last_in_the_row_that_is_no_proxy_of_ours(peer, told, found):
    assert proxies.client(peer, told, OURS) == found


def test_without_trusted_proxies_nobody_speaks_for_another():
    assert proxies.client("127.0.0.1", "198.51.100.9", []) == "127.0.0.1"
    assert proxies.client("", "198.51.100.9", []) == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "written"), [("10.0.0.1", "198.51.100.9"), ("192.0.2.1", "192.0.2.1")], ids=["ours", "anybody"]
)
def test_the_ledger_has_the_client_s_address(peer, written):
    with override_settings(TRUSTED_PROXIES=OURS):
        Client(REMOTE_ADDR=peer).post(
            "/admin/login/",
            {"username": "ada", "password": "wrong"},
            headers={"X-Forwarded-For": "198.51.100.9"},
        )
    assert Entry.objects.latest("pk").address == written


@pytest.mark.django_db
def test_one_client_behind_the_proxy_uses_up_no_tries_of_another():
    behind = Client(REMOTE_ADDR="10.0.0.1")

    def status(address: str) -> int:
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": address}
        return behind.get("/scim/v2/Users", headers=headers).status_code

    with override_settings(TRUSTED_PROXIES=OURS):
        assert [status("198.51.100.9") for _ in range(21)][-1] == 429
        assert status("198.51.100.10") == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "shown"), [("10.0.0.1", "https"), ("192.0.2.1", "http")], ids=["ours", "anybody"]
)
def test_only_our_proxy_says_that_it_was_asked_over_tls(peer, shown):
    with override_settings(TRUSTED_PROXIES=OURS, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        answer = Client(REMOTE_ADDR=peer).get("/admin/login/", headers={"X-Forwarded-Proto": "https"})
        assert answer.wsgi_request.scheme == shown
