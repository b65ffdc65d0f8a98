"""Whatever stands in an address, no page breaks: it says that it is nonsense, or takes no notice."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.admin.builders import Company
from tests.admin.pages import address, page_names

ROOT = Path(__file__).parents[2]
NONSENSE = [
    "\x00",
    "9" * 30,
    "-1",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "[]",
    "2026-13-45T99:99",
]


def names() -> list[str]:
    """Of all parameters that any page asks for."""
    found = {"q", "p", "o", "page", "all"}
    for app in ("cakewalk", "directory", "integrations", "provisioning"):
        for path in (ROOT / app).rglob("*.py"):
            found |= set(re.findall(r"(?:GET|POST)(?:\.get\(|\.getlist\(|\[)\"(\w+)\"", path.read_text()))
    return sorted(found)


@pytest.mark.soak
@pytest.mark.parametrize("value", NONSENSE, ids=ascii)
def test_no_page_breaks_of_nonsense(company: Company, clients: dict[str, Client], value: str) -> None:
    client = clients["superuser"]
    client.raise_request_exception = False
    query = urlencode(dict.fromkeys(names(), value))
    broken: list[Any] = []
    for page in page_names():
        for given in (
            query,
            urlencode({"q": value}),
            urlencode({"id__exact": value, "name__contains": value}),
        ):
            answer = client.get(f"{address(page, company)}?{given}")
            if answer.status_code >= 500:
                broken.append((page, given[:60]))
        answer = client.post(address(page, company), dict.fromkeys(names(), value))
        if answer.status_code >= 500:
            broken.append((page, "as a form"))
    assert broken == []
