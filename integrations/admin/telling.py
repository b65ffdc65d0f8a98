"""Tell a browser of a connection test while it runs: one JSON document a line, each when it is known."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from cakewalk.ledger import actors
from integrations.connecting import Outcome, Trying
from integrations.connectors.base import Check

log = logging.getLogger(__name__)

LINES = "application/x-ndjson"

ICONS = {Check.ALLOWED: "check_circle", Check.REFUSED: "cancel", Check.UNREACHABLE: "error"}


def looks_on(request: HttpRequest) -> bool:
    """Whether the page's script asks, which shows each answer as it comes."""
    return request.headers.get("Accept") == LINES


def tell(steps: Trying, last: Callable[[Outcome], Mapping[str, Any]]) -> StreamingHttpResponse:
    """`last`: the line with which it ends. When the browser goes away, the next line cannot be written, and
    the steps after it are not taken.
    """
    # When the lines are written, the middleware that knows the viewer's language has left already.
    # So has the one that knows who acts.
    kept = _lines(_by(steps, actors.current()), last, get_language() or "en")
    answer = StreamingHttpResponse(kept, content_type=LINES)
    answer["X-Accel-Buffering"] = "no"  # or else nginx keeps the lines until all are there
    return answer


def lead_to(page: str) -> HttpResponse:
    """Nothing is tried before that page has been to."""
    return HttpResponse(_line({"leads_to": page}), content_type=LINES)


def _lines(steps: Trying, last: Callable[[Outcome], Mapping[str, Any]], language: str) -> Iterator[str]:
    try:
        outcome = yield from _each(steps, language)
        with override(language):
            said = last(outcome)
    except Exception:
        log.exception("A connection test failed.")
        with override(language):
            said = {"title": _("Something went wrong in Cakewalk itself; its log has more."), "problems": {}}
    yield _line(said)


def _by(steps: Trying, actor: actors.Actor) -> Trying:
    """Each step in the name of whoever asked, and of nobody between two."""
    while True:
        try:
            with actors.acting(actor):
                step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield step


def _each(steps: Trying, language: str) -> Any:
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        with override(language):
            said = {"asks": step} if isinstance(step, str) else {"check": row(step)}
        yield _line(said)


def _line(said: Mapping[str, Any]) -> str:
    return json.dumps(said) + "\n"


def row(check: Check) -> dict[str, str]:
    """One answer as pages show it."""
    words = {
        Check.ALLOWED: _("Allowed"),
        Check.REFUSED: _("Refused"),
        Check.UNREACHABLE: _("Unreachable"),
    }
    return {
        "name": check.name,
        "detail": check.detail,
        "answer": check.answer,
        "icon": ICONS[check.answer],
        "label": words[check.answer],
    }


def verdict(outcome: Outcome) -> str:
    """What came of it, above all answers."""
    if outcome.works:
        return _("The key works. Nothing is stored yet.")
    if outcome.report is None:
        return _("Nothing was tried or stored. See below.")
    if outcome.report.works:
        return _("The key works, and nothing was stored. See below.")
    return _("The connection does not work, and nothing was stored.")
