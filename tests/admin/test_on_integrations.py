"""A role on one integration: of the others nothing is seen and nothing done, on whatever page."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from zipfile import ZipFile, is_zipfile

import pytest
from django.contrib.auth.models import Group as Role
from django.db import transaction
from django.test import Client
from django.urls import reverse

from cakewalk.models import User
from integrations.models import Integration
from integrations.permitting import path_from
from provisioning import requesting
from provisioning.models import ProvisioningJob
from tests import effort
from tests.admin.builders import Company, account, awaiting, entitlement, integration, job, rule, staff
from tests.admin.deeds import DEEDS, Deed, Sender, rows_of
from tests.admin.pages import address, page_names
from tests.admin.roles import AUDITOR, NONE, SUPERUSERS

ROLES = ("Auditor", "Operator", "Approver", "Reviewer", "Key holder")
OF_ACME = ("Acme", "ada@example.org", "vip@example.org", "gone0@example.org", "user-1")


def holder_of_every_role(username: str, *on: Integration, everywhere: Iterable[str] = ()) -> User:
    """Whoever holds all roles there may do whatever somebody with one of them may."""
    user = staff(username, *everywhere)
    for role in Role.objects.filter(name__in=ROLES):
        for one in on:
            user.roles_on_integrations.create(role=role, integration=one)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def globex(db: None) -> Integration:
    return integration("Globex", mode="manage")


def shown(answer: Any) -> str:
    """What the answer says, also in a workbook."""
    content = b"".join(answer) if answer.streaming else answer.content
    if is_zipfile(BytesIO(content)):
        with ZipFile(BytesIO(content)) as book:
            content = b"".join(map(book.read, book.namelist()))
    return str(content.decode(errors="replace"))


def test_no_page_shows_anything_of_an_integration_on_which_one_has_no_role(
    company: Company, globex: Integration
) -> None:
    client = client_of(holder_of_every_role("kim", globex))

    found = {}
    for name in page_names():
        answer = client.get(address(name, company))
        text = shown(answer) if answer.status_code == 200 else ""
        found[name] = [secret for secret in OF_ACME if secret in text]

    assert {name: secrets for name, secrets in found.items() if secrets} == {}


def test_what_leads_to_a_page_from_elsewhere_leads_nobody_to_another_integration(
    company: Company, globex: Integration
) -> None:
    client = client_of(holder_of_every_role("kim", globex))
    own = job(globex)
    entitlement(globex, "Voice")
    asked = {"app_label": "reviews", "model_name": "assignment", "field_name": "entitlement"}

    assert client.get(reverse("job", args=[company.waiting.public_id])).status_code == 404
    assert client.get(reverse("job", args=[own.public_id])).status_code == 302
    assert client.get(reverse("alarm", args=[company.rows["alarms_alarm"].public_id])).status_code == 404
    offered = client.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert [one["text"] for one in offered] == ["project Voice"]


def test_no_deed_is_done_on_an_integration_on_which_one_has_no_role(
    company: Company, globex: Integration, clients: dict[str, Client]
) -> None:
    """Neither with roles elsewhere alone, nor by whoever may look at everything besides."""
    users = [holder_of_every_role("lee", globex, everywhere=["Auditor"])]
    if effort.SOAK:  # who may even less
        users.append(holder_of_every_role("kim", globex))
    for user in users:
        client, sender = client_of(user), Sender(user.pk, clients["superuser"])
        tried = [deed for deed in DEEDS if AUDITOR not in deed.who and not deed.only_shows]
        done = [deed.what for deed in tried if _changes_something(company, client, sender, deed)]
        assert done == []


def _changes_something(company: Company, client: Client, sender: Sender, deed: Deed) -> bool:
    typed = deed.typed(company, sender)
    with transaction.atomic():
        before = rows_of(deed.changes)
        client.post(deed.address(company), typed)
        changed = rows_of(deed.changes) != before
        transaction.set_rollback(True)
    return changed


def test_on_their_integrations_they_do_whatever_the_role_allows(
    company: Company, clients: dict[str, Client]
) -> None:
    user = holder_of_every_role("kim", *Integration.objects.all())
    client, sender = client_of(user), Sender(user.pk, clients["superuser"])
    of_integrations = [
        deed
        for deed in DEEDS
        if not deed.only_shows and deed.who not in (NONE, SUPERUSERS) and path_from(deed.model)
    ]
    left = [deed.what for deed in of_integrations if not _changes_something(company, client, sender, deed)]

    assert left == [
        "connect without trying",  # a new one is on no integration yet
        "connect",
        "ask somebody for a key",
        "revoke a link",
        "send a test",  # channels tell of every integration
        "send a message again",
        "decide in a review",  # of which they have no line
    ]


def test_what_concerns_nobody_else_is_not_theirs_either(company: Company, globex: Integration) -> None:
    client = client_of(holder_of_every_role("kim", globex))

    for page in (
        "directory_person",
        "directory_group",
        "directory_source",
        "alarms_channel",
        "cakewalk_user",
    ):
        assert client.get(reverse(f"admin:{page}_changelist")).status_code == 403
    assert client.get(reverse("integrations:connect", args=["openai"])).status_code == 403


def test_without_its_row_nothing_may_be_changed(company: Company, globex: Integration) -> None:
    user, theirs = holder_of_every_role("kim", globex), job(globex)

    def may(permission: str) -> tuple[bool, bool, bool]:
        return (
            user.has_perm(permission),
            user.has_perm(permission, theirs),
            user.has_perm(permission, company.waiting),
        )

    assert may("provisioning.view_provisioningjob") == (True, True, False)
    assert may("provisioning.approve_job") == (False, True, False)
    assert may("integrations.change_integration") == (False, True, False)
    assert may("directory.view_person") == (False, False, False)
    assert may("integrations.add_integration") == (False, False, False)


def test_a_row_is_moved_to_no_integration_that_is_not_theirs(company: Company, globex: Integration) -> None:
    client, own = client_of(holder_of_every_role("kim", globex)), rule(globex, "Ours", grants=0)
    typed = {"name": "Ours", "role": "reader", "state": "draft", "integration": company.acme.pk}
    table = {"grants-TOTAL_FORMS": 0, "grants-INITIAL_FORMS": 0}

    client.post(reverse("admin:provisioning_accessrule_change", args=[own.pk]), typed | table)

    own.refresh_from_db()
    assert own.integration == globex


def test_an_action_in_a_list_is_done_to_all_chosen_rows_or_to_none(
    company: Company, globex: Integration
) -> None:
    client = client_of(holder_of_every_role("kim", globex, everywhere=["Auditor"]))
    ours, theirs = rule(globex, "Ours", state="draft"), company.rows["draft rule"]
    listed = reverse("admin:provisioning_accessrule_changelist")

    for chosen, states in (([ours, theirs], ["draft", "draft"]), ([ours], ["proposed", "draft"])):
        rows = [one.pk for one in chosen]
        client.post(listed, {"action": "propose", "index": "0", "_selected_action": rows, "_agreed": "yes"})
        for one in (ours, theirs):
            one.refresh_from_db()
        assert [ours.state, theirs.state] == states


def test_deeds_at_the_terminal_and_by_programs_ask_for_the_integration_too(
    company: Company, globex: Integration
) -> None:
    kim, of_globex = holder_of_every_role("kim", globex), awaiting(globex)

    for deed in (requesting.approve, requesting.reject, requesting.cancel):
        with pytest.raises(requesting.Refused, match=r"kim may not"):
            deed(company.waiting, by=kim, reason="Because.")
    requesting.approve(of_globex, by=kim, reason="They left.", deliver=False)
    assert of_globex.state == ProvisioningJob.State.QUEUED


def test_the_only_approver_is_the_only_one_of_that_integration(globex: Integration) -> None:
    other = integration("Acme", mode="manage")
    kim, lee = staff("kim"), staff("lee")
    approver = Role.objects.get(name="Approver")
    kim.roles_on_integrations.create(role=approver, integration=globex)
    lee.roles_on_integrations.create(role=approver, integration=other)

    requesting.approve(awaiting(globex, by=kim), by=kim, reason="They left.", deliver=False)

    lee.roles_on_integrations.create(role=approver, integration=globex)
    with pytest.raises(requesting.Refused, match="another approver must approve it"):
        requesting.approve(awaiting(globex, by=kim), by=kim, reason="They left.", deliver=False)


def test_home_and_the_sidebar_count_what_is_theirs(company: Company, globex: Integration) -> None:
    client = client_of(holder_of_every_role("kim", globex))
    job(globex)
    account(globex, "user-g")

    home = client.get("/admin/").context

    assert [one.integration.name for one in home["standings"]] == ["Globex"]
    assert {one.integration for one in home["last_jobs"]} == {globex}
    assert [one.title for one in home["needs"]] == ["Globex needs attention"]
    assert all("badge" not in item for group in home["sidebar_navigation"] for item in group["items"])
