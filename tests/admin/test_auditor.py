"""What an auditor asks, answered in a browser with an account that may look and change nothing."""

from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory import revising
from directory.models import Person
from integrations.connectors.openai.simulator import Organization, Simulator
from provisioning import proving
from tests.admin import axe
from tests.admin.builders import staff
from tests.admin.live import complaints, signed_in
from tests.provisioning.world import BOSS, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]

TODAY = f"{timezone.now():%Y-%m-%d}"
WITHIN = 5000
"""Milliseconds for the page, its files and the browser on a busy machine; `make bench` times the server."""


@pytest.fixture
def history(transactional_db: None) -> Iterator[World]:
    """Ada is given something, marries, leaves, and is removed when alice has agreed."""
    organization = Organization(owner=BOSS)
    with Simulator(organization) as simulator:
        world = World(organization, simulator)
        organization.add_project("Search")
        organization.add_member("ada@x.org")
        world.rule("Engineers", group="engineering", Search="member")
        ada = world.hire("ada@x.org", "engineering")
        world.configure(removal_limit_count=0, removal_limit_percent=0)
        world.sync()
        marry(ada, "countess@x.org")
        world.dismiss("countess@x.org")
        alice = world.approver()
        held = world.sync()
        world.approve(held["job"], by="alice", reason="HR confirmed it.")
        with acting(Actor(Kind.PERSON, BOSS, "192.0.2.7")):
            record(Verb.CHANGED, alice, before={"groups": []}, after={"groups": ["Approver"]})
        proving.verify()
        yield world


def marry(person: Person, email: str) -> None:
    before = revising.known([person.pk])
    person.email = email
    person.save()
    person.claim_addresses([])
    revising.note(before, [person.pk], by="hr", now=timezone.now())


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, history: World) -> Iterator[Page]:
    with signed_in(chromium, live_server.url, staff("auditor", "Auditor")) as page:
        page.goto("/admin/")
        page.set_default_timeout(WITHIN)
        yield page


def test_what_an_auditor_asks_is_answered_in_the_browser(page: Page, history: World) -> None:
    heard = complaints(page)

    # Who approved the removal of Ada, and why?
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_label("Who", exact=True).fill("ada@x.org")
    page.get_by_label("What was done").select_option("Remove")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="1 found")).to_be_visible()
    row = page.locator(".cw-table--found tbody tr")
    expect(row).to_contain_text("Approved by alice")
    expect(row).to_contain_text("HR confirmed it.")

    # Everything that happened to an address that nobody has any more; and what they had that day.
    page.get_by_role("link", name="Ask anew").click()
    page.get_by_label("Who", exact=True).fill("ada@x.org")
    page.get_by_label("Up to and including").fill(TODAY)
    page.get_by_role("button", name="Search").click()
    whom = page.get_by_role("region", name="Whom this is about")
    expect(whom).to_contain_text("countess@x.org · formerly ada@x.org")
    expect(page.get_by_role("region", name="What they held at the end of")).to_contain_text("Acme: nothing")
    expect(row).to_have_count(2)
    expect(row.last).to_contain_text("Give the project Search as member")

    # Every change by the rule in the period, kept as a link for the next visit.
    page.get_by_role("link", name="Ask anew").click()
    page.get_by_label("Access rule").fill("engineers")
    page.get_by_label("From", exact=True).fill(TODAY)
    page.get_by_label("What was done").select_option("Every change (no reports)")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="1 found")).to_be_visible()
    page.get_by_text("Saved searches").click()
    page.get_by_label("Save this search as").fill("By Engineers")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="By Engineers").click()
    expect(page.get_by_role("heading", name="1 found")).to_be_visible()
    assert page.url.endswith(f"?since={TODAY}&kind=changes&rule=engineers")
    assert axe.look(page)[1] == []

    # Who was made an approver in the period, and by whom?
    page.get_by_role("navigation", name="What to search").get_by_role("link", name="Ledger").click()
    page.get_by_label("Of what").select_option("User")
    page.get_by_label("Who did it").fill(BOSS)
    page.get_by_label("From", exact=True).fill(TODAY)
    page.get_by_role("button", name="Search").click()
    page.locator("td[data-label=Entry] a").first.click()
    expect(page.get_by_role("row", name="groups")).to_contain_text("Approver")
    expect(page.locator("main")).to_contain_text(f"{BOSS}Person, 192.0.2.7")
    assert axe.look(page)[1] == []

    # Was anything altered?
    expect(page.get_by_text("Nothing was altered")).to_be_visible()
    expect(page.get_by_text("Its hash is that of what it says.")).to_be_visible()
    assert page.evaluate("window.violations") == []
    assert heard == []

    # What leaves is written down.
    page.goto("/admin/provisioning/action/?kind=remove")
    with page.expect_download() as taken:
        page.get_by_role("link", name="XLSX").click()
    taken.value.path()
    newest = Entry.objects.latest("seq")
    assert (newest.verb, newest.actor, newest.told()["facts"]["rows"]) == (Verb.EXPORTED, "auditor", 1)
