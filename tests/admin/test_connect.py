"""Connecting on the page: told while pasting, told while trying, and then what a sync would do."""

import json
import logging
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import get_language
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cakewalk.ledger.verbs import Verb
from directory.models import Person
from integrations.admin import telling
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.entering import RECOGNIZED
from integrations.connectors.openai.simulator import Fault, Kind, Simulator
from integrations.models import Integration
from provisioning import reconciliation
from provisioning.models import AccessRule, ProvisioningJob
from tests.admin.builders import integration, job, rule, staff
from tests.admin.live import complaints, signed_in
from tests.admin.roles import AUDITOR, OPERATOR, SUPERUSER
from tests.directory.builders import person
from tests.integrations.entering import WRONG_KEY
from tests.ledger.told import told, verbs

LINES = {"accept": "application/x-ndjson"}
CONNECT = "/admin/integrations/connect/openai/"


def typed(simulator: Simulator, button: str = "_enable", **changes: str) -> dict[str, str]:
    right = {"name": "Acme", "secret": simulator.organization.admin_key, "base_url": simulator.base_url}
    return right | {button: "1"} | changes


def lines_of(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.getvalue().decode().splitlines()]


def go_away(answer: Any) -> None:
    """As a server does when the browser is gone, except that the test's connection to the database stays."""
    answer._iterator.close()


def nothing_is_stored() -> bool:
    rows = Integration.objects.exists() or ProvisioningJob.objects.exists()
    return not rows and set(verbs()) <= {Verb.CREDENTIAL_TESTED}


# -- a test is told line by line


def test_each_check_is_named_before_it_is_made_and_answered_right_after(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    lines = lines_of(clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES))

    acme = Integration.objects.get()
    assert lines.pop() == {"leads_to": reverse("integrations:welcome", args=[acme.pk])}
    names = [line["asks"] for line in lines[::2]]
    assert names[:4] == ["Members", "Invites", "Projects", "Admin keys"]
    assert [line["check"]["name"] for line in lines[1::2]] == names
    assert lines[1]["check"] | {"icon": ""} == {
        "name": "Members",
        "answer": "allowed",
        "label": "Allowed",
        "detail": "The key may read the users.",
        "icon": "",
    }
    assert (acme.enabled, acme.jobs.get().trigger) == (True, "first")
    assert told()[:4] == [
        ("operator", Verb.CREDENTIAL_TESTED),
        ("operator", Verb.ADDED),
        ("operator", Verb.CREDENTIAL_ENTERED),
        ("operator", Verb.ENABLED),
    ]


def test_the_lines_are_in_the_viewer_s_language(
    clients: dict[str, Client], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "_", lambda text: f"{get_language()}: {text}")
    headers = {**LINES, "accept-language": "de"}
    lines = lines_of(clients[OPERATOR].post(CONNECT, typed(simulator, "_test"), headers=headers))

    assert lines[1]["check"]["label"] == "de: Allowed"
    assert lines[-1]["title"] == "de: The key works. Nothing is stored yet."


def test_an_answer_is_written_before_the_next_one_is_asked_for(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    lines = iter(clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES))

    assert (next(lines), len(simulator.requests)) == (b'{"asks": "Members"}\n', 0)
    next(lines)
    assert (next(lines), len(simulator.requests)) == (b'{"asks": "Invites"}\n', 1)


@pytest.mark.parametrize("heard", [0, 1, 7, 23])
def test_whoever_goes_away_before_the_last_answer_has_stored_nothing(
    clients: dict[str, Client], simulator: Simulator, heard: int
) -> None:
    answer = clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES)
    lines = iter(answer)
    for _ in range(heard):
        next(lines)
    go_away(answer)

    assert nothing_is_stored()


def test_what_is_stored_is_whole_even_if_nobody_hears_of_it(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    """The line that leads on is the first after it was stored."""
    answer = clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES)
    lines = iter(answer)
    while b"leads_to" not in next(lines):
        pass
    go_away(answer)

    acme = Integration.objects.get()
    assert (acme.enabled, acme.credential.checked_at is not None, acme.jobs.count()) == (True, True, 1)


