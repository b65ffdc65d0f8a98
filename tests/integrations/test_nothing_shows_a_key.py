"""A key entered or stored is on no page, in no error report and in no log."""

import logging
import sys
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.db import connection
from django.urls import reverse
from django.views.debug import ExceptionReporter
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from cakewalk import encryption
from cakewalk.models import User
from integrations.connectors import http
from integrations.connectors.http import Transport
from integrations.connectors.openai import checking, entering, parsing
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Credential, Integration, Rotation
from tests.integrations.entering import WRONG_KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("sam", "sam@example.org", "x" * 16))
    return client


@pytest.fixture
def auditor(client):
    user = User.objects.create_user("ann", "ann@example.org", "x" * 16, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


def pages_of(acme: Integration) -> list[str]:
    return [
        reverse("admin:index"),
        reverse("integrations:catalog"),
        reverse("integrations:connect", args=["openai"]),
        reverse("integrations:credential", args=[acme.pk]),
        reverse("integrations:welcome", args=[acme.pk]),
        reverse("admin:integrations_integration_changelist"),
        reverse("admin:integrations_integration_change", args=[acme.pk]),
        reverse("admin:integrations_integration_history", args=[acme.pk]),
    ]


@pytest.mark.parametrize("reader", ["staff", "auditor"])
def test_no_page_shows_a_stored_key(request, acme, organization, reader):
    client, shown = request.getfixturevalue(reader), 0
    for address in pages_of(acme):
        answer = client.get(address)
        shown += answer.status_code == 200
        assert organization.admin_key not in answer.content.decode()
        assert organization.admin_key[:-4] not in answer.content.decode()
    assert shown == {"staff": 8, "auditor": 6}[reader]


def test_the_secret_is_no_field_of_any_form_of_the_admin(staff, acme):
    assert (
        staff.get(f"/admin/integrations/credential/{Credential.objects.get().pk}/change/").status_code == 404
    )
    page = staff.get(reverse("admin:integrations_integration_change", args=[acme.pk]))
    assert "secret" not in page.context["adminform"].form.fields


@pytest.mark.parametrize("button", ["_test", "_save", "_enable"])
def test_a_refused_key_is_not_sent_back_in_the_form(staff, simulator, button):
    simulator.inject(Fault(Kind.UNAUTHORIZED, every=True))
    typed = {"name": "", "secret": WRONG_KEY, "base_url": simulator.base_url, button: "1"}
    page = staff.post(reverse("integrations:connect", args=["openai"]), typed)
    assert page.status_code == 200
    assert WRONG_KEY not in page.content.decode()


BUGS = {
    "in the form": (entering, "refuse_secret"),
    "before any call": (OpenAIConnector, "refuse_base_url"),
    "in the test of the connection": (checking, "key_facts"),
    "in the transport": (Transport, "_call"),
    "before the first call": (http, "_headers"),
    "in requests": (HTTPAdapter, "send"),
    "in urllib3": (HTTPConnectionPool, "_make_request"),
    "while storing": (Integration, "record_check"),
    "where it is encrypted": (encryption, "fernet"),
}
"""What is not there when it is called: the error then comes from the frame that holds the key."""


@pytest.fixture
def reports():
    """What Django would mail to the administrators about an error, as text and as a page."""
    written: list[str] = []

    def report(sender: Any, request: Any = None, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        written.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    got_request_exception.connect(report, weak=False)
    yield written
    got_request_exception.disconnect(report)


@pytest.mark.parametrize("place", BUGS)
def test_no_report_of_a_bug_shows_the_key_that_was_entered(
    staff, organization, simulator, monkeypatch, reports, caplog, place
):
    monkeypatch.setattr(*BUGS[place], None)
    staff.raise_request_exception = False
    typed = {"name": "Acme", "secret": organization.admin_key, "base_url": simulator.base_url}
    with caplog.at_level(logging.DEBUG):
        answer = staff.post(reverse("integrations:connect", args=["openai"]), typed)
    assert answer.status_code == 500
    assert ["is not callable" in written for written in reports] == [True, True]
    for written in (*reports, answer.content.decode(), caplog.text):
        assert organization.admin_key not in written


def test_no_report_of_a_bug_shows_a_stored_key(staff, acme, organization, monkeypatch, reports):
    monkeypatch.setattr(HTTPConnectionPool, "_make_request", None)
    staff.raise_request_exception = False
    answer = staff.post(reverse("admin:integrations_integration_enable", args=[acme.pk]))
    assert (answer.status_code, len(reports)) == (500, 2)
    for written in reports:
        assert organization.admin_key not in written


# -- a key that is made by rotating


@pytest.fixture
def made(organization, monkeypatch):
    """Every secret that the organization has given out, the new ones too."""
    given = [organization.admin_key]
    create = organization.create_admin_key

    def creating(*arguments: Any, **more: Any) -> Any:
        key = create(*arguments, **more)
        given.append(key.value)
        return key

    monkeypatch.setattr(organization, "create_admin_key", creating)
    return given


def test_rotating_shows_neither_the_old_nor_the_new_key(staff, acme, made, caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        answer = staff.post(reverse("admin:integrations_integration_rotate", args=[acme.pk]), follow=True)
        call_command("rotate_credential", "Acme", "--json")
        call_command("rotate_credential", "Acme")
    assert len(made) == 4
    pages = [staff.get(address).content.decode() for address in pages_of(acme)]
    printed = capsys.readouterr()
    dumped = StringIO()
    call_command("dumpdata", "integrations", "admin", stdout=dumped)
    texts = (answer.content.decode(), *pages, printed.out, printed.err, caplog.text, dumped.getvalue())
    for secret in made:
        assert not [text for text in texts if secret in text or secret[:-4] in text]


def test_a_new_key_that_is_not_in_use_yet_is_on_no_page_and_encrypted_in_its_column(
    staff, acme, simulator, made
):
    simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/users", nth=2))
    staff.post(reverse("admin:integrations_integration_rotate", args=[acme.pk]))
    new = made[-1]
    assert Rotation.objects.get().new_secret.reveal() == new
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_rotation")
        assert new not in str(cursor.fetchall())
    for address in pages_of(acme):
        assert new[:-4] not in staff.get(address).content.decode()


BUGS_OF_A_ROTATION = {
    "where the answer comes in": (OpenAIClient, "_hear"),
    "where the answer is read": (parsing, "parse_object"),
    "where the key is read": (parsing, "parse_admin_key"),
    "where the answer is judged": (OpenAIConnector, "refuse_secret"),
    "where it is written down": (Rotation, "_write"),
    "where it is proven": (checking, "checks"),
    "where it is stored": (Integration, "store_credential"),
}


@pytest.mark.parametrize("place", BUGS_OF_A_ROTATION)
def test_no_report_of_a_bug_shows_the_key_that_was_made(
    staff, acme, organization, made, monkeypatch, reports, place
):
    create = organization.create_admin_key

    def breaking(*arguments: Any, **more: Any) -> Any:
        """From the moment on in which there is a new key."""
        key = create(*arguments, **more)
        monkeypatch.setattr(*BUGS_OF_A_ROTATION[place], None)
        return key

    monkeypatch.setattr(organization, "create_admin_key", breaking)
    staff.raise_request_exception = False
    answer = staff.post(reverse("admin:integrations_integration_rotate", args=[acme.pk]))
    assert (answer.status_code, len(made)) == (500, 2)
    assert ["is not callable" in written for written in reports] == [True, True]
    for secret in made:
        # A report breaks long values over several lines.
        pieces = {secret[place : place + 10] for place in range(9, len(secret) - 10)}
        for written in (*reports, answer.content.decode()):
            assert not [piece for piece in pieces if piece in written]
