"""The admin without a mouse: from logging in to releasing what a job holds."""

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from provisioning.models import ProvisioningJob
from tests.admin.builders import PASSWORD, awaiting, integration, staff

FOCUSED = """
() => {
  const on = document.activeElement, style = getComputedStyle(on);
  const copy = on.cloneNode(true);
  copy.querySelectorAll("[aria-hidden=true]").forEach((hidden) => hidden.remove());
  return {
    name: (on.getAttribute("aria-label") || copy.textContent).trim().replace(/\\s+/g, " "),
    seen: on === document.body || style.outlineStyle !== "none" || style.boxShadow !== "none",
    inside: on === document.body ? "nothing" : on.closest("dialog")?.id || "the page",
  };
}
"""


def press_tab_until(page: Page, name: str, at_most: int = 40) -> None:
    """On the way, wherever the focus is can be seen."""
    on_the_way = []
    for _ in range(at_most):
        page.keyboard.press("Tab")
        on = page.evaluate(FOCUSED)
        on_the_way.append(on["name"])
        assert on["seen"], f"the focus on {on['name']!r} cannot be seen"
        if on["name"] == name:
            return
    raise AssertionError(f"no {name} among {on_the_way}")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_a_job_holds_is_released_by_keyboard_alone(browser_page: Page, live_server: LiveServer) -> None:
    held = awaiting(integration(), by=staff("olivia", "Operator"))
    staff("ada", is_superuser=True)
    page = browser_page
    page.goto(f"{live_server.url}/admin/")
    page.wait_for_function("document.activeElement.name === 'username'")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Home").wait_for()

    page.wait_for_function("document.querySelector('[x-cloak]') === null")  # the theme's script has begun
    press_tab_until(page, "ada ada@example.org")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Preferences").wait_for()
    press_tab_until(page, "Preferences", at_most=4)
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED)["name"] == "ada ada@example.org"

    press_tab_until(page, f"Review: Job {held.pk} of Acme awaits approval")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/provisioningjob/{held.pk}/change/")

    press_tab_until(page, "Skip to the content", at_most=1)
    page.keyboard.press("Enter")
    press_tab_until(page, "Approve")
    page.keyboard.press("Enter")
    page.locator("#approve-dialog").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED)["name"] == "Approve"

    page.keyboard.press("Enter")
    page.keyboard.type("They left.")
    for _ in range(8):  # round and round, and never into what is behind
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED)["inside"] in ("approve-dialog", "nothing")
    press_tab_until(page, "Approve 1 action")
    page.keyboard.press("Enter")
    page.get_by_text("is approved").first.wait_for()
    held.refresh_from_db()
    assert (held.state, held.approval_reason) == (ProvisioningJob.State.QUEUED, "They left.")
