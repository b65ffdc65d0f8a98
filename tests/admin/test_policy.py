"""What browsers are told they may do. That no page wants more is seen in test_every_page.py."""

import pytest
from django.test import Client

STRICTEST = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}
OF_THE_THEME = STRICTEST - {"script-src 'self'"} | {"script-src 'self' 'unsafe-eval'"}


@pytest.mark.parametrize(
    ("address", "status", "policy"),
    [
        ("/admin/", 200, OF_THE_THEME),
        ("/admin/login/", 302, OF_THE_THEME),
        ("/admin/integrations/", 200, OF_THE_THEME),
        ("/admin/nowhere/", 404, STRICTEST),
        ("/nowhere", 404, STRICTEST),
        ("/", 302, STRICTEST),
        ("/scim/v2/Users", 401, STRICTEST),
    ],
)
def test_only_what_is_made_of_the_theme_may_evaluate(
    clients: dict[str, Client], address: str, status: int, policy: set[str]
) -> None:
    answer = clients["superuser"].get(address)

    assert (answer.status_code, set(answer["Content-Security-Policy"].split("; "))) == (status, policy)
    assert "camera=(), " in answer["Permissions-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"
