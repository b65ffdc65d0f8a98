"""Signing in with a password that is kept here."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest


class PasswordBackend(ModelBackend):
    """Where passwords are off it lets nobody in, and sessions that began with one end."""

    def authenticate(self, request: HttpRequest | None, **typed: Any) -> Any:  # type: ignore[override]
        return super().authenticate(request, **typed) if settings.LOCAL_PASSWORDS else None

    def get_user(self, user_id: Any) -> Any:
        return super().get_user(user_id) if settings.LOCAL_PASSWORDS else None
