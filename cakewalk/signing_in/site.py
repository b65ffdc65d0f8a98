"""The admin site, with a way in of our own."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from cakewalk.theme import UnfoldAdminSite


class Site(UnfoldAdminSite):  # type: ignore[misc]
    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from cakewalk.signing_in.entering import sign_in  # noqa: PLC0415 - that needs this site

        return sign_in(request)
