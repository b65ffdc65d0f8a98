"""Every document there is, read once per process: what is not in here has no address."""

import functools
import importlib.resources
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from posixpath import dirname, join, normpath

from django.conf import settings
from django.utils.text import slugify

from cakewalk.documents import markdown
from cakewalk.documents.markdown import Section
from cakewalk.documents.searching import Index, Passage
from integrations.catalog import connector_classes
from integrations.connectors.base import Connector

DOCS = Path(settings.BASE_DIR) / "docs"
GUIDES = "integration-guides/"
DECISIONS = "decisions/"
INDEX = "index"
"""The page that lists the others by chapter, in the order of reading. It is no document itself."""
SUMMARY = 220
PART = 700
"""Characters of a passage, unless one paragraph has more."""


@dataclass(frozen=True)
class Document:
    """One Markdown source. Its address is below /docs/, without `.md`."""

    address: str
    source: str
    sections: Sequence[Section]
    pictures: Mapping[str, Traversable] = field(default_factory=dict)
    """Their files, by address below /docs/."""

    @property
    def title(self) -> str:
        return self.sections[0].title

    @property
    def is_guide(self) -> bool:
        return self.address.startswith(GUIDES)

    @property
    def summary(self) -> str:
        """The sentences it begins with, as many as are short enough."""
        texts = (markdown.plain(section.body) for section in self.sections)
        first = next(filter(None, texts), "").partition("\n")[0]
        sentences = re.split(r"(?<=[.:]) ", first)
        while len(sentences) > 1 and len(" ".join(sentences)) > SUMMARY:
            sentences.pop()
        return " ".join(sentences)

    def place_of(self, target: str) -> str:
        """Below /docs/, of what a link or a picture names: `/docs/…`, or beside the document."""
        if target.startswith("/docs/"):
            return normpath(target.removeprefix("/docs/"))
        folder = self.address if self.is_guide else dirname(self.address)
        return normpath(join(folder, target))


@functools.cache
def documents() -> Mapping[str, Document]:
    """By address, in the order in which they are listed."""
    read = {document.address: document for document in [*_guides(), *_docs()]}
    listed = [address for addresses in chapters().values() for address in addresses]
    order = [*(address for address in read if address.startswith(GUIDES)), *listed, *sorted(read)]
    return {address: read[address] for address in dict.fromkeys(order) if address in read}


@functools.cache
def chapters() -> Mapping[str, Sequence[str]]:
    """The addresses that each chapter of the index lists."""
    path = DOCS / f"{INDEX}.md"
    if not path.is_file():
        return {}
    index = _read(INDEX, path, DOCS)
    return {
        section.title: [index.place_of(name).removesuffix(".md") for name in _named_in(section)]
        for section in index.sections
        if section.level == 2
    }


@functools.cache
def pictures() -> Mapping[str, Traversable]:
    return {place: file for document in documents().values() for place, file in document.pictures.items()}


@functools.cache
def index(guide: str | None = None) -> Index:
    """What is searched from a guide: the docs and that guide, and not how others are set up."""
    searched = [
        document
        for document in documents().values()
        if guide is None or document.address == guide or not document.is_guide
    ]
    return Index([passage for document in searched for passage in _passages(document)])


def _passages(document: Document) -> Iterator[Passage]:
    """A section, or parts of a long one: what is asked for stands close together."""
    for section in document.sections:
        anchor = section.anchor if section.level > 1 else ""
        for part in _parts(markdown.plain(section.body)):
            yield Passage(document.address, anchor, section.path, part)


def _parts(text: str) -> Iterator[str]:
    part = ""
    for line in filter(None, text.split("\n")):
        if part and len(part) + len(line) > PART:
            yield part
            part = ""
        part += f"\n{line}" if part else line
    if part:
        yield part


def shelves() -> Mapping[str, list[Document]]:
    """All documents by what they are: guides, docs, decisions."""
    found: dict[str, list[Document]] = {"guides": [], "docs": [], "decisions": []}
    for document in documents().values():
        shelf = "guides" if document.is_guide else "docs"
        found["decisions" if document.address.startswith(DECISIONS) else shelf].append(document)
    return found


def listed() -> Mapping[str, list[Document]]:
    """The documents of each chapter."""
    read = documents()
    return {
        title: [read[address] for address in addresses if address in read]
        for title, addresses in chapters().items()
    }


def guide_address(connector: type[Connector]) -> str:
    return f"{GUIDES}{slugify(connector.card.title)}"


def _guides() -> Iterator[Document]:
    for connector in connector_classes().values():
        package = connector.__module__.rpartition(".")[0]
        folder = importlib.resources.files(package).joinpath("guide")
        yield _read(guide_address(connector), folder.joinpath("guide.md"), folder)


def _docs() -> Iterator[Document]:
    """The pages of docs/, and what they link to among their folders, such as a decision."""
    waiting = [*DOCS.glob("*.md"), *DOCS.glob("integrations/*.md")]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        document = _read(path.relative_to(DOCS).with_suffix("").as_posix(), path, path.parent)
        if document.address != INDEX:
            yield document
        named = {document.place_of(name) for name in _named(document) if name.endswith(".md")}
        linked = {DOCS / place for place in named if not place.startswith("..")}
        new = {path for path in linked - seen if path.is_file()}
        seen |= new
        waiting += new


def _read(address: str, path: Traversable, folder: Traversable) -> Document:
    text = path.read_text("utf-8")
    document = Document(address, text, markdown.sections(text))
    drawn = {document.place_of(name): folder.joinpath(name) for name in _named(document) if _is_picture(name)}
    there = {place: file for place, file in drawn.items() if file.is_file() and not place.startswith("..")}
    return replace(document, pictures=there)


def _is_picture(name: str) -> bool:
    return name.endswith((".svg", ".png"))


def _named(document: Document) -> Iterator[str]:
    """The files that links and pictures name."""
    for section in document.sections:
        yield from _named_in(section)


def _named_in(section: Section) -> Iterator[str]:
    for target in markdown.targets(section.body):
        if not markdown.is_elsewhere(target):
            yield target.partition("#")[0]
