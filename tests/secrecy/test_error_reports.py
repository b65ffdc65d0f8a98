"""What a report of an error shows is no more with DEBUG on than off."""

import secrets
import sys
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

HIDDEN = secrets.token_hex(12)


@sensitive_variables("key")
def fails() -> None:
    key = HIDDEN
    raise ValueError(len(key))


def report(request: Any) -> str:
    try:
        fails()
    except ValueError:
        reporter = ExceptionReporter(request, *sys.exc_info())
        return f"{reporter.get_traceback_html()}\n{reporter.get_traceback_text()}"
    raise AssertionError


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("name", ["DATABASE_URL", "CELERY_BROKER_URL", "EMAIL_URL", "FERNET_KEYS"])
def test_neither_a_variable_nor_a_cookie_nor_a_password_in_an_address_is_shown(settings, debug, name):
    settings.DEBUG = debug
    settings.CELERY_BROKER_URL = f"redis://:{HIDDEN}@localhost"
    request = RequestFactory().get("/")
    request.META[name] = f"redis://:{HIDDEN}@localhost"
    request.COOKIES["sessionid"] = HIDDEN
    shown = report(request)
    assert "test_error_reports.py" in shown
    assert HIDDEN not in shown
