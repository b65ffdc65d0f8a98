"""What matters most is done by those who have shown lately who they are; others are asked first.

Any way of signing in shows it, and so does the page `confirm`. Nothing that was sent is kept meanwhile, as it
may be a key.
"""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from cakewalk.signing_in.sessions import PROVEN_AT

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

View = TypeVar("View", bound=Callable[..., Any])


def is_recent(request: HttpRequest) -> bool:
    shown = request.session.get(PROVEN_AT, 0)
    return bool(0 <= time.time() - shown < settings.REAUTHENTICATE_SECONDS)


def prove(request: HttpRequest) -> None:
    request.session[PROVEN_AT] = int(time.time())


def where_to_confirm(request: HttpRequest) -> str:
    """The page that asks, which leads back: to the same page, or to where a button was pressed."""
    late = request.method not in ("GET", "HEAD")
    back = _whence(request) if late else request.get_full_path()
    return f"{reverse('confirm')}?{urlencode({'next': back} | ({'late': '1'} if late else {}))}"


def ask(request: HttpRequest) -> HttpResponseBase | None:
    """Nothing where they have shown it."""
    if is_recent(request):
        return None
    page = where_to_confirm(request)
    if request.headers.get("HX-Request"):  # from a dialog of the theme, into which the page would be put
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)


def proven(view: View) -> View:
    """For a view, or a method of a ModelAdmin that is one."""

    @functools.wraps(view)
    def asked(*args: Any, **kwargs: Any) -> Any:
        request = next(one for one in args if isinstance(one, HttpRequest))
        return ask(request) or view(*args, **kwargs)

    return asked  # type: ignore[return-value]


class ProvenChanges(Base):
    """For a ModelAdmin whose rows are changed by such people only. Before the others among its bases."""

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        may = self.has_change_permission(request) if object_id else self.has_add_permission(request)
        asked = ask(request) if may else None
        return asked or super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        return ask(request) or super().delete_view(request, object_id, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        asked = ask(request) if request.method == "POST" else None
        return asked or super().changelist_view(request, extra_context)


def _whence(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    if not is_ours(page, request):
        return reverse("admin:index")
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def is_ours(address: str, request: HttpRequest) -> bool:
    """Whether an address may be led to: of this host, and no other's."""
    return url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
