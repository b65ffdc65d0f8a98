"""The public pages. They ask the database for nothing, know no session, and run no script."""

import hashlib
from collections.abc import Mapping
from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from cakewalk.documents import library, texts
from cakewalk.documents.addresses import html_of, page_of, source_of
from cakewalk.documents.guide import as_guide
from cakewalk.documents.library import Document
from cakewalk.documents.searching import Found

public = csp(
    {
        "default-src": [NONE],
        "img-src": [SELF],
        "style-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
)
"""The strictest policy that shows a page with its styles, its pictures and a field to ask in."""
HTML = "text/html; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
TYPES = {"svg": "image/svg+xml", "png": "image/png"}
BEST = 6


@public
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    question = _asked(request)
    return (
        _answers(request, question, None)
        if question
        else _page(request, "index", {"chapters": library.listed()})
    )


@public  # type: ignore[arg-type]  # whose types know of no view with a word of its address
@require_safe
def document(request: HttpRequest, address: str) -> HttpResponseBase:
    """A page, its source at the same address with `.md`, or a picture. Names come from the library only."""
    if address in library.pictures():
        picture = library.pictures()[address].read_bytes()
        return _answer(request, picture, TYPES[address.rpartition(".")[2]])
    if address.endswith("/") and address.rstrip("/") in library.documents():
        return HttpResponsePermanentRedirect(page_of(address.rstrip("/")))
    found = library.documents().get(address.removesuffix(".md"))
    if found is None:
        return HttpResponse(render_to_string("documents/not_found.html"), status=404)
    question = _asked(request)
    if address.endswith(".md"):
        text = texts.answers(question, _search(question, found)) if question else source_of(found)
        return _answer(request, text.encode(), MARKDOWN)
    if question:
        return _answers(request, question, found)
    return _guide(request, found) if found.is_guide else _document(request, found)


@public
@require_safe
def llms_txt(request: HttpRequest) -> HttpResponseBase:
    text = texts.llms_txt(library.shelves(), request.build_absolute_uri)
    return _answer(request, text.encode(), "text/plain; charset=utf-8")


def _guide(request: HttpRequest, found: Document) -> HttpResponseBase:
    return _page(request, "guide", {"document": found, "guide": as_guide(found)})


def _document(request: HttpRequest, found: Document) -> HttpResponseBase:
    first, *further = (
        (section, html_of(found, section.heading), html_of(found, section.body)) for section in found.sections
    )
    contents = [section for section in found.sections if section.level == 2]
    context = {"document": found, "first": first, "further": further, "contents": contents}
    return _page(request, "document", context)


def _asked(request: HttpRequest) -> str:
    return " ".join(request.GET.get("ask", "").replace("\0", " ").split())


def _search(question: str, about: Document | None) -> list[Found]:
    guide = about.address if about and about.is_guide else None
    return library.index(guide).search(question, BEST)


def _answers(request: HttpRequest, question: str, about: Document | None) -> HttpResponseBase:
    found = [(one, page_of(one.passage.address, one.passage.anchor)) for one in _search(question, about)]
    return _page(request, "answers", {"question": question, "document": about, "found": found})


def _page(request: HttpRequest, name: str, context: Mapping[str, Any]) -> HttpResponseBase:
    """Without the request in it, so that nothing of who reads can get onto the page."""
    html = render_to_string(f"documents/{name}.html", {**context, "shelves": library.shelves()})
    return _answer(request, html.encode(), HTML)


def _answer(request: HttpRequest, content: bytes, kind: str) -> HttpResponseBase:
    """Kept for five minutes, and asked for again by what it was made of."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    response = HttpResponse(content, content_type=kind)
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=300"
    if kind != HTML:
        response["Content-Language"] = "en"  # of a page it is the viewer's
    return get_conditional_response(request, etag=etag, response=response) or response
