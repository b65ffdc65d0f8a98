"""Where documents are, and their HTML and Markdown with links that work from there."""

from collections.abc import Sequence
from html import escape

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it.token import Token

from cakewalk.documents import markdown
from cakewalk.documents.library import Document, documents, pictures


def page_of(place: str, anchor: str = "", *, source: bool = False) -> str:
    address = reverse("docs:document", args=[f"{place}.md" if source else place])
    return f"{address}#{anchor}" if anchor else address


def html_of(document: Document, tokens: Sequence[Token]) -> SafeString:
    """Links lead to pages. The drawings of a guide are part of the page, so that they take on its colours."""

    def link(target: str) -> str | None:
        return _leads_to(document, target)

    def picture(name: str, alternative: str) -> str:
        place = document.place_of(name)
        if place not in document.pictures:
            return escape(alternative)
        if document.is_guide:
            return f'<span class="drawing">{document.pictures[place].read_text("utf-8")}</span>'
        return f'<img src="{escape(page_of(place))}" alt="{escape(alternative)}" loading="lazy">'

    return mark_safe(markdown.html(tokens, link, picture))  # noqa: S308 - our own files, with html off


def _leads_to(document: Document, target: str) -> str | None:
    """None for what is not among the documents, such as a file of the code."""
    if target.startswith("#") or markdown.is_elsewhere(target):
        return target
    name, _, anchor = target.partition("#")
    place = document.place_of(name)
    if place.removesuffix(".md") in documents():
        return page_of(place.removesuffix(".md"), anchor)
    return page_of(place) if place in pictures() else None


def source_of(document: Document) -> str:
    """The source as it is written, with whole addresses: it may be read anywhere."""
    text = document.source.replace("](/docs/", f"]({reverse('docs:index')}")
    for place in document.pictures:
        text = text.replace(f"]({place.removeprefix(f'{document.address}/')})", f"]({page_of(place)})")
    return text
