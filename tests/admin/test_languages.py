"""Every page in every language that is offered: nothing is said that was not marked, and German is German."""

import pytest
from django.test import Client

from tests.admin.builders import Company
from tests.admin.pages import address, html_pages
from tests.admin.roles import SUPERUSER
from tests.admin.unmarked import brackets, stored_words, unmarked

NO_TEXTS = {
    *("Cakewalk", "OpenAI", "Platform", "SCIM", "LDAP"),
    *("English", "Deutsch"),  # each language by its own name
    *("esc", "holder"),  # a key to press, and a role as the rules file has it
}
OF_THE_RECORD = ("There is no project named ",)
OF_DJANGO = ("Group-permission relationship",)
"""A table that Django makes by itself, when the page about deleting a role lists what goes with it."""


@pytest.fixture
def pages(company: Company, clients: dict[str, Client]) -> dict[str, str]:
    company.grow(3)
    return {name: address(name, company) for name in html_pages()}


def test_no_page_says_what_no_translation_could_change(
    pages: dict[str, str], clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = stored_words() | NO_TEXTS
    said = {}
    with brackets(monkeypatch):
        for name, page in pages.items():
            found = unmarked(clients[SUPERUSER].get(page).content.decode(), known)
            said[name] = [text for text in found if not text.startswith((*OF_THE_RECORD, *OF_DJANGO))]

    assert {name: texts for name, texts in said.items() if texts} == {}
