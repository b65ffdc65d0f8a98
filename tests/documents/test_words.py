"""The words of the design: explained once, used everywhere, and those of the code as they are there."""

import re

import pytest

from cakewalk.documents import library
from tests import safety_page
from tests.documents import record

GLOSSARY = (library.DOCS / "glossary.md").read_text()
ROWS = re.findall(r"^\| (\*\*.+?) \| (.+?) \| (.*?) ?\|$", GLOSSARY, re.MULTILINE)
PAGES = {
    path.relative_to(library.DOCS).as_posix(): path.read_text()
    for path in sorted(library.DOCS.rglob("*.md"))
    if path.parent.name not in ("decisions", "screenshots")
}
QUOTED = {("directory.md", "mapping")}
"""Where a page names a field of somebody else's pages."""


def prose(text: str) -> str:
    """Without code, addresses and what a page quotes."""
    return re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL).lower()


def test_words_are_in_the_order_of_the_alphabet() -> None:
    words = [row[0].strip("*").lower() for row in ROWS]

    assert len(words) > 40
    assert words == sorted(words)


@pytest.mark.parametrize("words", [row[0] for row in ROWS])
def test_each_word_is_used_on_another_page(words: str) -> None:
    others = " ".join(prose(text) for name, text in PAGES.items() if name != "glossary.md")

    assert [word for word in re.findall(r"\*\*(.+?)\*\*", words) if word.lower() not in others] == []


def test_no_page_uses_a_word_that_the_glossary_has_another_one_for() -> None:
    avoided = {word.strip() for row in ROWS for word in row[2].split(",") if word.strip()}
    found = {
        (page, word)
        for page, text in PAGES.items()
        for word in avoided
        if page != "glossary.md" and re.search(rf"\b{word}s?\b", prose(text))
    }

    assert len(avoided) > 10
    assert found == QUOTED


@pytest.mark.parametrize("name", record.tables())
def test_the_words_of_the_record_are_those_of_the_code(name: str) -> None:
    """Whoever adds one writes the page anew: make record."""
    assert safety_page.part(name, record.PAGE) == record.tables()[name]
