"""Every kind of answer, refusals and errors too, tells browsers the same, and shows nothing of the inside.

Pages of the admin are looked at in tests/admin/test_roles.py, which opens all of them.
"""

import re
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, resolve

from cakewalk import urls
from tests.admin.builders import staff
from tests.web.headers import wrong_headers

OVER_TLS = ("HTTP_X_FORWARDED_PROTO", "https")
MB = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
IMPORT = "/admin/directory/person/import/"


def broken(request: HttpRequest) -> HttpResponse:
    told = "s3cret of the inside"
    raise RuntimeError(told)


urlpatterns = [path("broken", broken), *urls.urlpatterns]
"""The application with a fault in it."""


def asked(address: str = "/nowhere", *, method: str = "get", **more: Any) -> Any:
    client = Client(raise_request_exception=False, enforce_csrf_checks=method == "post")
    return getattr(client, method)(address, **more)


def too_large(address: str, megabytes: int) -> Any:
    """Its length is told first, and judged by."""
    kind = "multipart/form-data; boundary=x"
    return asked(address, method="post", data=b"", content_type=kind, CONTENT_LENGTH=megabytes * MB)


KINDS = {
    "a page for everybody": (lambda: asked("/docs/"), 200, "public"),
    "a page of docs as text": (lambda: asked("/llms.txt"), 200, "public"),
    "a redirect": (lambda: asked("/"), 302, "no-store"),
    "to the login": (lambda: asked("/admin/directory/person/"), 302, "no-store"),
    "the login": (lambda: asked("/admin/login/"), 200, "no-store"),
    "nothing there": (lambda: asked("/nowhere"), 404, "no-store"),
    "no such document": (lambda: asked("/docs/nowhere"), 404, ""),
    "a form without its token": (lambda: asked("/admin/login/", method="post"), 403, "no-store"),
    "a method that is not taken": (lambda: asked("/key/", method="put"), 405, "no-store"),
    "another host": (lambda: asked("/admin/login/", headers={"Host": "evil.example"}), 400, "no-store"),
    "a fault": (lambda: asked("/broken"), 500, "no-store"),
    "too large a form": (lambda: too_large("/admin/login/", 3), 413, "no-store"),
    "too large a file": (lambda: too_large(IMPORT, 33), 413, "no-store"),
    "too large a key": (lambda: too_large("/key/", 1), 413, "no-store"),
    "too many fields": (
        lambda: asked("/key/", method="post", data="a=&" * 1001, content_type=FORM),
        400,
        "no-store",
    ),
    "the page of keys": (lambda: asked("/key/"), 200, "no-store"),
    "SCIM without a token": (lambda: asked("/scim/v2/Users"), 401, "no-store"),
    "a page of the admin that is not there": (lambda: asked("/admin/nowhere/"), 302, "no-store"),
    "nothing that may be framed": (lambda: asked("/docs/", method="head"), 200, "public"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
@override_settings(ROOT_URLCONF="tests.web.test_answers")
def test_every_kind_of_answer_tells_browsers_the_same(kind: str) -> None:
    ask, status, kept = KINDS[kind]
    answer = ask()
    assert (answer.status_code, wrong_headers(answer, kept=kept)) == (status, {})


@pytest.mark.django_db
@override_settings(SECURE_SSL_REDIRECT=True, SECURE_PROXY_SSL_HEADER=OVER_TLS, SECURE_HSTS_SECONDS=60)
def test_those_before_all_pages_do_too() -> None:
    to_https = asked("/admin/", headers={"X-Forwarded-Proto": "http"})
    without_header = asked("/admin/")
    over_https = asked("/docs/", headers={"X-Forwarded-Proto": "https"})
    assert [answer.status_code for answer in (to_https, without_header, over_https)] == [301, 400, 200]
    assert wrong_headers(to_https) == wrong_headers(without_header) == {}
    assert over_https["Strict-Transport-Security"] == "max-age=60"


@override_settings(WHITENOISE_USE_FINDERS=True)
def test_files_do_too() -> None:
    answer = asked("/static/cakewalk/logo.svg")
    assert (answer.status_code, wrong_headers(answer, kept="public")) == (200, {})


@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind", ["nothing there", "a fault", "another host", "too large a form", "too many fields"]
)
@override_settings(ROOT_URLCONF="tests.web.test_answers")
def test_pages_of_errors_are_ours_and_show_nothing_of_the_inside(kind: str) -> None:
    shown = KINDS[kind][0]().content.decode()
    assert "<title>" in shown
    assert "| Cakewalk" in shown
    assert re.findall(r"s3cret|Traceback|RuntimeError|django|/cakewalk/\w+\.py|DEBUG|evil", shown) == []


@pytest.mark.django_db
def test_the_limit_is_named() -> None:
    assert "larger than the 2.0\xa0MB that are taken here" in too_large("/admin/login/", 3).content.decode()
    assert "larger than the 64.0\xa0KB" in too_large("/key/", 1).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("of", ["person/export-csv", "person/export-xlsx"])
def test_an_export_of_what_cannot_be_asked_is_refused(of: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(staff("ada", is_superuser=True))
    answer = client.get(f"/admin/directory/{of}/", {"nonsense": "1"})
    assert (answer.status_code, "Nothing was changed." in answer.content.decode()) == (400, True)


def test_views_whose_limit_is_named_are_there(settings: Any) -> None:
    """A view that was renamed would have the usual limit, unnoticed."""
    found = {resolve(address).view_name for address in ("/scim/v2/Users", "/key/", IMPORT)}
    assert found == set(settings.LARGEST_BODIES)
