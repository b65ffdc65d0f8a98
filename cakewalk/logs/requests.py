"""Each request has an id: all its lines carry it, its answer and its page of errors show it."""

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseServerError
from django.http.response import StreamingHttpResponse
from django.template.loader import render_to_string

from cakewalk.logs.context import Facts, around, current, new_id
from cakewalk.proxies import is_one

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[\w.-]{8,64}", re.ASCII)
RETRY_AFTER_SECONDS = 30
PROBES = ("/healthz", "/readyz", "/metrics")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def for_each_request(get_response: GetResponse) -> GetResponse:
    """A middleware, before all others: it asks who sent the request, and not who asked."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        facts = {"request": _id_of(request)}
        began = time.monotonic()
        with around(**facts):
            response = get_response(request)
            _tell(request, response, time.monotonic() - began)
        response.headers[HEADER] = facts["request"]
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = _within(facts, response.streaming_content)  # type: ignore[arg-type]
        return response

    return answer


def _id_of(request: HttpRequest) -> str:
    """What a proxy of ours calls it; whatever anybody else says is not believed."""
    given = request.headers.get(HEADER, "")
    trusted = settings.TRUSTED_PROXIES and is_one(
        request.META.get("REMOTE_ADDR", ""), settings.TRUSTED_PROXIES
    )
    return given if trusted and WELL_FORMED.fullmatch(given) else new_id()


def _tell(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Without the query, which may hold what somebody searched for."""
    level = logging.DEBUG if _is_dull(request, response) else logging.INFO
    facts: dict[str, object] = {"status": response.status_code, "seconds": round(seconds, 3)}
    # Whether somebody is signed in is not asked for a line of the log: it may cost a query.
    if user := getattr(getattr(request, "_cached_user", None), "pk", None):
        facts["user"] = user
    log.log(level, "%s %s", request.method, request.path, extra={"facts": facts})


def _is_dull(request: HttpRequest, response: HttpResponseBase) -> bool:
    path = request.path_info
    return path in PROBES or (path.startswith("/static/") and response.status_code < HTTPStatus.BAD_REQUEST)


def _within(facts: Facts, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What is made after the answer has begun belongs to its request, too."""
    left = iter(pieces)
    while True:
        with around(**facts):
            piece = next(left, None)
        if piece is None:
            return
        yield piece


def server_error(request: HttpRequest) -> HttpResponse:
    """The page by which somebody tells us which lines of the log are about what they met. Where it is only
    that the database does not answer, it says so, and when to come again.
    """
    page = {"request_id": current().get("request", "")}
    if isinstance(sys.exc_info()[1], (InterfaceError, OperationalError)):
        text, wait = render_to_string("503.html", page), {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return HttpResponse(text, status=HTTPStatus.SERVICE_UNAVAILABLE, headers=wait)
    return HttpResponseServerError(render_to_string("500.html", page))
