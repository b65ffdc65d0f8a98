"""Every page in every language that is offered: nothing is said that was not marked, and German is German."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override, trans_real

from cakewalk.templatetags.cakewalk import ago, duration
from cakewalk.words import OURS, grouped
from tests.admin.builders import Company
from tests.admin.pages import address, html_pages
from tests.admin.roles import SUPERUSER
from tests.admin.unmarked import brackets, stored_words, unmarked

ALIKE = {"integration", "name", "person", "phase"}
"""Called the same in German, but for a capital at most."""
NO_TEXTS = {
    *("Cakewalk", "OpenAI", "Platform", "SCIM", "LDAP"),
    *("English", "Deutsch"),  # each language by its own name
    *("CSV", "XLSX"),
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
    with brackets(monkeypatch) as asked:
        for name, page in pages.items():
            found = unmarked(clients[SUPERUSER].get(page).content.decode(), known)
            said[name] = [text for text in found if not text.startswith((*OF_THE_RECORD, *OF_DJANGO))]

    assert {name: texts for name, texts in said.items() if texts} == {}
    unknown = sorted(text for text in asked if not in_german(text))
    assert unknown == []


def in_german(text: str) -> bool:
    """By the catalogs of Django and ours. What is marked may still not have been collected."""
    found = trans_real.translation("de")
    return any(found._catalog.get(key) is not None for key in (text, (text, 0)))  # type: ignore[attr-defined]


def test_every_page_is_answered_in_german(pages: dict[str, str], clients: dict[str, Client]) -> None:
    answers = {
        name: clients[SUPERUSER].get(page, headers={"accept-language": "de"}) for name, page in pages.items()
    }

    told = {name: (answer.status_code, answer["Content-Language"]) for name, answer in answers.items()}
    assert told == dict.fromkeys(pages, (200, "de"))
    missing = {
        name: [word for word in words if word not in answers[name].content.decode()]
        for name, words in SAID.items()
    }
    assert {name: words for name, words in missing.items() if words} == {}


def test_german_pages_cost_no_more(pages: dict[str, str], clients: dict[str, Client]) -> None:
    ContentType.objects.get_for_models(*apps.get_models())  # what is asked once and then remembered
    superuser = clients[SUPERUSER]
    for name in SAID:
        asked = []
        for language in ("en", "de"):
            with CaptureQueriesContext(connection) as queries:
                superuser.get(pages[name], headers={"accept-language": language})
            asked.append(len(queries))
        assert len(set(asked)) == 1, f"{name}: {asked}"


SAID = {
    "admin:index": ("Dinge brauchen jetzt jemanden", "Austritte in 90 Tagen", "Als Tabelle zeigen"),
    "admin:integrations_integration_change": ("Zeitplan und Grenzen", "Modus Verwalten", "Jetzt abgleichen"),
    "admin:provisioning_provisioningjob_change": (
        "Nachweis des Lesens",
        "Einladung zurückziehen",
        "Auftrag ",
    ),
    "admin:provisioning_provisioningjob_changelist": ("Verlangt", "Dauer", " Aufträge"),
    "admin:provisioning_accessrule_add": ("Organisationsrolle", "Zuteilung hinzufügen", "Bitte wählen"),
    "admin:directory_person_change": (
        "Warum jemand hat, was er hat",
        "Personalnummer",
        "Der nächste Auftrag",
    ),
    "admin:directory_person_import_people": ("Eine Datei mit Personen", "Was in der Datei steht"),
    "integrations:catalog": ("Automatische Bereitstellung", "Anmeldeverfahren"),
    "integrations:connect": ("API-Schlüssel", "Sichern &amp; einschalten"),
    "preferences": ("Wie der Browser sagt", "Zeitzone"),
}


def test_whatever_is_listed_has_a_name_in_german() -> None:
    """Django makes names of what the code calls things, and plurals by an s, which no tool collects."""
    models = [model for label in OURS for model in apps.get_app_config(label).get_models()]
    with_pages = [model._meta for model in models if model in admin.site._registry]
    names = [name for of in with_pages for name in (of.verbose_name, of.verbose_name_plural)]
    told = {}
    for language in ("en", "de"):
        with override(language):
            told[language] = [str(name) for name in names]

    alike = {english for english, german in zip(*told.values(), strict=True) if english == german}
    assert alike - ALIKE == set()


@pytest.mark.parametrize(
    ("language", "took", "since"),
    [("en", "0.1 s", "2 days, 3 hours ago"), ("de", "0,1 s", "vor 2 Tagen, 3 Stunden")],
)
def test_how_long_something_takes_is_rounded_and_declined(language: str, took: str, since: str) -> None:
    with override(language):
        assert duration(timedelta(milliseconds=96)) == took
        assert ago(timezone.now() - timedelta(days=2, hours=3, minutes=4)).replace("\xa0", " ") == since


@pytest.mark.parametrize(("language", "shown"), [("en", "100,031"), ("de", "100.031")])
def test_large_numbers_are_parted_as_the_language_does(language: str, shown: str) -> None:
    with override(language):
        assert grouped(100_031) == shown
        assert grouped(999) == "999"
