"""A connector's guide: nine steps in one source, each with a drawing that shows where to click."""

import importlib.resources
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cakewalk.documents import library, markdown
from cakewalk.documents.library import Document
from integrations.catalog import connector_classes
from integrations.connectors.base import Connector

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {"svg", "title", "g", "rect", "circle", "path", "text"}
STEPS = [
    "1. Open the OpenAI Platform console",
    "2. Click the settings icon",
    "3. Choose API keys",
    "4. Click Create new secret key",
    "5. Name it and choose the project",
    "6. Click Create secret key",
    "7. Click Copy",
    "8. Back in Cakewalk, paste it into its field",
    "9. Click Save & Enable",
]
guides = pytest.mark.parametrize("guide", library.shelves()["guides"], ids=lambda guide: guide.address)


def connector_of(guide: Document) -> type[Connector]:
    return next(one for one in connector_classes().values() if library.guide_address(one) == guide.address)


def steps(guide: Document) -> list[markdown.Section]:
    return [section for section in guide.sections if re.match(r"\d+\. ", section.title)]


def drawings(guide: Document) -> Iterator[tuple[str, str]]:
    """What each step names, and how it is described to those who do not see it."""
    for step in steps(guide):
        (drawing,) = markdown.pictures(step.body)
        yield drawing


def test_every_connector_has_a_guide_at_an_address_that_its_title_makes() -> None:
    found = {kind: library.guide_address(connector) for kind, connector in connector_classes().items()}
    assert found["openai"] == "integration-guides/openai-platform"
    assert sorted(found.values()) == [guide.address for guide in library.shelves()["guides"]]


@guides
def test_a_guide_has_nine_steps_in_order_each_with_one_drawing_of_its_own(guide: Document) -> None:
    assert [step.title.partition(".")[0] for step in steps(guide)] == [str(number) for number in range(1, 10)]
    named = [name for name, _ in drawings(guide)]
    assert len(set(named)) == 9
    assert {f"{guide.address}/{name}" for name in named} == set(guide.pictures)
    assert all(markdown.plain(step.body).endswith((".", "!")) for step in steps(guide))


@guides
def test_nothing_lies_in_the_folder_that_the_guide_does_not_use(guide: Document) -> None:
    folder = importlib.resources.files(connector_of(guide).__module__.rpartition(".")[0]).joinpath("guide")
    used = {"guide.md", *(name for name, _ in drawings(guide))}
    assert {Path(str(file)).name for file in folder.iterdir()} == used


@guides
def test_a_drawing_runs_nothing_fetches_nothing_and_says_what_it_shows(guide: Document) -> None:
    for name, alternative in drawings(guide):
        root = ET.fromstring(guide.pictures[f"{guide.address}/{name}"].read_bytes())  # noqa: S314 - our own file
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= SHAPES, name
        for element in root.iter():
            for attribute, value in element.attrib.items():
                assert not re.match(r"on|style|class|id|.*href", attribute), (name, attribute)
                assert "url(" not in value, (name, attribute)
        assert root[0].tag == f"{SVG}title"
        assert (root[0].text, root.get("role")) == (alternative, "img"), name
        assert len(alternative) > 30


@guides
def test_a_drawing_takes_its_colours_from_the_page_and_has_its_own_where_there_are_none(
    guide: Document,
) -> None:
    styles = Path("cakewalk/static/cakewalk/guide.css").read_text()
    known = dict(re.findall(r"--(drawing-\w+): light-dark\((#\w+),", styles))
    for place, file in guide.pictures.items():
        text = file.read_text()
        assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', text)) <= {
            "none",
            *(f"var(--{name}, {light})" for name, light in known.items()),
        }, place
        sizes = [float(size) for size in re.findall(r'font-size="([^"]+)"', text)]
        assert min(sizes) >= 10, place
        assert 'viewBox="0 0 320 168"' in text, place


@guides
def test_a_guide_sends_its_readers_nowhere_but_to_the_vendor_and_to_our_docs(guide: Document) -> None:
    targets = [target for section in guide.sections for target in markdown.targets(section.body)]
    elsewhere = [urlsplit(target) for target in targets if markdown.is_elsewhere(target)]
    vendor = ".".join(urlsplit(connector_of(guide).card.default_base_url).hostname.split(".")[-2:])
    assert {link.scheme for link in elsewhere} == {"https"}
    assert [link.hostname for link in elsewhere if not link.hostname.endswith(f".{vendor}")] == []
    ours = {target.partition("#")[0] for target in targets if target.startswith("/")}
    assert {target.removeprefix("/docs/").removesuffix(".md") for target in ours} <= set(library.documents())
    assert "<" not in re.sub(r"`[^`]*`", "", guide.source)


def test_the_guide_of_openai_is_the_one_that_the_product_describes() -> None:
    guide = library.documents()["integration-guides/openai-platform"]
    assert [step.title for step in steps(guide)] == STEPS


def test_the_step_that_says_which_key_it_must_be_stands_out_and_no_other() -> None:
    guide = library.documents()["integration-guides/openai-platform"]
    noted = [step for step in steps(guide) if any(token.type == "blockquote_open" for token in step.body)]
    assert [step.title for step in noted] == ["3. Choose API keys"]
    said = markdown.plain(noted[0].body)
    assert [
        kind for kind in ("sk-admin-", "sk-proj-", "sk-svcacct-", "an organization owner") if kind not in said
    ] == []
    assert "https://platform.openai.com/settings/organization/admin-keys" in markdown.targets(noted[0].body)
