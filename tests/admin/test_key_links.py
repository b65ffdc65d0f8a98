"""Somebody else pastes the key: once, for a while, without an account, and seen by nobody."""

import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from integrations import connecting
from integrations.admin import key_page
from integrations.admin.key_page import HOLDER
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Simulator
from integrations.models import Credential, Integration, KeyLink
from provisioning.models import ProvisioningJob
from tests.admin.builders import integration, staff
from tests.admin.live import complaints, signed_in
from tests.admin.roles import AUDITOR, OPERATOR, SUPERUSER
from tests.integrations.entering import WRONG_KEY
from tests.ledger.told import facts, told, verbs

CONNECT = "/admin/integrations/connect/openai/"
OVER = "This link cannot be used"


def ask(client: Client, simulator: Simulator, of: Integration | None = None, **typed: str) -> str:
    """The link that staff are shown once."""
    page = reverse("integrations:credential", args=[of.pk]) if of else CONNECT
    asked = {"name": "Acme", "secret": "", "base_url": simulator.base_url, "_link": "1", "hours": "24"}
    return str(client.post(page, asked | typed).context["new_link"])


def open_link(link: str, **more: Any) -> Any:
    return Client(**more).post("/key/", {"link": link})


def enter(link: str, key: str, **more: Any) -> Any:
    return Client(**more).post("/key/", {"link": link, "secret": key})


def log_lines() -> list[str]:
    entries = Entry.objects.filter(verb__startswith="key_link.").order_by("seq")
    return [f"{entry.verb} by {entry.actor} from {entry.address}" for entry in entries]


@pytest.fixture
def link(clients: dict[str, Client], simulator: Simulator) -> str:
    return ask(clients[OPERATOR], simulator)


# -- the way it goes


def test_a_key_that_works_connects_and_whoever_asked_sees_that_it_did(
    clients: dict[str, Client], simulator: Simulator, link: str
) -> None:
    opened = open_link(link, REMOTE_ADDR="192.0.2.7").content.decode()
    assert "operator</strong> asks you for the key with which <strong>Acme</strong>" in opened
    assert simulator.base_url in opened

    done = enter(link, simulator.organization.admin_key, REMOTE_ADDR="192.0.2.7")

    assert "Thank you, the key works" in done.content.decode()
    acme = Integration.objects.get()
    assert (acme.name, acme.enabled, acme.mode) == ("Acme", True, "observe")
    assert acme.stored_secret().reveal() == simulator.organization.admin_key
    preview = ProvisioningJob.objects.get()
    assert (preview.preview, str(preview.requested_by)) == (True, "operator")
    assert log_lines() == [
        "key_link.made by operator from 127.0.0.1",
        "key_link.opened by holder of a one-time link from 192.0.2.7",
        "key_link.used by holder of a one-time link from 192.0.2.7",
    ]
    assert {who for who, verb in told() if verb.startswith(("credential.", "integration."))} == {HOLDER}
    assert facts(Verb.LINK_USED)["asked_by"] == OPERATOR
    seen = clients[OPERATOR].get(CONNECT).content.decode()
    assert "A key was entered just now, from 192.0.2.7." in seen
    assert reverse("integrations:welcome", args=[acme.pk]) in seen


