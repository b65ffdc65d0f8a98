"""An installation with an https address: nothing goes over the wire that somebody could read or ride."""

import os
from typing import Any

import pytest
from django.test import Client, override_settings

from tests.test_settings import GOOD, settings

ADDRESS = "https://cakewalk.example.org"
BEHIND_A_PROXY = {"PUBLIC_URL": ADDRESS, "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto"}
OVER_TLS = ("HTTP_X_FORWARDED_PROTO", "https")


def made(**given: str) -> dict[str, Any]:
    return settings(ENV_FILE=os.devnull, **GOOD, **given)


def test_an_https_address_makes_all_of_it_secure():
    found = made(**BEHIND_A_PROXY)
    assert {
        name: found[name]
        for name in ("HTTPS", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    } == {
        "HTTPS": True,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
    }
    assert found["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["CSRF_TRUSTED_ORIGINS"] == [ADDRESS]
    assert "cakewalk.example.org" in found["ALLOWED_HOSTS"]


def test_without_one_it_works_over_http():
    found = made(PUBLIC_URL="http://cakewalk.lan:8000", HSTS_SECONDS="60")
    assert not found["HTTPS"]
    assert not found["SECURE_SSL_REDIRECT"]
    assert not found["SESSION_COOKIE_SECURE"]
    assert "SESSION_COOKIE_NAME" not in found
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["CSRF_TRUSTED_ORIGINS"] == []
    assert "cakewalk.lan" in found["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    ("public", "host", "origin"),
    [
        (
            "HTTPS://Cakewalk.Example.org:8443/sub/",
            "cakewalk.example.org",
            "https://cakewalk.example.org:8443",
        ),
        ("https://[2001:DB8::1]/", "[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_host_and_origin_of_the_address_are_taken(public, host, origin):
    found = made(PUBLIC_URL=public, ALLOWED_HOSTS="other.example.org")
    assert found["ALLOWED_HOSTS"] == ["other.example.org", host]
    assert found["CSRF_TRUSTED_ORIGINS"] == [origin]


def test_without_a_header_that_tells_of_tls_nothing_is_redirected():
    assert not made(PUBLIC_URL=ADDRESS)["SECURE_SSL_REDIRECT"]
    assert made(PUBLIC_URL=ADDRESS, SECURE_SSL_REDIRECT="yes")["SECURE_SSL_REDIRECT"]


@pytest.fixture
def behind_a_proxy():
    with override_settings(
        SECURE_SSL_REDIRECT=True,
        SECURE_PROXY_SSL_HEADER=OVER_TLS,
        SECURE_HSTS_SECONDS=60,
        SESSION_COOKIE_SECURE=True,
        CSRF_COOKIE_SECURE=True,
        SESSION_COOKIE_NAME="__Host-sessionid",
        CSRF_COOKIE_NAME="__Host-csrftoken",
    ):
        yield Client()


def test_plain_http_is_sent_to_https(behind_a_proxy):
    answer = behind_a_proxy.get("/admin/?a=b", headers={"X-Forwarded-Proto": "http"})
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/admin/?a=b")


def test_a_proxy_that_forgot_its_header_is_told_and_not_redirected_for_ever(behind_a_proxy):
    answer = behind_a_proxy.get("/admin/login/")
    assert answer.status_code == 400
    assert "the proxy must send X-Forwarded-Proto" in answer.content.decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_ask_without_the_proxy(behind_a_proxy, path):
    for headers in ({}, {"X-Forwarded-Proto": "http"}):
        assert behind_a_proxy.get(path, headers=headers).status_code not in (301, 400)


@pytest.mark.django_db
def test_cookies_are_of_this_host_and_of_tls_alone(behind_a_proxy, django_user_model):
    django_user_model.objects.create_superuser("ada", password="correct horse battery")
    over_tls = {"X-Forwarded-Proto": "https"}
    behind_a_proxy.get("/admin/login/", headers=over_tls)
    answer = behind_a_proxy.post(
        "/admin/login/", {"username": "ada", "password": "correct horse battery"}, headers=over_tls
    )
    assert answer.status_code == 302
    assert answer["Strict-Transport-Security"] == "max-age=60"
    assert sorted(answer.cookies) == ["__Host-csrftoken", "__Host-sessionid"]
    for cookie in answer.cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
