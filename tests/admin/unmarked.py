"""What a page says that no translation could change: every marked sentence is put into brackets, and what
stands outside of them, and is no value of the database, was not marked.
"""

import gettext
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from zoneinfo import available_timezones

import pytest
from django.apps import apps
from django.utils.translation import trans_real

MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
BETWEEN = "\n"
WORD = re.compile(r"[A-Za-z]{2,}")
SAID = ("title", "aria-label", "placeholder", "alt", "data-label", "data-busy")
"""Attributes that are read to, or shown to, somebody."""
SILENT = ("script", "style", "code", "svg", "pre")
ICONS = "material-symbols-outlined"
VOID = ("input", "img", "br", "hr", "meta", "link", "source", "path", "col", "wbr")
HIDDEN = "****"
"""Of how a password is stored, a few letters are shown."""
ZONES = frozenset(word for zone in available_timezones() for word in WORD.findall(zone))


class _Brackets(gettext.NullTranslations):
    """A language in which every sentence is itself in brackets. `asked`: all that was to be said in it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return self._said(message)

    def _said(self, message: str) -> str:
        return f"⟦{message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]}⟧" if message.strip() else message

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        self.asked.add(singular)
        return self._said(singular if number == 1 else plural)

    def language(self) -> str:
        return "en"

    def to_language(self) -> str:
        return "en"


@contextmanager
def brackets(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Gives what was to be said in some language; of what may be one or many, the one."""
    language = _Brackets()
    with monkeypatch.context() as patch:
        patch.setattr(trans_real, "translation", lambda _name: language)
        patch.setattr(trans_real, "_default", language)
        yield language.asked


class _Texts(HTMLParser):
    """`silent`: whether nobody reads it, or it says itself that it is in English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        english = said.get("lang") == "en" and tag != "html"
        silent = self._silent or english or tag in SILENT or ICONS in (said.get("class") or "")
        if not silent:
            self.attributes += [said[name] or "" for name in SAID if name in said]
            if tag == "input" and said.get("type") in ("submit", "button"):
                self.attributes.append(said.get("value") or "")
        if tag not in VOID:
            self._open.append((tag, silent))

    def handle_endtag(self, tag: str) -> None:
        while tag not in VOID and self._open and self._open.pop()[0] != tag:
            pass

    @property
    def _silent(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data.replace(BETWEEN, " "))


def unmarked(html: str, known: Collection[str]) -> list[str]:
    """Without what is in brackets or made of known words alone."""
    parser = _Texts()
    parser.feed(html)
    # A sentence may have tags in it.
    texts = _outside_brackets(BETWEEN.join(parser.texts)).split(BETWEEN)
    texts += [_outside_brackets(text) for text in parser.attributes]
    return [" ".join(text.split()) for text in texts if _tells(text, known)]


def _outside_brackets(text: str) -> str:
    while text != (text := MARKED.sub("", text)):
        pass
    return text


def _tells(text: str, known: Collection[str]) -> bool:
    words = () if HIDDEN in text else WORD.findall(text)
    return any(word not in known and word not in ZONES for word in words)


def stored_words() -> set[str]:
    """Every word of every text in the database."""
    words: set[str] = set()
    for model in apps.get_models():
        names = [field.attname for field in model._meta.concrete_fields]
        for row in model._default_manager.values_list(*names):
            words.update(WORD.findall(" ".join(str(value) for value in row)))
    return words
