"""A session ends by itself, by its user's wish, and with what it stood on."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from tests.admin.builders import PASSWORD, staff
from tests.ledger.told import facts, told

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def olga() -> User:
    return staff("olga", "Operator")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def is_in(client: Client, after: timedelta = timedelta(), **headers: str) -> bool:
    with time_machine.travel(NOW + after, tick=False):
        return client.get(reverse("admin:jsi18n"), headers=headers).status_code == 200


@pytest.fixture
def client_of_olga(olga: User) -> Client:
    with time_machine.travel(NOW, tick=False):
        return signed_in(olga)


def test_an_hour_without_a_deed_ends_it(client_of_olga: Client):
    assert is_in(client_of_olga, timedelta(minutes=59))
    assert is_in(client_of_olga, timedelta(minutes=118))
    assert not is_in(client_of_olga, timedelta(minutes=179))


def test_twelve_hours_end_it_whatever_is_done(client_of_olga: Client):
    assert all(is_in(client_of_olga, timedelta(minutes=50 * times)) for times in range(15))
    assert not is_in(client_of_olga, timedelta(hours=12))


def test_a_page_that_looks_for_news_by_itself_keeps_nobody_signed_in(client_of_olga: Client):
    assert is_in(client_of_olga, timedelta(minutes=50), sec_fetch_dest="empty")
    assert not is_in(client_of_olga, timedelta(minutes=61))


def test_what_is_done_within_a_minute_writes_nothing(client_of_olga: Client, django_assert_num_queries):
    with time_machine.travel(NOW + timedelta(seconds=59), tick=False), django_assert_num_queries(2):
        client_of_olga.get("/admin/jsi18n/")


def test_whoever_wishes_is_signed_out_everywhere_else(olga: User):
    here, elsewhere = signed_in(olga), signed_in(olga)
    here.post(reverse("sign_out_elsewhere"))
    assert (is_in(here), is_in(elsewhere)) == (True, False)
    assert told()[-1] == ("olga", Verb.SIGNED_OUT_EVERYWHERE)
    assert facts(Verb.SIGNED_OUT_EVERYWHERE) == {"but_here": True}


def test_a_superuser_signs_others_out_and_stays(olga: User):
    chief, other = signed_in(staff("chief", is_superuser=True)), signed_in(olga)
    chief.post(reverse("admin:cakewalk_user_sign_out", args=[olga.pk]))
    assert (is_in(chief), is_in(other)) == (True, False)
    assert told()[-1] == ("chief", Verb.SIGNED_OUT_EVERYWHERE)


def test_a_new_password_ends_all_others(olga: User):
    here, elsewhere = signed_in(olga), signed_in(olga)
    new = {"old_password": PASSWORD, "new_password1": f"{PASSWORD}!", "new_password2": f"{PASSWORD}!"}
    here.post(reverse("admin:password_change"), new)
    assert (is_in(here), is_in(elsewhere)) == (True, False)


def test_who_is_set_inactive_is_out(olga: User):
    client = signed_in(olga)
    User.objects.filter(pk=olga.pk).update(is_active=False)
    assert not is_in(client)


def test_a_role_that_is_taken_is_gone_with_the_next_page(olga: User):
    client = signed_in(olga)
    olga.groups.clear()
    assert client.get(reverse("admin:provisioning_accessrule_changelist")).status_code == 403
