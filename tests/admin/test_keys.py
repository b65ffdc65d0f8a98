"""The list of keys and service accounts: which of them somebody should look at, and whose they are."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Integration
from tests.admin.builders import account, integration, key
from tests.admin.test_exports import exported
from tests.directory.builders import person

pytestmark = pytest.mark.django_db

LIST, EXPORT = "admin:provisioning_key_changelist", "admin:provisioning_key_export"


@pytest.fixture
def acme() -> Integration:
    """With keys of each standing, named after it."""
    acme, now = integration("Acme"), timezone.now()
    long_ago = now - timedelta(days=100)
    held = account(acme, "user-1", person=person("ada@example.org", name="Ada"))
    left = account(acme, "user-2", person=person("lex@example.org", active=False))
    removed = account(acme, "user-3", gone_at=now)
    key(acme, "fine", account=held, last_used_at=now, shown="sk-proj-…wxyz", first_seen_at=long_ago)
    key(acme, "left", account=left, first_seen_at=long_ago)
    key(acme, "removed", account=removed, first_seen_at=long_ago)
    key(acme, "stranger's", owner_id="user-9", first_seen_at=long_ago)
    key(acme, "orphan's", account=account(acme, "user-4"), first_seen_at=long_ago)
    key(acme, "unused", account=held, made_at=long_ago, first_seen_at=long_ago)
    key(acme, "expired", account=held, expires_at=now)
    key(acme, "expiring", account=held, expires_at=now + timedelta(days=9, hours=1))
    key(acme, "gone long ago", account=held, gone_at=long_ago, first_seen_at=long_ago)
    key(acme, "gone", account=held, gone_at=now, first_seen_at=long_ago)
    Integration.objects.update(keys_read_at=acme.keys.get(name="gone").gone_at, keys_asked_at=now)
    acme.keys.filter(name="expiring").update(first_seen_at=acme.keys.get(name="gone").gone_at)
    machine = {"kind": "service account", "of_machine": True, "owner_id": "", "made_at": long_ago}
    key(acme, "robot", **machine, unattended=True, first_seen_at=long_ago)
    return acme


def names(client: Client, query: str) -> set[str]:
    return {row["name"] for row in exported(client, query, EXPORT)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?owner=left", {"left", "removed", "stranger's"}),
        ("?owner=unattended", {"robot"}),
        ("?owner=machine", {"robot"}),
        ("?owner=known", {"fine", "left", "unused", "expired", "expiring"}),
        ("?owner=unknown", {"orphan's"}),
        ("?life=unused", {"unused"}),
        ("?life=expired", {"expired"}),
        ("?life=expiring", {"expiring"}),
        ("?presence=changed", {"expiring", "gone"}),
        ("?presence=new", {"expired", "expiring"}),
        ("?presence=ended", {"gone"}),
        ("?presence=gone", {"gone", "gone long ago"}),
        ("?kind=service+account", {"robot"}),
        ("?q=lex@example.org", {"left"}),
        ("?presence=gone&q=long", {"gone long ago"}),
    ],
)
def test_the_list_and_its_export_show_what_is_asked_for(
    acme: Integration, clients: dict[str, Client], query: str, found: set[str]
) -> None:
    assert names(clients["auditor"], query) == found
    shown = clients["auditor"].get(reverse(LIST) + query).context["cl"].result_list
    assert {row.name for row in shown} == found


def test_an_export_says_whose_a_key_is(acme: Integration, clients: dict[str, Client]) -> None:
    rows = {row["name"]: row for row in exported(clients["operator"], "", EXPORT)}
    told = ("kind", "key", "place", "owner", "person", "owner_left", "unattended", "gone")
    assert [rows["fine"][name] for name in told] == [
        "project key",
        "sk-proj-…wxyz",
        "the project Search",
        "user-1@example.org",
        "ada@example.org",
        "",
        "",
        "",
    ]
    assert (rows["left"]["owner_left"], rows["robot"]["unattended"]) == ("yes", "yes")


def test_the_list_tells_at_a_glance_and_leads_on(acme: Integration, clients: dict[str, Client]) -> None:
    Integration.objects.update(
        keys_read_at=timezone.now(), keys_asked_at=timezone.now(), keys_unread=["Admin keys are closed."]
    )
    html = clients["auditor"].get(reverse(LIST)).content.decode()
    for standing in ("Owner has left", "Nobody attends", "Expires in 9 days", "Unused for 90 days"):
        assert standing in html
    held = acme.accounts.get(remote_id="user-1")
    assert reverse("admin:provisioning_account_change", args=[held.pk]) in html
    assert reverse("admin:directory_person_change", args=[held.person_id]) in html
    assert "Acme: as of" in html
    assert "Admin keys are closed." in html


def test_an_account_leads_to_its_keys(acme: Integration, clients: dict[str, Client]) -> None:
    held = acme.accounts.get(remote_id="user-1")
    page = reverse("admin:provisioning_account_change", args=[held.pk])
    html = clients["auditor"].get(page).content.decode()
    assert reverse("admin:provisioning_key_change", args=[acme.keys.get(name="fine").pk]) in html
    query = f"?account__id__exact={held.pk}&presence=all"
    assert f"{reverse(LIST)}{query}".replace("&", "&amp;") in html
    assert names(clients["auditor"], query) == {
        "fine",
        "unused",
        "expired",
        "expiring",
        "gone",
        "gone long ago",
    }
