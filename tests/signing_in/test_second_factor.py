"""A second factor is set up by a code, asked for after the password, and taken off by a superuser."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in import second_factor
from cakewalk.signing_in.models import Authenticator
from tests.admin.builders import PASSWORD, staff
from tests.ledger.told import facts, last, told

pytestmark = pytest.mark.django_db
LOGIN, CODE, PAGE = "/admin/login/", "/admin/sign-in-code/", "/admin/second-factor/"
NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def olga() -> User:
    return staff("olga", "Operator")


@pytest.fixture
def clock():
    """Stands still, until somebody waits."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def code_of(user: User, steps: int = 0) -> str:
    device = Authenticator.objects.get(user=user)
    key = bytes.fromhex(device.key.reveal())
    return f"{totp(key, t0=-30 * steps):06d}"


def with_factor(user: User) -> list[str]:
    """Set up some minutes ago; their backup codes."""
    second_factor.begin(user)
    with time_machine.travel(timezone.now() - timedelta(minutes=5), tick=False):
        codes = second_factor.confirm(user, code_of(user))
    assert codes
    return codes


def after_password(password: str = PASSWORD) -> Client:
    client = Client()
    client.post(f"{LOGIN}?next={reverse('preferences')}", {"username": "olga", "password": password})
    return client


def typed(client: Client, code: str) -> Any:
    return client.post(CODE, {"code": code})


def is_in(client: Client) -> bool:
    return client.get(reverse("preferences")).status_code == 200


def test_the_password_alone_does_not_let_in(clock, olga: User):
    with_factor(olga)
    client = after_password()
    assert not is_in(client)
    answer = typed(client, code_of(olga))
    assert (answer["Location"], is_in(client)) == (reverse("preferences"), True)
    assert facts(Verb.SIGNED_IN) == {"by": "password and code"}


def test_a_wrong_password_is_told_before_any_code_is_asked_for(clock, olga: User):
    with_factor(olga)
    client = after_password("wrong")
    assert client.get(CODE)["Location"] == LOGIN


def test_a_code_signs_in_once(clock, olga: User):
    with_factor(olga)
    code = code_of(olga)
    assert typed(after_password(), code).status_code == 302
    assert typed(after_password(), code).status_code == 200


def test_a_code_of_a_clock_that_is_half_a_minute_off_is_taken_and_one_of_a_minute_is_not(clock, olga: User):
    with_factor(olga)
    assert typed(after_password(), code_of(olga, steps=-2)).status_code == 200
    clock.shift(5)
    assert typed(after_password(), code_of(olga, steps=-1)).status_code == 302


def test_codes_are_shown_in_two_groups_by_some_apps(clock, olga: User):
    with_factor(olga)
    code = code_of(olga)
    assert typed(after_password(), f"{code[:3]} {code[3:]}").status_code == 302


def test_a_backup_code_signs_in_once_and_the_others_still_do(clock, olga: User):
    one, other, *_rest = with_factor(olga)
    assert typed(after_password(), one.upper()).status_code == 302
    assert facts(Verb.SIGNED_IN) == {"by": "password and backup code"}
    assert facts(Verb.BACKUP_CODE_USED) == {"left": 9}
    assert typed(after_password(), one).status_code == 200
    clock.shift(5)
    assert typed(after_password(), other.replace("-", "")).status_code == 302


def test_whoever_guesses_codes_is_shut_out(clock, olga: User):
    with_factor(olga)
    client = after_password()
    answers = []
    for _ in range(5):
        clock.shift(20)  # the authenticator itself makes them wait, too
        answers.append(typed(client, "000000").status_code)
    assert answers == [200, 200, 200, 200, 429]
    assert (typed(client, code_of(olga)).status_code, is_in(client)) == (429, False)
    assert (last(Verb.SIGN_IN_FAILED).object_name, facts(Verb.SIGN_IN_FAILED)) == ("olga", {"wrong": "code"})


def test_guessing_from_many_places_is_slowed_down_by_the_authenticator(clock, olga: User):
    with_factor(olga)
    for number in range(4):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        client.post(LOGIN, {"username": "olga", "password": PASSWORD})
        typed(client, "000000")
        clock.shift(8)
    clock.shift(-1)
    assert not Authenticator.objects.get(user=olga).verify_is_allowed()[0]


