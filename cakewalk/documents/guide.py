"""A guide is a document whose numbered sections are its steps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from cakewalk.documents.addresses import html_of, page_of
from cakewalk.documents.library import Document, documents, guide_address
from cakewalk.documents.markdown import Section
from integrations.connectors.base import Connector

NUMBERED = re.compile(r"^(\d+)\. (.+)$")


@dataclass(frozen=True)
class Part:
    """Of a guide. A step that carries a note (a quotation in the source) stands out."""

    number: int | None
    title: str
    anchor: str
    html: SafeString
    stands_out: bool


@dataclass(frozen=True)
class Guide:
    title: str
    intro: SafeString
    steps: Sequence[Part]
    further: Sequence[Part]
    address: str


def guide_of(connector: type[Connector]) -> Guide:
    return as_guide(documents()[guide_address(connector)])


def as_guide(document: Document) -> Guide:
    first, *others = document.sections
    parts = [_part(document, section) for section in others]
    return Guide(
        document.title,
        html_of(document, first.body),
        [part for part in parts if part.number],
        [part for part in parts if not part.number],
        page_of(document.address),
    )


def _part(document: Document, section: Section) -> Part:
    numbered = NUMBERED.match(section.title)
    number, title = (int(numbered[1]), numbered[2]) if numbered else (None, section.title)
    noted = any(token.type == "blockquote_open" for token in section.body)
    return Part(number, title, section.anchor, html_of(document, section.body), noted)
