"""The catalog with one connector and with a hundred: searched, filtered, linked, with script and without."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from cakewalk.models import User
from integrations.admin import catalog
from integrations.connectors.base import Connector
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.models import Integration
from tests.admin.builders import integration, staff
from tests.admin.live import complaints, signed_in
from tests.admin.roles import AUDITOR, OPERATOR

CATALOG = "/admin/integrations/catalog/"
CATEGORIES = ("Artificial intelligence", "Code", "Documents", "Messages")


def made_up(number: int) -> dict[str, type[Connector]]:
    """Connectors that differ in what their cards say."""
    made: dict[str, type[Connector]] = {}
    for place in range(number):
        kind = f"vendor{place}"
        card = replace(
            OpenAIConnector.card, kind=kind, title=f"Vendor {place}", category=CATEGORIES[place % 4]
        )
        made[kind] = type(kind, (OpenAIConnector,), {"card": card, "__module__": OpenAIConnector.__module__})
    return made


@pytest.fixture
def hundred(db: None, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, type[Connector]]:
    """Two of them are connected: one observes, one needs attention as it has no key and is simulated."""
    made = made_up(100)
    monkeypatch.setattr(catalog, "connector_classes", lambda: made)
    works = integration("Quiet", secret="sk-admin-" + "x" * 40)
    Integration.objects.filter(pk=works.pk).update(kind="vendor7")
    troubled = integration("Loud", simulated=True)
    Integration.objects.filter(pk=troubled.pk).update(kind="vendor9")
    return made


def shown(client: Client, query: str = "") -> list[str]:
    cards = client.get(f"{CATALOG}{query}").context["cards"]
    return [entry["card"].title for entry in cards if not entry["hidden"]]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("?q=vendor+42", ["Vendor 42"]),
        ("?q=+VENDOR++42+", ["Vendor 42"]),
        ("?q=quiet", ["Vendor 7"]),
        ("?state=observe", ["Vendor 7"]),
        ("?state=attention", ["Vendor 9"]),
        ("?state=simulated", ["Vendor 9"]),
        ("?state=manage", []),
        ("?state=nonsense", []),
        ("?q=42&category=Documents", ["Vendor 42"]),
        ("?q=42&category=Code", []),
        ("?q=%00%27%22%3Cscript%3E", []),
    ],
)
def test_an_address_finds_what_it_says(
    clients: dict[str, Client], hundred: Mapping[str, type[Connector]], query: str, titles: list[str]
) -> None:
    assert shown(clients[AUDITOR], query) == titles


def test_without_a_filter_everything_is_there_and_a_category_is_a_part_of_it(
    clients: dict[str, Client], hundred: Mapping[str, type[Connector]]
) -> None:
    assert len(shown(clients[AUDITOR])) == 100
    assert len(shown(clients[AUDITOR], "?category=Code")) == 25
    assert len(shown(clients[AUDITOR], "?state=not_connected")) == 98


def test_a_hundred_connectors_cost_no_more_queries_than_one(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(3):
        integration(f"Number {place}", secret="sk-admin-" + "x" * 40)
    counted, operator = [], clients[OPERATOR]
    for number in (1, 100):
        made = made_up(number)
        monkeypatch.setattr(catalog, "connector_classes", lambda made=made: made)
        with CaptureQueriesContext(connection) as asked:
            operator.get(CATALOG)
        counted.append(len(asked))
    assert counted[0] == counted[1] < 20


def test_a_state_is_told_of_each_integration(clients: dict[str, Client]) -> None:
    key = "sk-admin-" + "x" * 40
    for mode in Integration.Mode:
        integration(f"In {mode}", mode=mode, secret=key)
    integration("Off", enabled=False, secret=key)
    rejected = integration("Loud", secret=key)
    Integration.objects.filter(pk=rejected.pk).update(rejected_at=timezone.now())

    [card] = clients[AUDITOR].get(CATALOG).context["cards"]
    assert card["states"].split() == ["attention", "disabled", "extend", "manage", "observe"]
    assert (card["connected"][0].integration.name, card["number"]) == ("Loud", 5)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_catalog_is_filtered_as_one_types_and_the_address_can_be_kept(
    chromium: Browser, live_server: LiveServer, hundred: Mapping[str, type[Connector]]
) -> None:
    with signed_in(chromium, live_server.url, staff("olga", "Operator")) as page:
        heard = complaints(page)
        page.goto(CATALOG)
        cards = page.locator(".cw-entry:visible")
        expect(cards).to_have_count(100)
        page.get_by_role("searchbox").fill("vendor 46")
        page.get_by_label("Category").select_option("Documents")
        expect(page.get_by_role("status").filter(has_text="of 100")).to_have_text("1 of 100")
        kept = page.url
        assert kept.endswith("?q=vendor+46&category=Documents")
        page.get_by_label("State").select_option("manage")
        expect(page.get_by_role("heading", name="Nothing in the catalog matches")).to_be_visible()
        page.get_by_role("link", name="Show all").click()
        expect(cards).to_have_count(100)
        page.goto(kept)
        assert cards.locator("h2").all_inner_texts() == ["Vendor 46"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (heard, page.evaluate("window.violations")) == ([], [])
    olga = User.objects.get(username="olga")
    with signed_in(chromium, live_server.url, olga, java_script_enabled=False) as page:
        page.goto(kept)
        page.get_by_role("searchbox").fill("vendor 4")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator(".cw-entry:visible")).to_have_count(7)