def test_a_test_alone_stores_nothing_and_says_so(clients: dict[str, Client], simulator: Simulator) -> None:
    lines = lines_of(clients[OPERATOR].post(CONNECT, typed(simulator, "_test"), headers=LINES))

    assert lines[-1] == {"works": True, "title": "The key works. Nothing is stored yet.", "problems": {}}
    assert nothing_is_stored()


@pytest.mark.parametrize(
    ("changes", "problem", "title"),
    [
        (
            {"secret": "sk-proj-" + "x" * 40},
            ("secret", "This is a project key"),
            "Nothing was tried or stored. See below.",
        ),
        (
            {"secret": WRONG_KEY},
            ("secret", "The key is mistyped, revoked or expired."),
            "The connection does not work, and nothing was stored.",
        ),
        (
            {"base_url": "http://127.0.0.1:9/v1"},
            ("base_url", "No connection to 127.0.0.1:9 could be made."),
            "The connection does not work, and nothing was stored.",
        ),
        ({"name": ""}, ("name", "Give the integration a name."), "Nothing was tried or stored. See below."),
    ],
)
def test_what_is_wrong_is_the_same_sentence_with_script_and_without(
    clients: dict[str, Client],
    simulator: Simulator,
    changes: dict[str, str],
    problem: tuple[str, str],
    title: str,
) -> None:
    last = lines_of(clients[OPERATOR].post(CONNECT, typed(simulator, **changes), headers=LINES))[-1]
    page = clients[OPERATOR].post(CONNECT, typed(simulator, **changes))

    field, sentence = problem
    assert (last["works"], last["title"], list(last["problems"])) == (False, title, [field])
    assert last["problems"][field].startswith(sentence)
    assert page.context["form"].errors == {field: [last["problems"][field]]}
    assert title in page.content.decode()
    assert typed(simulator, **changes)["secret"] not in page.content.decode()
    assert nothing_is_stored()


def test_a_name_that_is_taken_while_the_key_is_tried_leaves_nothing_half(
    clients: dict[str, Client], simulator: Simulator
) -> None:
    """Two who press at the same time, or one who presses twice."""
    answer = clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES)
    lines = iter(answer)
    next(lines)
    lines_of(clients[SUPERUSER].post(CONNECT, typed(simulator), headers=LINES))

    last = json.loads(list(lines)[-1])
    assert last["problems"] == {"name": "There is already an integration named Acme."}
    assert last["title"] == "The key works, and nothing was stored. See below."
    assert (Integration.objects.count(), ProvisioningJob.objects.count()) == (1, 1)
    assert verbs().count(Verb.CREDENTIAL_ENTERED) == 1


def test_a_bug_in_the_midst_is_told_stores_nothing_and_shows_no_key(
    clients: dict[str, Client],
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Integration, "record_check", None)
    with caplog.at_level(logging.DEBUG):
        answer = clients[OPERATOR].post(CONNECT, typed(simulator), headers=LINES)
        last = lines_of(answer)[-1]

    assert last["title"] == "Something went wrong in Cakewalk itself; its log has more."
    assert "A connection test failed." in caplog.text
    assert simulator.organization.admin_key not in caplog.text + str(last)
    assert nothing_is_stored()


def test_who_is_signed_out_meanwhile_tries_nothing(simulator: Simulator, db: None) -> None:
    answer = Client().post(CONNECT, typed(simulator), headers=LINES)

    assert (answer.status_code, simulator.requests) == (302, [])


# -- and then


def welcome(client: Client, of: Integration) -> Any:
    return client.get(reverse("integrations:welcome", args=[of.pk]))


def test_the_next_step_is_what_is_missing_first(clients: dict[str, Client]) -> None:
    acme = integration()
    preview = job(acme, preview=True)

    assert welcome(clients[OPERATOR], acme).context["next"].button == "Import people"
    person("ada@example.org")
    step = welcome(clients[OPERATOR], acme).context["next"]
    assert (step.button, step.url.endswith(f"?integration={acme.pk}")) == ("Write an access rule", True)
    draft = rule(acme)
    assert welcome(clients[OPERATOR], acme).context["next"].button == "Write an access rule"
    AccessRule.objects.filter(pk=draft.pk).update(state="active")
    step = welcome(clients[OPERATOR], acme).context["next"]
    assert (step.button, f"/{preview.pk}/change/" in step.url) == ("Read the preview", True)
    preview.delete()
    assert welcome(clients[OPERATOR], acme).context["next"].posts
    assert welcome(clients[AUDITOR], acme).context["next"] is None
    Person.objects.all().delete()
    assert welcome(clients[AUDITOR], acme).context["next"] is None


