"""Every page in a real browser: it keeps to its policy, fits a phone, and shuts nobody out."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from cakewalk.models import User
from integrations.connectors.openai.simulator import Simulator
from tests import effort
from tests.admin import axe
from tests.admin.builders import PASSWORD, Company
from tests.admin.live import complaints, signed_in
from tests.admin.pages import address, html_pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
OF_COLOURS = ("color-contrast", "link-in-text-block")


@pytest.fixture
def company(transactional_db: None, simulator: Simulator) -> Company:
    made = Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)
    made.grow(2)
    return made


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, company: Company) -> Iterator[Page]:
    with signed_in(chromium, live_server.url, User.objects.get(username="chief")) as page:
        yield page


def wrong_with(page: Page) -> list[str]:
    """In light, and in dark, where only colours differ; and whether it fits a phone."""
    found = axe.look(page)[1]
    page.evaluate("document.documentElement.classList.add('dark')")
    found += [f"dark: {line}" for line in axe.look(page, *OF_COLOURS)[1]]
    page.set_viewport_size({"width": 420, "height": 900})
    if effort.SOAK:
        found += [f"phone: {line}" for line in axe.look(page)[1]]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("phone: it is wider than the screen")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("document.documentElement.classList.remove('dark')")
    return found


FEW = (
    "admin:index",
    "admin:directory_person_change",
    "admin:directory_person_import_people",
    "admin:integrations_integration_change",
    "admin:provisioning_accessrule_add",
    "admin:provisioning_account_changelist",
    "admin:provisioning_provisioningjob_change",
    "admin:provisioning_provisioningjob_changelist",
    "integrations:catalog",
    "integrations:connect",
    "integrations:welcome",
    "preferences",
)
"""Those that have most of what pages are made of. `.ci/run` looks at all."""


def names() -> list[str]:
    return [name for name in html_pages() if effort.SOAK or name in FEW]


def lines(wrong: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {line}" for name, found in wrong.items() for line in found]


def test_every_page_keeps_to_its_policy_and_shuts_nobody_out(page: Page, company: Company) -> None:
    wrong: dict[str, list[str]] = {}
    heard = complaints(page)
    assert set(names()) >= set(FEW)
    for name in names():
        answer = page.goto(address(name, company))
        assert "html" in answer.headers["content-type"], f"{name} is no page: add it to OF_OTHER_KINDS"
        wrong[name] = wrong_with(page) + page.evaluate("window.violations") + heard
        heard.clear()

    assert not lines(wrong), "\n".join(lines(wrong))


def test_what_opens_on_a_page_shuts_nobody_out(page: Page, company: Company) -> None:
    wrong: dict[str, list[str]] = {}
    page.goto(address("admin:directory_person_changelist", company))
    page.get_by_role("button", name="chief").click()
    wrong["user menu"] = wrong_with(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters").click()
    wrong["filters"] = wrong_with(page)
    assert not page.get_by_role("button", name="More actions").is_visible()  # it is for phones
    page.keyboard.press("Escape")
    page.locator("input.action-select").first.check()
    wrong["actions"] = wrong_with(page)
    page.goto(address("admin:provisioning_provisioningjob_change", company))
    for opener in page.locator("[data-opens]").all():
        opener.click()
        wrong[f"dialog: {opener.inner_text()}"] = wrong_with(page)
        page.keyboard.press("Escape")

    assert not lines(wrong), "\n".join(lines(wrong))
    assert len(wrong) > 4


def test_who_is_not_signed_in_is_not_shut_out(chromium: Browser, live_server: LiveServer) -> None:
    User.objects.create(username="ada", is_staff=True, password=make_password(PASSWORD))
    wrong: dict[str, list[str]] = {}
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto("/admin/")
    wrong["login"] = wrong_with(page)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.locator(".errornote").first.wait_for()
    wrong["wrong password"] = wrong_with(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("You may sign in, and nothing more yet.").wait_for()
    wrong["home without a role"] = wrong_with(page)
    page.goto("/admin/directory/person/")
    wrong["forbidden"] = wrong_with(page)
    page.goto("/nowhere")
    wrong["not there"] = wrong_with(page)
    page.goto("/admin/")
    page.get_by_role("button", name="ada").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("You are logged out.").wait_for()
    wrong["logged out"] = wrong_with(page)
    context.close()

    assert not lines(wrong), "\n".join(lines(wrong))
