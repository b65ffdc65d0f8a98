"""What a person's roles add up to, on their page; and that nobody gives themselves more."""

import pytest
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.rights import SAYS, rights_of
from tests.admin.builders import integration, staff
from tests.ledger.told import told

pytestmark = pytest.mark.django_db


def page_of(user: User) -> str:
    return reverse("admin:cakewalk_user_change", args=[user.pk])


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def typed(user: User, **more: object) -> dict[str, object]:
    tables = {"roles_on_integrations-TOTAL_FORMS": 0, "roles_on_integrations-INITIAL_FORMS": 0}
    return {"username": user.username, "is_active": "on", "is_staff": "on", **tables, **more}


def sentences(user: User) -> dict[str, list[str]]:
    return {one.where: list(one.says) for one in rights_of(User.objects.get(pk=user.pk))}


def test_roles_add_up_in_plain_words_and_what_is_held_everywhere_is_not_said_twice() -> None:
    kim = staff("kim", "Approver")
    acme = integration("Acme")
    for role in ("Key holder", "Auditor"):
        kim.roles_on_integrations.create(role=Role.objects.get(name=role), integration=acme)

    assert sentences(kim) == {
        "Everywhere": [
            "Look at jobs, accounts, rules and what was done",
            "Read the ledger",
            "Take the ledger away as a file",
            "Make evidence packs",
            "Look at people, groups and sources of the directory",
            "Approve and reject what is held",
        ],
        "Acme": ["Enter, replace and rotate keys"],
    }


def test_who_has_no_role_is_inactive_or_may_do_everything_is_told_so() -> None:
    assert sentences(staff("a")) == {"Everywhere": ["Nothing: they may sign in, and no more."]}
    assert sentences(staff("b", is_active=False)) == {
        "Everywhere": ["Nothing: they cannot sign in to these pages."]
    }
    assert sentences(staff("c", is_superuser=True)) == {
        "Everywhere": ["Everything, and users and roles besides."]
    }


def test_every_permission_that_stands_for_something_is_there() -> None:
    there = {f"{one.content_type.app_label}.{one.codename}" for one in Permission.objects.all()}

    assert {permission for permission, _ in SAYS} <= there


def test_a_role_on_an_integration_is_given_on_the_users_page_and_told_in_the_ledger() -> None:
    root, kim, acme = staff("root", is_superuser=True), staff("kim"), integration("Acme")
    line = {"role": Role.objects.get(name="Operator").pk, "integration": acme.pk}
    table = {f"roles_on_integrations-0-{name}": value for name, value in line.items()}

    client_of(root).post(page_of(kim), typed(kim, **table, **{"roles_on_integrations-TOTAL_FORMS": 1}))

    assert [str(one) for one in kim.roles_on_integrations.all()] == ["Operator on Acme"]
    assert ("root", Verb.CHANGED) in told()
    page = client_of(root).get(page_of(kim)).content.decode()
    assert "Start, cancel, release and restore jobs" in page


def test_nobody_changes_their_own_rights_so_that_the_last_superuser_stays() -> None:
    root = staff("root", "Auditor", is_superuser=True)
    client = client_of(root)
    assert "Nobody changes their own rights" in client.get(page_of(root)).content.decode()
    less = {**typed(root, first_name="Ruth"), "is_active": "", "is_staff": ""}

    client.post(page_of(root), less)

    root.refresh_from_db()
    assert (root.first_name, root.is_superuser, root.is_active, root.is_staff) == ("Ruth", True, True, True)
    assert [role.name for role in root.groups.all()] == ["Auditor"]


def test_who_was_demoted_a_moment_ago_demotes_nobody() -> None:
    root, other = staff("root", is_superuser=True), staff("other", is_superuser=True)
    client = client_of(root)
    client.get(page_of(other))
    User.objects.filter(pk=root.pk).update(is_superuser=False)

    assert client.post(page_of(other), typed(other)).status_code == 403
    other.refresh_from_db()
    assert other.is_superuser


def test_the_permissions_of_users_and_roles_let_nobody_become_more() -> None:
    """A role of one's own that holds them all still changes nothing there."""
    role = Role.objects.create(name="Staff office")
    role.permissions.set(Permission.objects.filter(content_type__app_label__in=("auth", "cakewalk")))
    kim = staff("kim", "Staff office")
    client = client_of(kim)

    assert client.get(page_of(kim)).status_code == 200  # to look
    for page in (page_of(kim), reverse("admin:auth_group_change", args=[role.pk])):
        assert client.post(page, typed(kim, is_superuser="on", name="Mine")).status_code == 403
    for page in ("admin:cakewalk_user_add", "admin:auth_group_add"):
        assert client.get(reverse(page)).status_code == 403
    kim.refresh_from_db()
    assert not kim.is_superuser
