"""Who signs in. A model of our own from the first migration, so that it can grow."""

import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import said_of
from cakewalk.ledger.verbs import Verb
from directory.time_zones import validate_time_zone

KEY_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
"""Django's own, so that sessions outlive the upgrade."""


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

    sign_outs = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    """How often all their sessions were ended."""

    objects: ClassVar[Users] = Users()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """A session holds while this stays what it was: until there is a new password, or all are ended."""
        lasting = f"{self.password}/{self.sign_outs}" if self.sign_outs else self.password
        return salted_hmac(KEY_SALT, lasting, secret=secret, algorithm="sha256").hexdigest()

    def end_sessions(self) -> None:
        User.objects.filter(pk=self.pk).update(sign_outs=models.F("sign_outs") + 1)
        self.refresh_from_db(fields=["sign_outs"])

    def save(self, **kwargs: Any) -> None:
        """In one transaction with what is written down of a new password: see signing_in/recorded.py."""
        with together():
            super().save(**kwargs)

    def renew_password(self) -> str:
        """Give them a password that nobody knows yet; the only time its text is known."""
        password = secrets.token_urlsafe(12)
        self.set_password(password)
        self.save()
        return password
