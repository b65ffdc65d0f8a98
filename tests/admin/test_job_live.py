"""A job's page in a browser while the job goes on: it is renewed, and takes nothing from whoever reads it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from provisioning.models import ProvisioningJob
from tests.admin.builders import PASSWORD, action, integration, job, staff

State = ProvisioningJob.State


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_page_follows_a_job_to_its_end_and_keeps_what_the_reader_has_done(
    browser_page: Page, live_server: LiveServer
) -> None:
    staff("ada", is_superuser=True)
    later = timezone.now() + timedelta(minutes=2)
    running = job(integration(), State.RUNNING, phase="applying", holder="box/1/a", lease_expires_at=later)
    running.enter("applying", now=timezone.now())
    action(running, "invite", "started")
    action(running, "remove", "planned", email="gone@example.org")
    page, complaints = browser_page, []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{live_server.url}{reverse('job', args=[running.public_id])}")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/provisioningjob/{running.pk}/change/")

    # The phase counts on between two answers, and the reader closes what they have read.
    took = page.locator("[data-counts]")
    before = took.text_content()
    page.wait_for_function(
        "before => document.querySelector('[data-counts]').textContent !== before", arg=before
    )
    page.locator("#situation-joiner > summary").click()
    assert page.locator("#situation-joiner").get_attribute("open") is None

    running.enter("verifying", now=timezone.now())
    page.locator(".cw-phase", has_text="Verify").wait_for()
    assert page.locator("#situation-joiner").get_attribute("open") is None
    assert page.locator("#situation-leaver").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.matches('#situation-joiner > summary')")
    assert page.locator("#job-said").text_content() == f"{running}: Running. Verify"

    # Somebody who decides is not disturbed; once they have, the page has the end, and asks no more.
    page.get_by_role("button", name="Cancel").click()
    running.actions.update(state="done")
    running.finish(State.SUCCEEDED, now=timezone.now())
    page.wait_for_timeout(2500)
    assert page.locator("#cancel-dialog").is_visible()
    page.get_by_role("button", name="Back").click()
    page.get_by_text("Everything that was to be done is done").wait_for()
    assert page.locator("#job").get_attribute("hx-trigger") is None
    assert page.locator("[data-counts]").count() == 0
    assert page.locator("#job-said").text_content() == f"{running}: Succeeded"
    assert complaints == []
