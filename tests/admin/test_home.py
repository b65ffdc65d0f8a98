"""Home and an integration's page: what needs a person first, with where it is settled; and how it stands."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from directory.models import Conflict, Pull, Source
from integrations.models import Integration
from provisioning.models import AccessRule, Mark, ProvisioningJob
from provisioning.standing import standing_of
from tests.admin.builders import (
    account,
    action,
    awaiting,
    integration,
    job,
    key,
    ldap_server,
    mark,
    rule,
    staff,
)
from tests.admin.roles import AUDITOR, OPERATOR
from tests.directory.builders import person, source

pytestmark = pytest.mark.django_db

State = ProvisioningJob.State


def words(client: Client, address: str) -> str:
    return " ".join(unescape(client.get(address).content.decode()).split())


def home(client: Client) -> str:
    return words(client, reverse("admin:index"))


def needs(client: Client) -> list[tuple[str, str]]:
    """What home begins with, and where each is settled."""
    html = unescape(client.get(reverse("admin:index")).content.decode())
    rows = re.findall(r'<li class="cw-need.*?</li>', html, re.DOTALL)
    return [
        (re.findall(r'cw-strong">([^<]*)<', row)[0], re.findall(r'href="([^"]*)"', row)[0]) for row in rows
    ]


@pytest.fixture
def acme(db: None) -> Integration:
    """In step: its last sync read everything and had nothing to do."""
    made = integration("Acme", secret="sk-admin-" + "x" * 30, mode="manage")
    person("ada@example.org")
    rule(made, state=AccessRule.State.ACTIVE)
    job(made, applied_at=timezone.now())
    return made


def test_a_new_installation_shows_the_way_and_no_empty_pictures(clients: dict[str, Client]) -> None:
    html = home(clients[OPERATOR])
    assert "Connect your first integration" in html
    assert "First steps" in html
    assert "cw-chart" not in re.sub(r"<head>.*</head>", "", html)
    assert "Nothing needs you" not in html


def test_where_all_is_well_nothing_needs_anybody(acme: Integration, clients: dict[str, Client]) -> None:
    html = home(clients[AUDITOR])
    assert needs(clients[AUDITOR]) == []
    assert "Nothing needs you" in html
    assert "First steps" not in html
    assert "In step: nothing has had to be changed yet." in html


def test_what_needs_somebody_comes_first_each_with_where_it_is_settled(
    acme: Integration, clients: dict[str, Client]
) -> None:
    waiting = awaiting(acme)
    failed = job(acme, State.FAILED, error={"code": "internal", "detail": "It broke."})
    keyless = integration("Keyless")
    now = timezone.now()
    fine, ldap = ldap_server("fine").source, ldap_server("corp").source
    for of, outcome in ((fine, Pull.Outcome.DONE), (ldap, Pull.Outcome.FAILED)):
        Pull.objects.create(source=of, began_at=now, finished_at=now, outcome=outcome, detail="No answer.")
    Conflict.objects.note(source("okta", Source.Kind.SCIM), "ada@example.org", person("b@x.org"), now=now)
    key(acme, account=account(acme, gone_at=now))

    found = needs(clients[OPERATOR])

    assert found == [
        (f"{waiting} of Acme awaits approval", _job(waiting)),
        ("Acme needs attention", _job(failed)),
        ("Keyless needs attention", reverse("integrations:credential", args=[keyless.pk])),
        ("The last pull of corp: failed", reverse("admin:directory_source_change", args=[ldap.pk])),
        ("1 person is wanted by two sources", "/admin/directory/conflict/?state__exact=open"),
        ("1 key of somebody who has left still works", "/admin/provisioning/key/?owner=left"),
    ]
    assert {clients[OPERATOR].get(url).status_code for _, url in found} == {200}
    page = reverse("admin:integrations_integration_change", args=[keyless.pk])
    assert dict(needs(clients[AUDITOR]))["Keyless needs attention"] == page, "who may not enter a key"


def _job(of: ProvisioningJob) -> str:
    return reverse("admin:provisioning_provisioningjob_change", args=[of.pk])


def test_of_very_many_the_first_are_told_and_how_many_more(clients: dict[str, Client]) -> None:
    for number in range(13):
        integration(f"Keyless {number:02}")
    found = [title for title, _ in needs(clients[AUDITOR])]
    assert (len(found), found[-1]) == (11, "3 more like these")


def test_home_tells_nothing_of_what_one_may_not_see(acme: Integration, clients: dict[str, Client]) -> None:
    awaiting(acme)
    key(acme)
    some = staff("some")
    some.user_permissions.add(Permission.objects.get(codename="view_integration"))
    client = Client()
    client.force_login(some)
    html = home(client)
    assert needs(client) == []
    assert "Acme" in html
    assert "/admin/provisioning/" not in html


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"enabled": False}, "Not enabled: nothing is read, and nothing is changed."),
        ({"mode": "observe"}, "2 changes would bring it in step. Mode observe changes nothing."),
        ({"mode": "extend"}, "2 more changes would bring it in step. Mode extend takes nothing away."),
        ({"next_sync_trigger": "directory"}, "A change in the directory waits for the next sync."),
        ({}, "In step since "),
    ],
)
def test_an_integration_says_in_a_line_how_it_is(
    acme: Integration, settings: dict[str, object], says: str
) -> None:
    Integration.objects.filter(pk=acme.pk).update(**settings)
    account(acme, changed_at=timezone.now() - timedelta(days=3))
    beyond = {"code": "mode", "detail": "The mode does not allow it."}
    last = acme.jobs.latest("pk")
    for kind in ("invite", "remove") if settings.get("mode") else ():
        action(last, kind, "skipped", error=beyond)
    action(last, "report")

    assert standing_of(acme).health.says.startswith(says)


def test_accounts_by_situation_lead_to_just_those(acme: Integration, clients: dict[str, Client]) -> None:
    for place in range(3):
        account(acme, f"m{place}", situation="matched", person=person(f"m{place}@example.org"))
    account(acme, "inv", state="invited", situation="matched")
    account(acme, "orphan", situation="orphan")
    account(acme, "fed", situation="orphan", managed_elsewhere=True)
    account(acme, "gone", situation="orphan", gone_at=timezone.now())
    account(integration("Other"), "vip", situation="orphan")
    account(acme, "vip", email="VIP@example.org", situation="ambiguous")
    mark(acme, "vip@example.org")
    mark(acme, "nobody@example.org", kind=Mark.Kind.IGNORED)
    html = clients[AUDITOR].get(reverse("admin:integrations_integration_change", args=[acme.pk]))
    listed = re.findall(
        r'<li><a class="cw-link" href="([^"]+)">([^<]+)</a><span class="cw-tally__number">(\d+)<',
        unescape(html.content.decode()),
    )

    assert {title: int(number) for _, title, number in listed} == {
        "Active": 6,
        "Invited": 1,
        "Matched to a person": 4,
        "Nobody's (orphans)": 2,
        "Ambiguous": 1,
        "Protected": 1,
        "Managed elsewhere": 1,
    }
    shown = {title: clients[AUDITOR].get(url).context["cl"].queryset.count() for url, title, _ in listed}
    assert shown == {title: int(number) for _, title, number in listed}


def test_what_others_changed_there_is_told_with_the_job_that_saw_it(
    acme: Integration, clients: dict[str, Client]
) -> None:
    first = [
        {"change": "role", "account_id": "u", "email": "mei@x.org", "before": "reader", "after": "owner"}
    ]
    seen = job(acme, read={"accounts": 1, "changes": {"number": 9, "first": first}})
    job(acme, read={"accounts": 1, "changes": {"number": 0, "first": []}})
    html = words(clients[AUDITOR], reverse("admin:integrations_integration_change", args=[acme.pk]))
    assert "9 changes, seen just now" in html
    assert 'Role: mei@x.org <span class="cw-muted">reader → owner</span>' in html
    assert f'href="{_job(seen)}">Job {seen.pk}</a>' in html


def test_the_page_tells_limits_and_rules_in_words(acme: Integration, clients: dict[str, Client]) -> None:
    rule(acme, "Later", state=AccessRule.State.PROPOSED)
    rule(acme, "Some day")
    html = words(clients[AUDITOR], reverse("admin:integrations_integration_change", args=[acme.pk]))
    for sentence in (
        "Everything is read every 30 minutes, and at once when a rule or a group changes.",
        "3 accounts of 0 may lose something in 24 hours without an approval.",
        "At least 1 owner remains, whatever the rules say.",
        "Active <span>1</span>",
        "Proposed <span>1</span>",
        "Draft <span>1</span>",
    ):
        assert sentence in html
    assert html.index(">Engineers<") < html.index(">Later<") < html.index(">Some day<")
