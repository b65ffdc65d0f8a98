"""For how long a session holds: so long after its user's last deed, and so long in all.

Both ends are the session's own expiry date, which Django keeps to on every path; this only moves it on.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseBase

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User

SIGNED_IN_AT, SEEN_AT, PROVEN_AT = "signed_in_at", "seen_at", "proven_at"
MOVED_ON_AFTER = 60
"""Seconds: not with each page, or each would write."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def listen() -> None:
    user_logged_in.connect(_begin, dispatch_uid="sessions")


def _begin(*, request: HttpRequest | None, **_: Any) -> None:
    if request is not None:
        now = int(time.time())
        request.session.update({SIGNED_IN_AT: now, PROVEN_AT: now})
        move_on(request.session, now)


def move_on(session: SessionBase, now: int) -> None:
    session[SEEN_AT] = now
    ends = min(now + settings.SESSION_IDLE_SECONDS, session[SIGNED_IN_AT] + settings.SESSION_SECONDS)
    session.set_expiry(datetime.fromtimestamp(ends, tz=UTC))


def within_limits(get_response: GetResponse) -> GetResponse:
    """A middleware, after the one of sessions."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/admin/") and not _goes_by_itself(request):
            now = int(time.time())
            # A session of an earlier version knows nothing of this, and is moved on by nobody.
            if now - request.session.get(SEEN_AT, now) >= MOVED_ON_AFTER:
                move_on(request.session, now)
        return get_response(request)

    return answer


def _goes_by_itself(request: HttpRequest) -> bool:
    """A page that looks for news, open on a screen that nobody sits at."""
    return request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "empty"


def sign_out_everywhere(user: User, *, keep: HttpRequest | None = None) -> None:
    """Every session of theirs ends with its next request, but the one of `keep`."""
    with together():
        user.end_sessions()
        record(Verb.SIGNED_OUT_EVERYWHERE, user, facts={"but_here": True} if keep else None)
    if keep is not None:
        update_session_auth_hash(keep, user)
