"""Who signs in. A model of our own from the first migration, so that it can grow."""

import secrets

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """An operator, approver or auditor, by their groups. (A person of the directory is something else.)"""

    def renew_password(self) -> str:
        """Give them a password that nobody knows yet; the only time its text is known."""
        password = secrets.token_urlsafe(12)
        self.set_password(password)
        self.save()
        return password
