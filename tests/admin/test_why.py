"""A person's page: why they have what they have, and the buttons for a job about them alone."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from directory.models import Person
from provisioning.models import AccessRule, PersonChange, ProvisioningJob
from tests.admin.browser import as_shown, forms, said
from tests.admin.builders import Company, account, action, awaiting, integration, job, mark, rule, staff
from tests.directory.builders import NOW, person

State = ProvisioningJob.State


def page(of: Person) -> str:
    return reverse("admin:directory_person_change", args=[of.pk])


def words(client: Client, of: Person) -> str:
    """The page's text, on one line."""
    html = unescape(client.get(page(of)).content.decode())
    return " ".join(re.sub("</?time[^>]*>", "", html).split())


@pytest.fixture
def leaver(db: None) -> Person:
    """Ada left; her removal waits for an approver in one integration, and she was never in another."""
    acme, other = integration("Acme", mode="manage"), integration("Other", enabled=False)
    ada = person("ada@example.org", name="Ada", groups=("engineering",), active=False)
    rule(acme, group=ada.groups.get(), state=AccessRule.State.ACTIVE)
    rule(other, "Everybody", grants=0, state=AccessRule.State.PROPOSED)
    held = awaiting(acme)
    held.actions.filter(kind="remove").update(person=ada)
    account(acme, email=ada.email, person=ada, match="email", situation="matched")
    return ada


def test_a_leavers_page_tells_the_account_the_rules_what_waits_and_what_comes_next(
    leaver: Person, clients: dict[str, Client]
) -> None:
    html = words(clients["auditor"], leaver)

    waiting = ProvisioningJob.objects.get(state=State.AWAITING_APPROVAL)
    for said_there in (
        "Matched by e-mail, and known by its id since.",
        "They have an account, and no rule gives one.",
        f">{waiting}</a>: Remove from the organization.",
        "They are not active in the directory.",
        "reader, project Project 0 (member)",
        "There is no project named 'Project 0'.",
        "for every active person",
        "Not enabled, so that no job starts.",
        "Nothing was read there yet.",
        "No job has had anything to do or to report about them.",
    ):
        assert said_there in html


@pytest.mark.parametrize(("button", "preview"), [("preview", True), ("sync", False)])
def test_a_job_about_this_person_alone_is_queued_and_its_page_comes_next(
    leaver: Person, clients: dict[str, Client], button: str, preview: bool
) -> None:
    acme = leaver.accounts.get().integration
    pressed = reverse(f"admin:directory_person_{button}", args=[leaver.pk, acme.pk])

    answer = clients["operator"].post(pressed, as_shown(clients["operator"], page(leaver), pressed))

    asked = ProvisioningJob.objects.get(state=State.QUEUED)
    assert answer["Location"] == reverse("admin:provisioning_provisioningjob_change", args=[asked.pk])
    assert (asked.preview, asked.scope, list(asked.people.all())) == (preview, "people", [leaver])
    assert asked.requested_by.username == "operator"
    again = clients["operator"].post(pressed)
    assert said(again)[-1].startswith(f"No {button} was queued: {asked} is already queued.")
    assert again["Location"] == answer["Location"]
    assert f"{asked}</a> is queued and looks at them." in words(clients["auditor"], leaver) or preview


def test_a_change_that_no_job_has_taken_up_yet_is_told(leaver: Person, clients: dict[str, Client]) -> None:
    acme = leaver.accounts.get().integration
    PersonChange.objects.note([acme], [leaver.pk], now=NOW)
    assert "A change of theirs, known since 10 Mar 2026, 12:00 UTC, waits for a job of its own." in words(
        clients["auditor"], leaver
    )


def test_only_whoever_may_run_jobs_has_the_buttons_and_only_where_jobs_start(
    leaver: Person, clients: dict[str, Client]
) -> None:
    shown = {
        role: [url for url in forms(clients[role].get(page(leaver))) if "/sync/" in url] for role in clients
    }

    acme = leaver.accounts.get().integration
    may = [reverse("admin:directory_person_sync", args=[leaver.pk, acme.pk])]
    assert (shown["auditor"], shown["approver"], shown["operator"], shown["superuser"]) == ([], [], may, may)


def test_whoever_may_see_people_and_nothing_else_sees_no_accounts(company: Company) -> None:
    visitor, client = staff("visitor"), Client()
    visitor.groups.add(company.rows["auth_group"])
    client.force_login(visitor)

    html = words(client, company.rows["directory_person"])

    assert "Why they have what they have" not in html
    assert "Acme" not in html


def test_the_last_decision_is_told_with_its_job_its_rule_and_its_error(
    clients: dict[str, Client], db: None
) -> None:
    acme, ada = integration("Acme"), person("ada@example.org")
    refused = {"code": "protected", "detail": "ada@example.org is protected and never touched."}
    action(job(acme), "grant", "done", person=ada)
    last = action(job(acme), "change_role", "refused", person=ada, error=refused)
    action(job(acme, preview=True), "remove", "planned", person=ada)
    mark(acme, "ada@example.org")

    html = words(clients["auditor"], ada)

    assert "Change the role from reader to owner" in html
    assert f">{last.job}</a>" in html
    assert refused["detail"] in html
    assert "Give the project Search" not in html
    assert "Remove from the organization" not in html
