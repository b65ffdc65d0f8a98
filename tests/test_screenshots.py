"""What `make screenshots` walks through, as far as it can be seen without a browser."""

from types import SimpleNamespace
from typing import Any

import pytest

from cakewalk.models import User
from tests.admin.builders import account, awaiting, entitlement, integration, key, rule
from tests.admin.pages import html_pages
from tests.directory.builders import person
from tests.screenshots import LEAVERS, _pages

pytestmark = pytest.mark.django_db


def test_every_page_is_found_once_the_sample_has_something_on_it() -> None:
    chief = User.objects.create_superuser("admin", "admin@example.org")
    acme = integration("Acme", mode="manage")
    for name in (*LEAVERS, "ada.byron", "lin.wei"):
        account(acme, name, person=person(f"{name}@example.org", groups=("engineering",)))
    awaiting(acme, by=chief)
    key(acme)
    entitlement(acme)
    rule(acme)
    nothing_runs: Any = SimpleNamespace(settled=lambda: None)

    pages = _pages(nothing_runs, "")

    assert {name for name in html_pages() if name.endswith("_changelist")} <= set(pages)
    assert all(address.startswith("/") for address in pages.values())
