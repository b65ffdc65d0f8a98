"""Another person approves, and whoever may enter the key does not, where an integration asks for it."""

import re

import pytest
from django.contrib.auth.models import Group as Role
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from integrations.models import Integration
from provisioning import requesting
from provisioning.models import ProvisioningJob
from tests.admin.builders import awaiting, integration, staff
from tests.ledger.told import facts

pytestmark = pytest.mark.django_db
APPROVAL = "provisioning_provisioningjob_approve"


@pytest.fixture
def acme() -> Integration:
    return integration("Acme", secret="sk-admin-" + "a" * 30, mode="manage")


def apart(acme: Integration) -> None:
    Integration.objects.filter(pk=acme.pk).update(separate_key_entry=True)
    acme.refresh_from_db()


def approve(job: ProvisioningJob, by: User) -> str:
    """The refusal, if it is one."""
    try:
        requesting.approve(job, by=by, reason="They left.", deliver=False)
    except requesting.Refused as refusal:
        return str(refusal)
    return ""


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# -- four eyes


def test_the_only_approver_approves_their_own_and_the_ledger_says_so(acme: Integration) -> None:
    kim = staff("kim", "Approver")

    assert approve(awaiting(acme, by=kim), kim) == ""
    assert facts(Verb.JOB_APPROVED)["alone"] == "asked for it, and is the only approver"


def test_where_another_is_always_required_the_only_approver_waits_for_one(acme: Integration) -> None:
    acme.four_eyes = Integration.FourEyes.REQUIRED
    acme.save()
    kim = staff("kim", "Approver")

    assert "another approver must approve it" in approve(awaiting(acme, by=kim), kim)
    other = awaiting(acme, by=staff("lee"))
    assert approve(other, kim) == ""
    assert "alone" not in facts(Verb.JOB_APPROVED)


# -- keys and approvals apart


def test_who_may_enter_the_key_approves_only_where_the_two_are_not_kept_apart(acme: Integration) -> None:
    both = staff("kim", "Approver", "Key holder")
    apart(acme)
    job, other = awaiting(acme), awaiting(integration("Globex"))

    assert approve(job, both) == (
        "kim may enter the key of Acme, and so may not approve there: its settings keep the two apart."
    )
    assert approve(other, both) == ""
    assert approve(job, staff("lee", "Approver")) == ""


def test_on_another_integration_they_may_enter_keys(acme: Integration) -> None:
    apart(acme)
    kim = staff("kim", "Approver")
    other = integration("Globex")
    kim.roles_on_integrations.create(role=Role.objects.get(name="Key holder"), integration=other)

    assert approve(awaiting(acme), kim) == ""


def test_who_entered_the_key_in_use_does_not_approve_even_without_the_role(acme: Integration) -> None:
    apart(acme)
    kim = staff("kim", "Approver")
    acme.store_credential("sk-admin-" + "b" * 30, by=kim, now=timezone.now())
    job = awaiting(acme)

    assert approve(job, kim).startswith("kim entered the key that Acme works with")

    acme.store_credential("sk-admin-" + "c" * 30, by=staff("lee"), now=timezone.now())
    assert approve(job, kim) == ""


def test_the_page_says_why_and_offers_no_button_and_its_address_refuses_as_well(acme: Integration) -> None:
    apart(acme)
    kim, job = staff("kim", "Approver", "Key holder"), awaiting(acme)
    client = client_of(kim)

    page = client.get(reverse("admin:provisioning_provisioningjob_change", args=[job.pk])).content.decode()
    assert "kim may enter the key of Acme" in page
    assert "approve-dialog" not in page
    approval = {"reason": "They left.", "digest": job.digest, "override": ["removal_limit"]}
    answer = client.post(reverse(f"admin:{APPROVAL}", args=[job.pk]), approval, follow=True)

    assert re.search("Not approved. kim may enter the key of Acme", answer.content.decode())
    job.refresh_from_db()
    assert job.state == ProvisioningJob.State.AWAITING_APPROVAL


def test_the_command_refuses_by_name_with_the_exit_status_of_wrong_usage(acme: Integration) -> None:
    apart(acme)
    staff("kim", "Approver", "Key holder")

    with pytest.raises(CommandError, match="kim may enter the key of Acme") as refused:
        call_command("approve", str(awaiting(acme).pk), "--by", "kim", "--reason", "They left.")

    assert refused.value.returncode == 2


def test_only_a_superuser_changes_who_is_kept_apart(acme: Integration) -> None:
    page = reverse("admin:integrations_integration_change", args=[acme.pk])
    for user, changed in ((staff("kim", "Operator"), False), (staff("root", is_superuser=True), True)):
        client = client_of(user)
        form = client.get(page).context["adminform"].form
        typed = {name: form[name].value() for name in form.fields} | {"separate_key_entry": "on"}
        client.post(page, {name: "" if value is None else value for name, value in typed.items()})
        acme.refresh_from_db()
        assert acme.separate_key_entry == changed
