"""Who signs in. A model of our own from the first migration, so that it can grow."""

import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import said_of
from cakewalk.ledger.verbs import Verb
from directory.time_zones import validate_time_zone


class Users(UserManager["User"]):
    def create_superuser(self, *args: Any, **fields: Any) -> "User":
        """Somebody who may do everything: no page makes one, so that it is written down here."""
        with together():
            user = super().create_superuser(*args, **fields)
            record(Verb.ADDED, user, after=said_of(user), email=user.email)
        return user


class User(AbstractUser):
    """An operator, approver or auditor, by their groups. (A person of the directory is something else.)"""

    language = models.CharField(_("language"), max_length=10, blank=True, choices=settings.LANGUAGES)
    time_zone = models.CharField(_("time zone"), max_length=50, blank=True, validators=[validate_time_zone])
    """In which they see pages. Empty: as their browser says."""

    objects: ClassVar[Users] = Users()

    def save(self, **kwargs: Any) -> None:
        """In one transaction with what is written down of a new password: see cakewalk/signing_in.py."""
        with together():
            super().save(**kwargs)

    def renew_password(self) -> str:
        """Give them a password that nobody knows yet; the only time its text is known."""
        password = secrets.token_urlsafe(12)
        self.set_password(password)
        self.save()
        return password
