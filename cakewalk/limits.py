"""How large a request may be. Larger ones are answered before a byte of them is kept."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from cakewalk.proxies import Answering


class LargestBody:
    """A middleware, before that of forms, which takes in whatever is sent: files, too, and of anybody.

    What is sent without a length is not read at all, by Django.
    """

    def __init__(self, get_response: Answering) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        largest = settings.LARGEST_BODIES.get(name, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if largest is None or _length(request) <= largest:
            return None
        return render(request, "413.html", {"largest": largest}, status=413)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
