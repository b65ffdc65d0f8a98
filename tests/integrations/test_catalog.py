"""The catalog: a connector is a folder, with all that its card needs."""

import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import asdict

import pytest
from django.urls import reverse

from cakewalk.models import User
from integrations import catalog, connectors
from integrations.admin.catalog import logo
from integrations.connectors.base import Connector
from integrations.connectors.openai.connector import OpenAIConnector


@pytest.fixture
def forget():
    """The catalog looks at the folders once; before and after this test it looks again."""
    catalog.connector_classes.cache_clear()
    yield
    catalog.connector_classes.cache_clear()


def test_openai_is_found_by_its_folder():
    assert catalog.connector_classes() == {"openai": OpenAIConnector}
    assert catalog.connector_class("openai") is OpenAIConnector


@pytest.mark.parametrize("kind", ["nothing", "", "OpenAI", "base", "http", "../openai"])
def test_an_unknown_kind_is_answered_with_those_there_are(kind):
    with pytest.raises(LookupError, match=rf"^No connector of kind {kind!r}\. There are: openai\.$"):
        catalog.connector_class(kind)


@pytest.mark.parametrize("kind", catalog.connector_classes())
def test_a_card_is_complete_and_named_like_its_folder(kind):
    card = catalog.connector_class(kind).card
    assert card.kind == kind
    assert {name for name, value in asdict(card).items() if not value.strip()} == set()


def test_the_card_of_openai_says_what_the_product_says():
    card = OpenAIConnector.card
    assert (card.title, card.badge, card.authentication) == (
        "OpenAI Platform",
        "Auto Provisioning",
        "API key",
    )
    assert (card.required_permissions, card.required_metadata) == ("Admin", "None")
    assert card.default_base_url == "https://api.openai.com/v1"
    assert OpenAIConnector.refuse_base_url(card.default_base_url) is None


@pytest.mark.parametrize("connector", catalog.connector_classes().values())
def test_a_logo_is_a_drawing_that_runs_nothing_and_fetches_nothing(connector):
    kind, drawing = logo(connector).split(",")
    assert kind == "data:image/svg+xml;base64"
    root = ET.fromstring(b64decode(drawing))  # noqa: S314 - our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for element in root.iter():
        assert not element.tag.endswith(("script", "image", "use"))
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)


def test_another_folder_is_another_connector(tmp_path, monkeypatch, forget):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    (tmp_path / "acme" / "connector.py").write_text(
        "from integrations.connectors.openai.connector import OpenAIConnector\n"
        "class CONNECTOR(OpenAIConnector):\n"
        "    '''Stands in for a vendor of its own.'''\n"
    )
    (tmp_path / "no_folder.py").write_text("raise RuntimeError('a module is no connector')\n")
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path)])
    try:
        assert list(catalog.connector_classes()) == ["acme", "openai"]
        assert issubclass(catalog.connector_class("acme"), Connector)
    finally:
        for name in [name for name in sys.modules if name.startswith("integrations.connectors.acme")]:
            del sys.modules[name]


@pytest.mark.django_db
def test_the_page_shows_every_card_with_its_logo_and_the_way_to_connect(client):
    client.force_login(User.objects.create_superuser("sam", "sam@example.org", "x" * 16))
    page = client.get(reverse("integrations:catalog")).content.decode()
    for connector in catalog.connector_classes().values():
        assert connector.card.title in page
        assert connector.card.badge in page
        assert logo(connector) in page
        assert reverse("integrations:connect", args=[connector.card.kind]) in page