def test_a_preview_that_came_to_nothing_says_why(clients: dict[str, Client]) -> None:
    acme = integration()
    why = {"code": "directory_empty", "detail": "Nobody in the directory is active."}
    job(acme, ProvisioningJob.State.REFUSED, preview=True, refusal=why)

    html = welcome(clients[OPERATOR], acme).content.decode()
    assert "There is no plan yet. Nobody in the directory is active." in html


# -- in a browser


PASTED = (
    "",
    "   ",
    "hunter2",
    "sk-proj-" + "x" * 40,
    "sk-svcacct-" + "x" * 40,
    "sk-" + "x" * 40,
    "sk-ant-" + "x" * 40,
    "sk-admin-short",
    "sk-admin-" + "x" * 40,
    "sk-admin-" + "x" * 600,
    "sk-admin-…abcd",
    "sk-admin-...abcd",
    "sk-admin-" + "é" * 40,
    "sk-admin-" + "x" * 20 + ";" + "x" * 20,
    "sk-admin-" + "x" * 20 + " " + "x" * 20,
    "sk-admin-" + "x" * 20 + "\N{NO-BREAK SPACE}" + "x" * 20,
    '"sk-admin-' + "x" * 40 + '"',
    "“sk-admin-" + "x" * 40 + "”",
    "Bearer sk-admin-" + "x" * 40,
    "Authorization: bearer sk-admin-" + "x" * 40,
    "export OPENAI_ADMIN_KEY=sk-admin-" + "x" * 40,
    "$env:OPENAI_ADMIN_KEY='sk-admin-" + "x" * 40 + "'",
)


def paste(page: Page, text: str) -> str:
    page.get_by_label("API key", exact=True).evaluate(
        "(field, text) => { field.value = text;"
        " field.dispatchEvent(new InputEvent('input', {bubbles: true, inputType: 'insertFromPaste'})) }",
        text,
    )
    return page.locator("#secret-problem").text_content() or ""


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_first_connection_from_a_wrong_key_to_what_a_sync_would_do(
    chromium: Browser, live_server: LiveServer, simulator: Simulator
) -> None:
    key = simulator.organization.admin_key
    simulator.organization.add_member("ada@example.org")
    person("ada@example.org")
    with signed_in(chromium, live_server.url, staff("olga", "Operator")) as page:
        heard = complaints(page)
        page.goto(CONNECT)
        answers = {text: paste(page, text) for text in PASTED}
        admin = next(kind.sentence for kind in RECOGNIZED if not kind.refused)
        assert answers == {
            # A page strips what is pasted as the form does, and leaves an empty field alone.
            text: (OpenAIConnector.refuse_secret(text.strip()) or admin) if text.strip() else ""
            for text in PASTED
        }
        assert simulator.requests == []

        page.get_by_text("Advanced").click()
        page.get_by_label("API address").fill(simulator.base_url)
        paste(page, WRONG_KEY)
        page.get_by_role("button", name="Save & Enable").click()
        expect(page.locator("#secret-problem")).to_contain_text("mistyped, revoked or expired")
        expect(page.get_by_label("API key", exact=True)).to_be_focused()

        simulator.inject(Fault(Kind.LATENCY, path="/organization/projects", seconds=1.0))
        paste(page, key)
        page.get_by_role("button", name="Save & Enable").dblclick()
        expect(page.locator(".cw-tried--asking")).to_contain_text("Projects")
        assert page.locator(".cw-tried--allowed .cw-tried__name").all_inner_texts() == ["Members", "Invites"]
        assert not Integration.objects.exists()

        expect(page.get_by_role("heading", name="OpenAI Platform is enabled")).to_be_visible()
        expect(page.get_by_text("The first preview waits for a worker.")).to_be_visible()
        assert key not in page.content()
        reconciliation.run(ProvisioningJob.objects.get().pk)
        expect(page.get_by_text("In mode manage it would remove 1 account.")).to_be_visible()
        expect(page.get_by_role("link", name="Write an access rule")).to_be_visible()
        expect(page.locator("#first-look[hx-get]")).to_have_count(0)
        assert (heard, page.evaluate("window.violations")) == ([], [])
