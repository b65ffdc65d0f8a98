"""What all tests share: an environment of their own, the simulated remote, a browser, installations."""

import gc
import os
import sys
from collections.abc import Iterable, Iterator

import django
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import TransactionTestCase
from playwright.sync_api import Browser, Page, sync_playwright

from cakewalk.encryption import Secret
from cakewalk.health import counting
from cakewalk.ledger import guards
from integrations.connectors.openai.simulator import Organization, Simulator
from tests import effort, environment, machine, migrated

SERVICES = machine.Services.from_environment()
environment.prepare()
django.setup()
# A good hasher takes a fifth of a second for each password, and what is tested here is not Django's.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# For each client of a test all files of the theme would be looked up. Browsers get theirs from installations.
settings.WHITENOISE_USE_FINDERS = False

REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"
"""Where the missing of PostgreSQL, Redis, Chromium or OpenLDAP is a failure, as in continuous integration."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "services: needs PostgreSQL and Redis")
    config.addinivalue_line("markers", "browser: needs Chromium")
    config.addinivalue_line("markers", "ldap: needs OpenLDAP's server")
    config.addinivalue_line("markers", "soak: takes minutes, in make soak only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole installations first: one worker has them all, and what is quick is left to even out the end.

    Last come those that leave the tables without what migrations wrote, after those that begin with it.
    """
    items.sort(key=lambda item: ("stack" not in item.path.parts, _leaves_tables_empty(item)))


def pytest_collection_finish() -> None:
    """What is imported stays: looking for garbage among it, again and again, took a tenth of all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """Before pytest-django makes the database."""
    yield from migrated.begin_tests_with_a_copy()


@pytest.fixture(autouse=True, scope="session")
def tables_can_be_emptied() -> Iterator[None]:
    """Between tests, which the ledger's triggers rightly refuse to anybody else."""
    operations = connections["default"].ops
    empty = operations.execute_sql_flush

    def without_triggers(statements: Iterable[str]) -> None:
        guards.remove(operations.connection)
        empty(statements)
        guards.install(operations.connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(operations, "execute_sql_flush", without_triggers)
        if operations.connection.vendor == "sqlite":
            patched.setattr(TransactionTestCase, "_fixture_setup", classmethod(lambda test: None))
            patched.setattr(TransactionTestCase, "_fixture_teardown", lambda test: migrated.begin_again())
        yield


def _leaves_tables_empty(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    kept = marker.kwargs.get("serialized_rollback") if marker else None
    return bool(marker and marker.kwargs.get("transaction") and not kept)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("soak") and not effort.SOAK:
        pytest.skip("takes minutes; make soak or .ci/run runs it")
    for marker, missing in (
        ("services", SERVICES.missing),
        ("browser", machine.missing_browser),
        ("ldap", machine.missing_slapd),
    ):
        if item.get_closest_marker(marker):
            need(missing())


def need(missing: str | None) -> None:
    """Skip, saying what is missing; fail where it must not be."""
    if missing and REQUIRED:
        pytest.fail(f"{missing} (REQUIRE_SERVICES=1)", pytrace=False)
    if missing:
        pytest.skip(missing)


MAY_REVEAL = ("cakewalk.opening", "cakewalk.encryption", "cakewalk.signing_in.models")


@pytest.fixture(autouse=True, scope="session")
def secrets_are_opened_in_one_place() -> Iterator[None]:
    """Whatever a test does: only `opening`, which records it, and the field itself ask for the text."""
    reveal = Secret.reveal

    def seen(secret: Secret) -> str:
        caller = sys._getframe(1).f_globals["__name__"]
        assert caller.startswith("tests.") or caller in MAY_REVEAL, caller
        return reveal(secret)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Secret, "reveal", seen)
        yield


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """What a process counts in its memory, wrong tokens and calls, begins anew with each test."""
    cache.clear()
    counting.forget()


@pytest.fixture
def organization() -> Organization:
    """A simulated organization with one owner and the default project."""
    return Organization()


@pytest.fixture
def simulator(organization: Organization) -> Iterator[Simulator]:
    """The organization, served over HTTP on a free port of this machine."""
    with Simulator(organization) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    need(machine.missing_browser())
    ours = connections["default"]
    with pytest.MonkeyPatch.context() as patched, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, and Django would refuse its database there.
        patched.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        # In that loop Django would make a new connection, which knows not how the tests' database began.
        connections["default"] = ours
        browser = playwright.chromium.launch(executable_path=machine.chromium(), args=machine.CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Browser) -> Iterator[Page]:
    """A page in a fresh profile."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()
