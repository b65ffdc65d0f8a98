"""Addresses for whoever is not on a page: in mails, chats and messages to other programs."""

from django.conf import settings


def base() -> str:
    """Where staff reach Cakewalk, without a slash at the end: as PUBLIC_URL says, else whence forms come."""
    origins = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin]
    found = settings.PUBLIC_URL or next(iter(origins), f"http://localhost:{settings.PORT}")
    return str(found).rstrip("/")


def absolute(path: str) -> str:
    return f"{base()}{path}"