def test_who_waits_too_long_or_gets_another_password_begins_anew(clock, olga: User):
    with_factor(olga)
    client, other = after_password(), after_password()
    olga.set_password(f"{PASSWORD}!")
    olga.save()
    assert typed(other, code_of(olga))["Location"] == LOGIN
    olga.set_password(PASSWORD)
    olga.save()
    client = after_password()
    clock.shift(301)
    assert typed(client, code_of(olga))["Location"] == LOGIN


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_it_is_set_up_by_a_code_and_its_backup_codes_are_shown_once(clock, olga: User):
    client = signed_in(olga)
    client.post(PAGE, {"_begin": ""})
    page = client.get(PAGE).content.decode()
    assert "<svg" in page
    assert Authenticator.objects.get().typed_key() in page
    assert "not right" in client.post(PAGE, {"_confirm": "", "code": "000000"}).content.decode()
    clock.shift(5)
    shown = client.post(PAGE, {"_confirm": "", "code": code_of(olga)}).content.decode()
    codes = re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", shown)
    assert len(set(codes)) == 10
    later = client.get(PAGE).content.decode()
    assert not [code for code in codes if code in later]
    assert told()[-1] == ("olga", Verb.SECOND_FACTOR_SET)


def test_neither_key_nor_codes_can_be_read_in_the_database(olga: User):
    codes = with_factor(olga)
    device = Authenticator.objects.get(user=olga)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM signing_in_authenticator")
        stored = str(cursor.fetchall())
        cursor.execute("SELECT * FROM signing_in_backupcode")
        stored += str(cursor.fetchall())
    found = [secret for secret in (device.key.reveal(), device.typed_key(), *codes) if secret in stored]
    assert found == []
    assert "gAAAA" in stored


def test_new_backup_codes_make_the_former_void(clock, olga: User):
    former, *_rest = with_factor(olga)
    shown = signed_in(olga).post(PAGE, {"_codes": ""}).content.decode()
    assert "backup-codes" in shown
    assert typed(after_password(), former).status_code == 200


def test_whoever_has_it_may_remove_it(olga: User):
    with_factor(olga)
    signed_in(olga).post(PAGE, {"_remove": ""})
    assert is_in(after_password())
    assert told()[-1] == ("olga", Verb.SECOND_FACTOR_REMOVED)


def test_a_superuser_removes_it_for_somebody_who_has_lost_it(clock, olga: User):
    with_factor(olga)
    session, chief = signed_in(olga), signed_in(staff("chief", is_superuser=True))
    chief.post(reverse("admin:cakewalk_user_remove_factor", args=[olga.pk]))
    assert told()[-2:] == [("chief", Verb.SECOND_FACTOR_REMOVED), ("chief", Verb.SIGNED_OUT_EVERYWHERE)]
    assert (is_in(session), is_in(after_password())) == (False, True)


def test_where_it_is_required_who_has_none_can_do_nothing_but_set_it_up(clock, olga: User, settings):
    settings.SECOND_FACTOR = "required"
    client = after_password()
    assert [client.get(page)["Location"] for page in ("/admin/", reverse("preferences"))] == [PAGE, PAGE]
    client.post(PAGE, {"_begin": ""})
    client.post(PAGE, {"_confirm": "", "code": code_of(olga)})
    assert is_in(client)
    assert client.post(PAGE, {"_remove": ""}).status_code == 403


def test_it_is_asked_for_again_before_what_matters_most(clock, olga: User):
    with_factor(olga)
    client = signed_in(olga)
    confirm = reverse("confirm")
    assert client.post(confirm, {"password": PASSWORD}).status_code == 200
    assert client.post(confirm, {"password": PASSWORD, "code": "000000"}).status_code == 200
    clock.shift(5)
    assert client.post(confirm, {"password": PASSWORD, "code": code_of(olga)}).status_code == 302


def test_a_code_is_not_used_up_by_a_wrong_password(clock, olga: User):
    with_factor(olga)
    client, code = signed_in(olga), code_of(olga)
    client.post(reverse("confirm"), {"password": "wrong", "code": code})
    assert client.post(reverse("confirm"), {"password": PASSWORD, "code": code}).status_code == 302
