"""Who signs in. A model of our own from the first migration, so that it can grow."""

import secrets

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from directory.time_zones import validate_time_zone


class User(AbstractUser):
    """An operator, approver or auditor, by their groups. (A person of the directory is something else.)"""

    language = models.CharField(_("language"), max_length=10, blank=True, choices=settings.LANGUAGES)
    time_zone = models.CharField(_("time zone"), max_length=50, blank=True, validators=[validate_time_zone])
    """In which they see pages. Empty: as their browser says."""

    def renew_password(self) -> str:
        """Give them a password that nobody knows yet; the only time its text is known."""
        password = secrets.token_urlsafe(12)
        self.set_password(password)
        self.save()
        return password
