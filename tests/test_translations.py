"""The translations that are shipped: what was compiled is what was written, and values keep their places."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "cakewalk" / "locale" / "de" / "LC_MESSAGES"
PLACE = re.compile(r"%\(\w+\)[sd]|%(?!\()[sd%]")

Entry = tuple[list[str], list[str], bool]


def entries() -> list[Entry]:
    """What each entry of the file says in English, in German, and whether it is a guess."""
    found = []
    for block in (FOLDER / "django.po").read_text().split("\n\n")[1:]:
        flags, _, words = block.partition("msgid ")
        said = re.findall(
            r'^(msgid_plural|msgstr(?:\[\d\])?|msgid) ((?:".*"\n?)+)', f"msgid {words}\n", re.MULTILINE
        )
        english = [_text(quoted) for kind, quoted in said if kind.startswith("msgid")]
        if context := re.search(r'msgctxt "(.*)"', flags):
            english[0] = f"{context[1]}\x04{english[0]}"  # as it is stored
        found.append((english, [_text(quoted) for kind, quoted in said if "str" in kind], "fuzzy" in flags))
    return found


def _text(quoted: str) -> str:
    lines = re.findall(r'"(.*)"', quoted)
    return "".join(lines).replace(r"\"", '"').replace(r"\n", "\n").replace("\\\\", "\\")


@pytest.fixture(scope="module")
def compiled() -> gettext.GNUTranslations:
    with (FOLDER / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def test_what_is_shipped_is_what_was_written(compiled: gettext.GNUTranslations) -> None:
    """Else: make messages."""
    written = entries()

    assert len(written) > 500
    for (english, *_plural), german, _fuzzy in written:
        shown = [compiled.ngettext(english, "", n) for n in (1, 2)][: len(german)] if _plural else []
        shown = shown or [compiled.gettext(english)]
        assert shown == german or not all(german), english


def test_no_translation_is_a_guess() -> None:
    assert [english for english, _, fuzzy in entries() if fuzzy] == []


def test_nothing_is_left_in_english() -> None:
    assert [english for english, german, _ in entries()[1:] if not all(german)] == []


def test_every_value_is_told_in_the_translation_too() -> None:
    """A singular may leave out its number."""
    lost = []
    for english, german, _ in entries():
        named = {place for text in english for place in PLACE.findall(text)}
        for text in filter(None, german):
            if not set(PLACE.findall(text)) <= named:
                lost.append((english[0], text))
        if german[-1] and set(PLACE.findall(german[-1])) != set(PLACE.findall(english[-1])):
            lost.append((english[-1], german[-1]))
    assert lost == []