def test_another_key_of_an_integration_changes_nothing_but_the_key(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    acme = integration(secret=WRONG_KEY, base_url=simulator.base_url, mode="manage")
    link = ask(clients[OPERATOR], simulator, acme, name="Mallory", base_url="https://api.openai.com/v1")

    assert "asks you for a new key for <strong>Acme</strong>" in open_link(link).content.decode()
    enter(link, simulator.organization.admin_key)

    found = Integration.objects.get()
    assert (found.name, found.base_url, found.mode) == ("Acme", simulator.base_url, "manage")
    assert found.stored_secret().reveal() == simulator.organization.admin_key
    assert told()[-4:] == [
        (HOLDER, Verb.CREDENTIAL_TESTED),
        (HOLDER, Verb.CREDENTIAL_ENTERED),
        (HOLDER, Verb.LINK_USED),
        ("operator", Verb.JOB_REQUESTED),  # who made the link
    ]


def test_a_refused_key_says_why_stores_nothing_and_leaves_the_link_open(
    simulator: Simulator, link: str
) -> None:
    for wrong, why in (
        (WRONG_KEY, "The key is mistyped, revoked or expired."),
        ("sk-proj-" + "x" * 40, "This is a project key"),
        ("", "Enter the API key."),
    ):
        answer = enter(link, wrong).content.decode()
        assert why in answer
        assert "Nothing was stored. You can try again with this link." in answer
        assert not wrong or wrong not in answer
    assert (Integration.objects.count(), KeyLink.objects.get().tries) == (0, 3)
    assert log_lines()[-1] == f"key_link.tried by {HOLDER} from 127.0.0.1"

    assert "Thank you" in enter(link, simulator.organization.admin_key).content.decode()


# -- what does not use it up


def test_looking_at_the_address_tells_nothing_and_uses_nothing_up(simulator: Simulator, link: str) -> None:
    """As mail scanners do, and whoever follows every link in a page."""
    before = KeyLink.objects.values().get()
    for method in ("get", "head"):
        answer = getattr(Client(), method)("/key/", {"link": link, "secret": "x"})
        assert (answer.status_code, dict(answer.cookies)) == (200, {})
    assert "Acme" not in Client().get(link).content.decode()
    open_link(link)
    open_link(link)

    assert KeyLink.objects.values().get() == before | {"opened_at": KeyLink.objects.get().opened_at}
    assert verbs().count(Verb.LINK_OPENED) == 1


def test_a_link_carries_its_token_where_browsers_send_it_to_nobody(simulator: Simulator, link: str) -> None:
    address, _, token = link.partition("#")
    assert address == "http://testserver/key/"
    assert len(token) >= 43
    answer = open_link(link)
    assert (answer["Referrer-Policy"], "no-store" in answer["Cache-Control"]) == ("no-referrer", True)
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert dict(answer.cookies) == {}
    assert token not in str(KeyLink.objects.values())


def test_the_page_tells_nothing_else_of_the_installation(
    clients: dict[str, Client], simulator: Simulator, link: str
) -> None:
    integration("Secret project")
    staff("mei")
    told = open_link(link).content.decode() + enter(link, WRONG_KEY).content.decode()
    assert [word for word in ("Secret project", "mei", "/admin/", "sessionid", "csrf") if word in told] == []


# -- when it is over


def expired(link: str) -> None:
    KeyLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def revoked(link: str) -> None:
    chief = Client()
    chief.force_login(User.objects.get(username=SUPERUSER))
    chief.post(reverse("integrations:revoke_link", args=[KeyLink.objects.get().pk]))


def asked_by_somebody_gone(link: str) -> None:
    User.objects.filter(username=OPERATOR).update(is_active=False)


def asked_by_somebody_who_may_no_longer(link: str) -> None:
    User.objects.get(username=OPERATOR).groups.clear()


def tried_too_often(link: str) -> None:
    KeyLink.objects.update(tries=KeyLink.MOST_TRIES)


@pytest.mark.parametrize(
    "end", [expired, revoked, asked_by_somebody_gone, asked_by_somebody_who_may_no_longer, tried_too_often]
)
def test_every_link_that_is_over_is_answered_as_one_that_never_was(
    simulator: Simulator, link: str, end: Callable[[str], None]
) -> None:
    end(link)
    never = enter("http://testserver/key/#never", "x")
    for answer in (open_link(link), enter(link, simulator.organization.admin_key)):
        assert (answer.status_code, answer.content) == (never.status_code, never.content)
    assert (never.status_code, OVER in never.content.decode()) == (404, True)
    assert (Integration.objects.count(), simulator.requests) == (0, [])


def test_a_link_works_once(simulator: Simulator, link: str) -> None:
    enter(link, simulator.organization.admin_key)
    again = enter(link, simulator.organization.admin_key)
    assert (again.status_code, Integration.objects.count()) == (404, 1)


def test_of_two_browsers_at_once_the_first_wins(
    clients: dict[str, Client], simulator: Simulator, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = OpenAIConnector.checks

    def overtaken(self: OpenAIConnector) -> Any:
        monkeypatch.setattr(OpenAIConnector, "checks", tried)
        assert "Thank you" in enter(link, simulator.organization.admin_key).content.decode()
        return tried(self)

    monkeypatch.setattr(OpenAIConnector, "checks", overtaken)
    second = enter(link, simulator.organization.admin_key)

    assert (second.status_code, OVER in second.content.decode()) == (404, True)
    assert (Integration.objects.count(), ProvisioningJob.objects.count()) == (1, 1)


def test_a_link_revoked_while_its_key_is_tried_stores_nothing(
    simulator: Simulator, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = OpenAIConnector.checks

    def meanwhile(self: OpenAIConnector) -> Any:
        KeyLink.objects.get().revoke(now=timezone.now())
        return tried(self)

    monkeypatch.setattr(OpenAIConnector, "checks", meanwhile)
    assert enter(link, simulator.organization.admin_key).status_code == 404
    assert not Integration.objects.exists()


@pytest.mark.parametrize("when", ["before", "while the key is tried"])
def test_a_name_that_is_taken_meanwhile_uses_nothing_up_and_is_not_told(
    simulator: Simulator, link: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    tried = OpenAIConnector.checks

    def meanwhile(self: OpenAIConnector) -> Any:
        integration("ACME")
        return tried(self)

    if when == "before":
        integration("ACME")
    else:
        monkeypatch.setattr(OpenAIConnector, "checks", meanwhile)
    answer = enter(link, simulator.organization.admin_key).content.decode()

    assert "could not be stored through this link: ask for a new link" in answer
    assert "already an integration" not in answer
    assert (KeyLink.objects.get().used_at, Integration.objects.get().name) == (None, "ACME")


@pytest.mark.parametrize(("hours", "lives"), [("1", 1), ("24", 24), ("168", 168), ("9000", 24), ("", 24)])
def test_a_link_lives_for_as_long_as_was_chosen(
    clients: dict[str, Client], simulator: Simulator, hours: str, lives: int
) -> None:
    link = ask(clients[OPERATOR], simulator, hours=hours)
    with time_machine.travel(timezone.now() + timedelta(hours=lives, minutes=-1)):
        assert open_link(link).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=lives, minutes=1)):
        assert open_link(link).status_code == 404


# -- who tries many


def test_wrong_links_and_wrong_keys_are_looked_at_a_number_of_times_from_one_address(
    simulator: Simulator, link: str
) -> None:
    wrong = [open_link(f"#{number}").status_code for number in range(key_page.TRIES + 1)]
    assert wrong == [404] * key_page.TRIES + [429]
    assert enter(link, simulator.organization.admin_key).status_code == 429
    assert (open_link(link).status_code, simulator.requests) == (200, [])
    assert open_link("#another", REMOTE_ADDR="192.0.2.9").status_code == 404
    assert (
        "Thank you" in enter(link, simulator.organization.admin_key, REMOTE_ADDR="192.0.2.9").content.decode()
    )


def test_a_link_looks_at_ten_keys_wherever_they_come_from(simulator: Simulator, link: str) -> None:
    for number in range(KeyLink.MOST_TRIES):
        assert enter(link, WRONG_KEY, REMOTE_ADDR=f"192.0.2.{number}").status_code == 200
    assert enter(link, simulator.organization.admin_key, REMOTE_ADDR="192.0.2.99").status_code == 404
    assert not Integration.objects.exists()


# -- who may ask


def test_a_link_is_made_for_what_could_be_connected(clients: dict[str, Client], simulator: Simulator) -> None:
    integration("Taken")
    assert ask(clients[OPERATOR], simulator, name="taken") == ""
    assert ask(clients[OPERATOR], simulator, name="") == ""
    assert ask(clients[OPERATOR], simulator, base_url="https://evil.example.org/v1") == ""
    assert not KeyLink.objects.exists()


def test_who_may_not_connect_neither_makes_nor_revokes_a_link(
    clients: dict[str, Client], simulator: Simulator, link: str
) -> None:
    made = KeyLink.objects.get()
    assert clients[AUDITOR].post(CONNECT, {"name": "Beta", "_link": "1"}).status_code == 403
    revoke = reverse("integrations:revoke_link", args=[made.pk])
    assert clients[AUDITOR].post(revoke).status_code == 403
    assert (KeyLink.objects.count(), open_link(link).status_code) == (1, 200)


def test_a_link_is_shown_once(clients: dict[str, Client], link: str) -> None:
    assert link.partition("#")[2] not in clients[OPERATOR].get(CONNECT).content.decode()


# -- neither the key nor the token stays anywhere


def test_neither_key_nor_token_is_in_a_page_a_log_a_session_or_a_dump(
    clients: dict[str, Client], simulator: Simulator, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    key, token = simulator.organization.admin_key, link.partition("#")[2]
    with caplog.at_level(logging.DEBUG):
        answers = [enter(link, WRONG_KEY), enter(link, key), enter(link, key)]
    dump = StringIO()
    call_command("dumpdata", "integrations", "admin", "sessions", stdout=dump)
    pages = [clients[OPERATOR].get(CONNECT), clients[SUPERUSER].get("/admin/")]
    sessions = [session.get_decoded() for session in Session.objects.all()]
    texts = [caplog.text, dump.getvalue(), str(sessions), str(vars(cache).get("_cache"))]
    shown = [answer.content.decode() for answer in (*answers, *pages)]
    for secret in (key, WRONG_KEY):
        assert not [text for text in (*texts, *shown) if secret in text]
    assert not [text for text in (*texts, *shown[1:]) if token in text]
    assert Credential.objects.get().secret.reveal() == key


@pytest.mark.parametrize(
    "bug",
    [
        (key_page, "test_connection"),
        (connecting, "connector_class"),
        (Integration, "record_check"),
        (KeyLink, "claim"),
        (key_page, "preview_first"),
    ],
)
def test_no_report_of_a_bug_shows_the_key_or_the_token(
    simulator: Simulator, link: str, monkeypatch: pytest.MonkeyPatch, bug: tuple[Any, str]
) -> None:
    written: list[str] = []

    def report(sender: Any, request: Any = None, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        written.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    monkeypatch.setattr(*bug, None)
    got_request_exception.connect(report, weak=False)
    try:
        client = Client(raise_request_exception=False)
        typed = {"link": link, "secret": simulator.organization.admin_key}
        answer = client.post("/key/", typed)
    finally:
        got_request_exception.disconnect(report)

    assert (answer.status_code, len(written)) == (500, 2)
    for text in (*written, answer.content.decode()):
        assert simulator.organization.admin_key not in text
        assert link.partition("#")[2] not in text
    assert (Integration.objects.count(), KeyLink.objects.get().used_at) == (0, None)


# -- in a browser


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_link_is_made_opened_on_a_phone_and_used_up(
    chromium: Browser, live_server: LiveServer, simulator: Simulator
) -> None:
    with signed_in(chromium, live_server.url, staff("olga", "Operator", first_name="Olga")) as page:
        page.goto(CONNECT)
        page.get_by_label("Name", exact=True).fill("Newsroom")
        page.get_by_text("Advanced").click()
        page.get_by_label("API address").fill(simulator.base_url)
        page.get_by_role("button", name="Make a one-time link").click()
        link = page.get_by_label("The one-time link").input_value()

        phone = chromium.new_context(viewport={"width": 420, "height": 900}).new_page()
        heard, sent = complaints(phone), []
        phone.on("request", lambda request: sent.append(f"{request.url} {request.headers.get('referer')}"))
        phone.goto(link)
        expect(phone.get_by_text("Olga asks you for the key with which Newsroom")).to_be_visible()
        field = phone.get_by_label("API key", exact=True)
        field.fill("sk-proj-" + "x" * 40)
        field.blur()
        expect(phone.locator("#secret-problem")).to_contain_text("This is a project key")
        assert simulator.requests == []
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
        field.fill(simulator.organization.admin_key)
        phone.get_by_role("button", name="Save & Enable").click()
        expect(phone.get_by_role("heading", name="Thank you, the key works")).to_be_visible()
        assert (heard, phone.url, phone.context.cookies()) == ([], f"{live_server.url}/key/", [])
        assert not [address for address in sent if link.partition("#")[2] in address]
        phone.goto(link)
        expect(phone.get_by_role("heading", name=OVER)).to_be_visible()
        phone.context.close()

        page.goto(CONNECT)
        expect(page.get_by_text("A key was entered just now")).to_be_visible()
        page.get_by_role("link", name="Newsroom").click()
        expect(page.get_by_role("heading", name="Newsroom is enabled")).to_be_visible()
