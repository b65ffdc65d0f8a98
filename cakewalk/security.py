"""What browsers may do with our answers: a Content-Security-Policy for each, no features of the device, and
nothing kept unless the answer itself says so.

Every answer has the strictest policy: what is served outside /admin/ needs to do nothing for it. Pages below
/admin/ are made of the theme, and its Alpine evaluates the expressions in their attributes, so these pages,
and only these, may evaluate. No page may run a script, or apply a style, that stands in its own text.
"""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

STRICTEST: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
    "object-src": [NONE],
}
OF_THE_THEME: dict[str, Any] = {**STRICTEST, "script-src": [SELF, UNSAFE_EVAL]}

UNUSED = "camera display-capture geolocation microphone midi payment publickey-credentials-get serial usb"
PERMISSIONS = ", ".join(f"{feature}=()" for feature in UNUSED.split())


HEADERS = {
    "Permissions-Policy": PERMISSIONS,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Django's own middlewares set some of these, but not where an earlier one answers."""


class PolicyMiddleware(CSPMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        answer: HttpResponseBase = super().process_response(request, response)
        return answer

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None and _is_of_the_theme(request, response):
            parts.config = OF_THE_THEME
        return parts


def _is_of_the_theme(request: HttpRequest, response: HttpResponseBase) -> bool:
    found = request.resolver_match
    return bool(found and found.route.startswith("admin/") and response.status_code < 400)
