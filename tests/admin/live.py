"""A real browser on pages that are really served, signed in."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.test import Client
from playwright.sync_api import Browser, Page

from cakewalk.models import User

LISTENER = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(
  `${event.effectiveDirective}: ${event.blockedURI} ${event.sample} (${event.sourceFile}:${event.lineNumber})`
));
"""


@contextmanager
def signed_in(
    browser: Browser, url: str, user: User | None, width: int = 1440, **context: object
) -> Iterator[Page]:
    """A page in a fresh profile, which remembers what it tried against its policy."""
    made = browser.new_context(viewport={"width": width, "height": 900}, base_url=url, **context)  # type: ignore[arg-type]
    made.set_default_timeout(10_000)
    if user:
        client = Client()
        client.force_login(user)
        made.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])
    made.add_init_script(LISTENER)
    try:
        yield made.new_page()
    finally:
        made.close()


def complaints(page: Page) -> list[str]:
    """What is collected from now on: errors of the console and of scripts."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard
