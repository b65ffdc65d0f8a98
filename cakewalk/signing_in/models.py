"""A user's second factor: an authenticator, whose key is stored encrypted, and codes for when it is lost."""

import secrets
import time
from base64 import b32encode
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from cakewalk.encryption import EncryptedTextField
from cakewalk.models import User

DIGITS, STEP, TOLERANCE = 6, 30, 1
"""What every app knows; and a clock may go wrong by one step of so many seconds."""
CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is mistaken for something else."""


def new_key() -> str:
    return secrets.token_hex(20)


class Authenticator(ThrottlingMixin, Device):  # type: ignore[misc]
    """An app that shows a new code every 30 seconds (RFC 6238), as django-otp knows it.

    Not django-otp's own model: that one keeps the key as it is, for whoever reads the database.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = EncryptedTextField(default=new_key)
    last_step = models.BigIntegerField(default=-1)
    """Of the last code that was taken: neither it nor an older one is taken again."""
    confirmed_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["Authenticator"]] = models.Manager()

    class Meta:
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user"], name="one_authenticator_each")]

    def verify_token(self, token: str) -> bool:
        """Under a lock of its row, so that of two who send one code at once only one is taken."""
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(self._key(), STEP, 0, DIGITS)
        totp.time = time.time()
        right = token.isascii() and token.isdecimal() and len(token) == DIGITS
        if right and totp.verify(int(token), TOLERANCE, self.last_step + 1):
            self.last_step = totp.t()
            self.throttle_reset(commit=False)
            self.save(update_fields=["last_step", "throttling_failure_timestamp", "throttling_failure_count"])
            return True
        self.throttle_increment()
        return False

    def get_throttle_factor(self) -> int:
        """One second after the first failure, then two, four, eight."""
        return 1

    def address(self) -> str:
        """What its QR code says."""
        said = {"secret": self.typed_key(), "issuer": "Cakewalk", "digits": DIGITS, "period": STEP}
        return f"otpauth://totp/{quote(f'Cakewalk:{self.user.get_username()}')}?{urlencode(said)}"

    def typed_key(self) -> str:
        return b32encode(self._key()).decode()

    def _key(self) -> bytes:
        return bytes.fromhex(self.key.reveal())


class BackupCode(models.Model):
    """Taken once in place of the authenticator's code. Only a keyed digest of it is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="backup_codes")
    code_digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "code_digest"], name="backup_code_once_each")
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @staticmethod
    def renew(user: User) -> list[str]:
        """New ones in place of all others; the only time that they are known."""
        codes = [_random_code() for _number in range(CODES)]
        user.backup_codes.all().delete()
        BackupCode.objects.bulk_create([BackupCode(user=user, code_digest=digest_of(code)) for code in codes])
        return codes

    @staticmethod
    def use(user: User, typed: str) -> bool:
        unused = BackupCode.objects.filter(user=user, code_digest=digest_of(typed), used_at=None)
        return unused.update(used_at=timezone.now()) == 1


class Identity(models.Model):
    """As whom a provider knows a user. It gives a subject to nobody else ever, unlike a name or an e-mail."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_user_for_a_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


def _random_code() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _place in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def digest_of(code: str) -> str:
    """Fifty random bits behind a key: nobody guesses that, so it need not be slow."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return salted_hmac("cakewalk.signing_in.backup_code", plain, algorithm="sha256").hexdigest()


def authenticator_of(user: Any, *, locked: bool = False) -> Authenticator | None:
    """The one they have set up, if they have."""
    rows = Authenticator.objects.filter(user=user, confirmed=True)
    return (rows.select_for_update(of=("self",)) if locked else rows).first()
