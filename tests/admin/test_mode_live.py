"""Another mode in a browser: asked for, shown when the preview is done, switched to, and lowered again."""

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from integrations.connectors.openai.simulator import Simulator
from integrations.models import Integration
from provisioning import reconciliation
from provisioning.models import ProvisioningJob
from tests.admin.builders import integration, staff
from tests.admin.live import complaints, signed_in
from tests.directory.builders import person


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_higher_mode_shows_first_what_it_would_do_and_a_lower_one_asks_once(
    chromium: Browser, live_server: LiveServer, simulator: Simulator
) -> None:
    simulator.organization.add_member("ada@example.org")
    person("ada@example.org")
    acme = integration(secret=simulator.organization.admin_key, base_url=simulator.base_url)
    address = reverse("admin:integrations_integration_change", args=[acme.pk])
    with signed_in(chromium, live_server.url, staff("olga", "Operator")) as page:
        heard = complaints(page)
        page.goto(address)
        page.get_by_role("button", name="See what manage would do").click()
        expect(page.get_by_role("heading", name="Looking at what mode manage would do")).to_be_visible()
        reconciliation.run(ProvisioningJob.objects.get().pk)
        expect(page.get_by_role("heading", name="Here is what mode manage would do")).to_be_visible()
        expect(page.get_by_text("remove 1 account")).to_be_visible()
        expect(page.locator("#mode[hx-get]")).to_have_count(0)
        page.get_by_role("button", name="Switch to manage").click()
        expect(page.get_by_text("Acme is in mode manage now.")).to_be_visible()
        assert Integration.objects.get().mode == "manage"

        # The figures of a picture, by keyboard alone.
        page.get_by_text("Show as a table").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("row", name="2", exact=False).first).to_be_visible()

        page.get_by_role("button", name="Switch to observe").click()
        page.get_by_role("dialog").get_by_role("button", name="Switch to observe").click()
        expect(page.get_by_text("Acme is in mode observe now.")).to_be_visible()
        assert (heard, page.evaluate("window.violations")) == ([], [])
    assert Integration.objects.get().mode == "observe"
