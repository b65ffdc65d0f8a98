"""Guessing is counted, for a name at an address and for an address, and shuts nobody out from elsewhere."""

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from cakewalk.signing_in import throttle
from tests.admin.builders import PASSWORD, staff
from tests.ledger.told import facts, verbs

pytestmark = pytest.mark.django_db
WRONG = "wrong"
HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


@pytest.fixture(autouse=True)
def olga() -> None:
    staff("olga", "Operator")


def tried(username: str = "olga", password: str = WRONG, at: str = HERE) -> int:
    typed = {"username": username, "password": password}
    return Client(REMOTE_ADDR=at).post(reverse("admin:login"), typed).status_code


def test_who_fails_five_times_is_shut_out_with_the_right_password_too():
    assert [tried() for _ in range(5)] == [200, 200, 200, 200, 429]
    assert tried(password=PASSWORD) == 429


def test_what_is_answered_then_says_for_how_long():
    for _ in range(5):
        tried()
    answer = Client(REMOTE_ADDR=HERE).post(reverse("admin:login"), {"username": "olga", "password": "wrong"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes" in answer.content.decode()


def test_nobody_is_shut_out_from_elsewhere():
    for _ in range(6):
        tried(at=ELSEWHERE)
    assert tried(password=PASSWORD) == 302


def test_a_name_that_nobody_has_is_answered_alike():
    assert [tried("nobody") for _ in range(5)] == [tried() for _ in range(5)]


@pytest.fixture
def ten_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of fifty."""
    monkeypatch.setattr(throttle, "OF_AN_ADDRESS", 10)


@pytest.mark.usefixtures("ten_of_an_address")
def test_an_address_that_guesses_many_names_is_shut_out_for_all_of_them():
    answers = [tried(f"name{number}") for number in range(10)]
    assert answers == [200] * 9 + [429]
    assert (tried(password=PASSWORD), tried(password=PASSWORD, at=ELSEWHERE)) == (429, 302)


@pytest.mark.usefixtures("ten_of_an_address")
def test_whoever_signs_in_as_themselves_does_not_clear_what_is_counted_of_others():
    for number in range(9):
        tried(f"name{number}")
    assert tried(password=PASSWORD) == 302
    assert tried("another") == 429


def test_a_host_that_has_a_whole_network_is_one_place():
    assert [tried(at=f"2001:db8::{number}") for number in range(1, 6)][-1] == 429
    assert tried(password=PASSWORD, at="2001:db8::ffff") == 429
    assert tried(password=PASSWORD, at="2001:db8:0:1::1") == 302


def test_signing_in_forgets_what_failed_before():
    answers = [tried(), tried(), tried(), tried(), tried(password=PASSWORD), tried()]
    assert answers == [200, 200, 200, 200, 302, 200]


def test_after_a_while_it_may_be_tried_again_however_often_it_was_meanwhile():
    begun = timezone.now()
    with time_machine.travel(begun, tick=False):
        for _ in range(5):
            tried()
    with time_machine.travel(begun + timedelta(minutes=14), tick=False):
        assert tried(password=PASSWORD) == 429
    with time_machine.travel(begun + timedelta(minutes=15, seconds=1), tick=False):
        assert tried(password=PASSWORD) == 302


def test_nothing_that_was_typed_is_kept_where_it_is_counted():
    Client(REMOTE_ADDR=HERE).post(
        reverse("admin:login") + "?next=/admin/hunter2/",
        {"username": "hunter2-typed-into-the-wrong-field", "password": "hunter2", "other": "hunter2"},
    )
    kept = AccessAttempt.objects.values().get()
    assert "hunter2" not in str(kept)


def test_whoever_runs_cakewalk_lets_somebody_in_again():
    for _ in range(5):
        tried()
    printed = StringIO()
    call_command("unlock", "olga", stdout=printed)
    assert printed.getvalue() == "olga can sign in again; failures forgotten: 5.\n"
    assert (verbs()[-1], facts(Verb.UNLOCKED)) == (Verb.UNLOCKED, {"failures": 5})
    assert tried(password=PASSWORD) == 302


def test_only_a_user_is_let_in_again():
    with pytest.raises(CommandError, match="There is no user named 'olaf'"):
        call_command("unlock", "olaf")
