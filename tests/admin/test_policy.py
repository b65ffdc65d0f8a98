"""What browsers are told they may do, and that no page wants more."""

import pytest
from django.test import Client
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from cakewalk.models import User
from integrations.connectors.openai.simulator import Simulator
from tests.admin.builders import Company
from tests.admin.live import complaints, signed_in
from tests.admin.pages import address, html_pages

STRICTEST = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}
OF_THE_THEME = STRICTEST - {"script-src 'self'"} | {"script-src 'self' 'unsafe-eval'"}


@pytest.mark.parametrize(
    ("address", "status", "policy"),
    [
        ("/admin/", 200, OF_THE_THEME),
        ("/admin/login/", 302, OF_THE_THEME),
        ("/admin/integrations/", 200, OF_THE_THEME),
        ("/admin/nowhere/", 404, STRICTEST),
        ("/nowhere", 404, STRICTEST),
        ("/", 302, STRICTEST),
        ("/scim/v2/Users", 401, STRICTEST),
    ],
)
def test_only_what_is_made_of_the_theme_may_evaluate(
    clients: dict[str, Client], address: str, status: int, policy: set[str]
) -> None:
    answer = clients["superuser"].get(address)

    assert (answer.status_code, set(answer["Content-Security-Policy"].split("; "))) == (status, policy)
    assert "camera=(), " in answer["Permissions-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_no_page_wants_more_than_its_policy_allows(
    chromium: Browser, live_server: LiveServer, simulator: Simulator
) -> None:
    company = Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)
    wanted: dict[str, list[str]] = {}
    with signed_in(chromium, live_server.url, User.objects.get(username="chief")) as page:
        heard = complaints(page)
        for name in html_pages():
            page.goto(address(name, company))
            wanted[name] = page.evaluate("window.violations") + heard
            heard.clear()

    assert {name: what for name, what in wanted.items() if what} == {}
