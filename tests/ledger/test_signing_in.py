"""Who signed in, who could not, whose password or rights are others now: with the address it came from."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group as Role
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from tests.admin.browser import as_shown
from tests.admin.builders import PASSWORD, staff
from tests.ledger.told import facts, last, last_seq, told, verbs

pytestmark = pytest.mark.django_db
ADDRESS = "192.0.2.7"


def sign_in(username: str, password: str) -> Client:
    client = Client(REMOTE_ADDR=ADDRESS)
    client.post(reverse("admin:login"), {"username": username, "password": password})
    return client


@pytest.fixture
def olga() -> User:
    return staff("olga", "Operator")


@pytest.fixture
def chief() -> Client:
    client = Client(REMOTE_ADDR=ADDRESS)
    client.force_login(staff("chief", is_superuser=True))
    return client


def test_who_signs_in_and_out_is_told_with_their_address(olga: User) -> None:
    sign_in("olga", PASSWORD).post(reverse("admin:logout"))
    entries = Entry.objects.order_by("seq")
    assert [(entry.verb, entry.actor, entry.address, entry.object_name) for entry in entries] == [
        (Verb.SIGNED_IN, "olga", ADDRESS, "olga"),
        (Verb.SIGNED_OUT, "olga", ADDRESS, "olga"),
    ]


def test_of_who_could_not_sign_in_only_a_known_name_is_told(olga: User) -> None:
    sign_in("olga", "wrong")
    entry = last(Verb.SIGN_IN_FAILED)
    assert (entry.actor, entry.address, entry.object_name) == ("", ADDRESS, "olga")
    sign_in("hunter2-typed-into-the-wrong-field", "wrong")
    entry = last(Verb.SIGN_IN_FAILED)
    assert (entry.object_name, entry.told()["facts"]) == ("", {"user": "nobody is called so"})
    assert not [entry for entry in Entry.objects.all() if "hunter2" in entry.body + entry.object_name]


def test_whoever_guesses_passwords_does_not_fill_the_ledger(olga: User) -> None:
    for _ in range(9):
        sign_in("olga", "wrong")
    assert verbs() == [*[Verb.SIGN_IN_FAILED] * 5, Verb.SHUT_OUT]
    assert facts(Verb.SHUT_OUT) == {"for_minutes": 15}


def test_a_password_is_told_of_wherever_it_is_set_and_never_told(olga: User, chief: Client) -> None:
    typed = {"usable_password": "true", "password1": f"{PASSWORD}!", "password2": f"{PASSWORD}!"}
    page = reverse("admin:auth_user_password_change", args=[olga.pk])
    chief.post(page, typed)
    mine = sign_in("olga", f"{PASSWORD}!")
    new = {"old_password": f"{PASSWORD}!", "new_password1": f"{PASSWORD}?", "new_password2": f"{PASSWORD}?"}
    mine.post(reverse("admin:password_change"), new)
    printed = StringIO()
    call_command("new_password", "olga", stdout=printed)
    chief.post(page, {"usable_password": "false", "unset-password": "1"})

    of_olga = Entry.objects.filter(verb=Verb.PASSWORD_SET, object_name="olga").order_by("seq")
    assert list(of_olga.values_list("actor", flat=True)) == ["chief", "olga", "Cakewalk", "chief"]
    assert last(Verb.PASSWORD_SET).told()["facts"] == {"password": "none: they cannot sign in with one"}
    olga.refresh_from_db()
    secrets = (PASSWORD, printed.getvalue().strip(), olga.password[-20:])
    assert not [entry for entry in Entry.objects.all() if any(secret in entry.body for secret in secrets)]


def test_what_somebody_may_do_is_told_from_what_to_what(olga: User, chief: Client) -> None:
    approver = Role.objects.get(name="Approver")
    page, since = reverse("admin:cakewalk_user_change", args=[olga.pk]), last_seq()
    chief.post(page, as_shown(chief, page, "user_form", groups=[approver.pk], is_superuser="on"))

    assert told(since) == [("chief", Verb.CHANGED)]
    entry = last(Verb.CHANGED)
    assert (entry.object_kind, entry.object_name, entry.address) == ("cakewalk.user", "olga", ADDRESS)
    assert entry.told() == {
        "before": {"groups": ["Operator"], "is_superuser": False},
        "after": {"groups": ["Approver"], "is_superuser": True},
    }


def test_what_a_role_allows_is_told_from_what_to_what(chief: Client) -> None:
    role = Role.objects.create(name="Guests")
    allowed = Role.objects.get(name="Auditor").permissions.get(codename="view_person")
    page = reverse("admin:auth_group_change", args=[role.pk])
    chief.post(page, as_shown(chief, page, "group_form", permissions=[allowed.pk]))
    chief.post(reverse("admin:auth_group_delete", args=[role.pk]), {"post": "yes"})

    name = str(allowed)
    assert last(Verb.CHANGED).told() == {"before": {"permissions": []}, "after": {"permissions": [name]}}
    assert last(Verb.DELETED).told() == {"before": {"name": "Guests", "permissions": [name]}}


def test_who_may_do_everything_is_told_by_whichever_command_they_were_made() -> None:
    call_command("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org")
    call_command("new_password", "second", "--create", stdout=StringIO())
    made = Entry.objects.filter(verb=Verb.ADDED).order_by("seq")
    assert [(entry.object_name, entry.told()["after"]["is_superuser"]) for entry in made] == [
        ("root", True),
        ("second", True),
    ]
