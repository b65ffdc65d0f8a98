"""In whose language and time zone a page is shown: as the viewer has chosen, else as their browser says.

Not Django's LocaleMiddleware: it knows no user, and leaves its language behind in the thread.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from cakewalk.models import User
from directory.time_zones import time_zone_named

TIME_ZONE_COOKIE = "time_zone"
"""Written by viewer.js, as no header says it."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def for_the_viewer(get_response: GetResponse) -> GetResponse:
    """A middleware, after the one that knows who is signed in."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        user = signed_in_user(request)
        language = (user and user.language) or translation.get_language_from_request(request)
        zone = time_zone_of(user, request.COOKIES.get(TIME_ZONE_COOKIE, ""))
        with translation.override(language), timezone.override(zone):
            response = get_response(request)
        patch_vary_headers(response, ["Accept-Language"])
        response.headers.setdefault("Content-Language", language)
        return response

    return answer


def signed_in_user(request: HttpRequest) -> User | None:
    """Asked for below /admin/ alone: what anybody may read knows no session, and is the same for all."""
    if not request.path_info.startswith("/admin/"):
        return None
    return request.user if isinstance(request.user, User) else None


def time_zone_of(user: User | None, said_by_browser: str) -> ZoneInfo:
    chosen = time_zone_named(user.time_zone) if user else None
    name = chosen or time_zone_named(said_by_browser) or timezone.get_default_timezone_name()
    return ZoneInfo(name)
