"""What matters most is asked of whoever has shown lately who they are."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from integrations.models import Credential
from tests.admin.browser import forms
from tests.admin.builders import PASSWORD, Company
from tests.admin.deeds import DEEDS, Sender, everything
from tests.admin.pages import address
from tests.ledger.told import last_seq, told

LATER = timedelta(minutes=16)
CONFIRM = "/admin/confirm/"

FORMS = {
    "admin:alarms_channel_change",
    "admin:alarms_channel_delete",
    "admin:auth_group_add",
    "admin:auth_group_change",
    "admin:auth_group_delete",
    "admin:auth_user_password_change",
    "admin:cakewalk_user_add",
    "admin:cakewalk_user_change",
    "admin:directory_ldapserver_add",
    "admin:directory_ldapserver_change",
    "integrations:connect",
    "integrations:credential",
}
BUTTONS = {
    "admin:alarms_channel_add",  # whose page first asks which kind
    "admin:cakewalk_user_sign_out",
    "admin:directory_source_rotate",
    "admin:integrations_integration_rotate",
    "admin:provisioning_provisioningjob_approve",
    "admin:provisioning_provisioningjob_reject",
    "admin:provisioning_provisioningjob_restore",
    "admin:reviews_campaign_carry_out",
}
LISTS = {"admin:auth_group_changelist", "admin:cakewalk_user_changelist"}
"""Their actions in bulk."""


@pytest.fixture
def late(clients: dict[str, Client]) -> Client:
    """Of a superuser who signed in a while ago; the clock is set on by whoever uses it."""
    return clients["superuser"]


def test_the_form_is_shown_after_that_only(company: Company, late: Client) -> None:
    with time_machine.travel(timezone.now() + LATER, tick=False):
        led_to = {page: late.get(address(page, company)) for page in FORMS}
    assert {page for page, answer in led_to.items() if answer.status_code == 302} == FORMS
    assert all(answer["Location"].startswith(f"{CONFIRM}?next=%2Fadmin%2F") for answer in led_to.values())


def test_nothing_is_done_before(company: Company, late: Client) -> None:
    deeds = [deed for deed in DEEDS if deed.page in FORMS | BUTTONS | LISTS]
    me = Sender(int(late.session["_auth_user_id"]), late)
    sent = [(deed.what, deed.address(company), deed.typed(company, me)) for deed in deeds]
    before = everything()
    with time_machine.travel(timezone.now() + LATER, tick=False):
        answers = {what: late.post(where, typed)["Location"] for what, where, typed in sent}
    assert {what for what, led_to in answers.items() if not led_to.startswith(CONFIRM)} == set()
    assert all("late=1" in led_to for led_to in answers.values())
    assert everything() == before
    assert len(deeds) > 20


def test_those_who_may_only_look_are_not_asked(company: Company, clients: dict[str, Client]) -> None:
    with time_machine.travel(timezone.now() + LATER, tick=False):
        answer = clients["auditor"].get(address("admin:alarms_channel_change", company))
    assert answer.status_code == 200


def test_whoever_shows_it_is_back_where_they_were(company: Company, clients: dict[str, Client]) -> None:
    olga, page = clients["operator"], reverse("integrations:connect", args=["openai"])
    with time_machine.travel(timezone.now() + LATER, tick=False):
        asked = olga.get(page)["Location"]
        answer = olga.post(asked, {"password": PASSWORD})
        assert answer["Location"] == page
        assert olga.get(page).status_code == 200
    assert told()[-1] == ("operator", Verb.CONFIRMED)


def test_a_wrong_password_is_told_and_counted(company: Company, clients: dict[str, Client]) -> None:
    olga, since = clients["operator"], last_seq()
    answers = [olga.post(CONFIRM, {"password": "wrong"}).status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 429, 429]
    assert [verb for _, verb in told(since)] == [*[Verb.SIGN_IN_FAILED] * 5, Verb.SHUT_OUT]
    assert Entry.objects.filter(verb=Verb.SIGN_IN_FAILED, object_name="operator").count() == 5


def test_a_button_pressed_too_late_leads_back_to_its_page(
    company: Company, clients: dict[str, Client]
) -> None:
    chief, job = clients["approver"], address("admin:provisioning_provisioningjob_change", company)
    button = address("admin:provisioning_provisioningjob_approve", company)
    with time_machine.travel(timezone.now() + LATER, tick=False):
        asked = chief.post(button, {}, headers={"referer": f"http://testserver{job}?show=held"})["Location"]
        page = chief.get(asked)
        assert "was not carried out" in page.content.decode()
        assert chief.post(asked, {"password": PASSWORD})["Location"] == f"{job}?show=held"


def test_it_leads_to_no_other_site(company: Company, clients: dict[str, Client]) -> None:
    elsewhere = (
        "https://evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "/\\evil.example",
        "http:evil.example",
    )
    led_to = {
        clients["operator"].post(f"{CONFIRM}?next={page}", {"password": PASSWORD})["Location"]
        for page in elsewhere
    }
    assert led_to == {"/admin/"}


def test_a_key_that_is_sent_too_late_is_kept_nowhere(company: Company, clients: dict[str, Client]) -> None:
    olga, page = clients["operator"], reverse("integrations:connect", args=["openai"])
    before = Credential.objects.count()
    typed = {"name": "Late", "secret": company.secret, "_enable": "1"}
    with time_machine.travel(timezone.now() + LATER, tick=False):
        told_to_script = olga.post(page, typed, headers={"accept": "application/x-ndjson"})
        asked = olga.post(page, typed)["Location"]
        shown = olga.get(asked).content.decode()
    assert json.loads(told_to_script.content)["leads_to"].startswith(CONFIRM)
    assert company.secret not in str(dict(olga.session)) + shown + asked + str(olga.cookies)
    assert Credential.objects.count() == before


def test_dialogs_say_so_before_anything_is_typed(company: Company, clients: dict[str, Client]) -> None:
    page = address("admin:provisioning_provisioningjob_change", company)
    said = "You will be asked first to show that it is you"
    assert said not in clients["approver"].get(page).content.decode()
    with time_machine.travel(timezone.now() + LATER, tick=False):
        shown = clients["approver"].get(page)
    assert said in shown.content.decode()
    assert any("approve" in action for action in forms(shown))
