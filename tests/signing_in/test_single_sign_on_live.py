"""The whole way in a real browser: the login page, the provider, consent, home, and out again."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cakewalk.models import User
from tests.admin.live import signed_in
from tests.conftest import need
from tests.signing_in.single_sign_on import Provider, missing_provider, person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def provider(live_server: LiveServer, settings: Any) -> Iterator[Provider]:
    need(missing_provider())
    running = Provider(live_server.url).start()
    for name, value in running.settings().items():
        setattr(settings, name, value)
    running.knows(olga=person("olga", "cakewalk-operators"))
    yield running
    running.stop()


def at_the_provider(page: Page) -> None:
    page.get_by_placeholder("Enter any login").fill("olga")
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_from_the_login_page_to_the_provider_and_home_and_out_again(
    chromium: Browser, live_server: LiveServer, provider: Provider
) -> None:
    with signed_in(chromium, live_server.url, None) as page:
        page.goto("/admin/login/")
        page.get_by_role("link", name="Log in with Corp Login").click()
        at_the_provider(page)
        expect(page).to_have_url(f"{live_server.url}/admin/")
        expect(page.get_by_role("link", name="Integrations")).to_be_visible()
        assert page.evaluate("window.violations") == []
        assert [role.name for role in User.objects.get(username="olga").groups.all()] == ["Operator"]

        page.get_by_role("button", name="olga").click()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("link", name="Log out of Corp Login too").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        expect(page).to_have_url(f"{live_server.url}/admin/login/")

        provider.knows(olga=person("olga"))
        page.get_by_role("link", name="Log in with Corp Login").click()
        at_the_provider(page)
        expect(page.get_by_role("heading")).to_have_text("Corp Login did not sign you in")
        expect(page.get_by_text("None of your groups has a role here")).to_be_visible()
        assert not User.objects.get(username="olga").groups.exists()
