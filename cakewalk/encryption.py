"""Secrets at rest: a text column encrypted with Fernet, read back as a value that hides itself.

The token format is plain Fernet (https://github.com/fernet/spec); FERNET_KEYS holds the keys, newest first.
docs/decisions/0001 says why this is not django-fernet-fields.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.db.models.functions import Cast
from django.views.decorators.debug import sensitive_variables

if TYPE_CHECKING:
    _TextField = models.TextField["Secret | str", "Secret"]
else:
    _TextField = models.TextField


class DecryptionError(Exception):
    """No key of FERNET_KEYS opens this column. Restore the key that wrote it, or enter the secret again."""


class Secret:
    """A secret in memory. Printing, formatting and comparing in templates show only a fingerprint."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    @property
    def fingerprint(self) -> str:
        """Which secret it is, for this installation alone: without DJANGO_SECRET_KEY, nobody can try out
        passwords by what stands in a dump.
        """
        key = hashlib.blake2s(settings.SECRET_KEY.encode()).digest()
        return hashlib.blake2s(self._text.encode(), digest_size=4, key=key, person=b"cakewalk").hexdigest()

    def __str__(self) -> str:
        return f"•••••••• ({self.fingerprint})"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> Any:
        raise TypeError("A Secret is never pickled: it must not travel in a task or a cache.")


def fernet(keys: Sequence[str] | None = None) -> MultiFernet:
    """The cipher of FERNET_KEYS. Raises ImproperlyConfigured, naming the setting and the key's place."""
    return MultiFernet(ciphers(settings.FERNET_KEYS if keys is None else keys))


def ciphers(keys: Sequence[str]) -> list[Fernet]:
    """One for each key, in their order; only the first encrypts. Raises ImproperlyConfigured."""
    if not keys:
        raise ImproperlyConfigured("FERNET_KEYS is empty: it needs at least one key.")
    made = []
    for place, key in enumerate(keys, start=1):
        try:
            made.append(Fernet(key))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"FERNET_KEYS, key {place} of {len(keys)}: not a Fernet key (32 bytes, URL-safe base64)."
            ) from error
    return made


def key_fingerprint(key: str) -> str:
    """Which key it is, for people who compare lists of keys. Nothing of the key follows from it."""
    return hashlib.blake2s(key.encode(), digest_size=4, person=b"fernetky").hexdigest()


class EncryptedTextField(_TextField):
    """Text encrypted in its column and read back as a `Secret`. Only `isnull` can be looked up."""

    @sensitive_variables("value", "text")
    def get_prep_value(self, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Secret | str):
            raise TypeError(f"{self.model.__name__}.{self.name} takes a text or a Secret.")
        text = value.reveal() if isinstance(value, Secret) else value
        return fernet().encrypt(text.encode()).decode("ascii")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if not hasattr(value, "as_sql"):
            return super().get_db_prep_save(value, connection)
        if not self._encrypts_all_of(value):
            raise FieldError(f"{self.model.__name__}.{self.name} cannot be set from an expression.")
        return value

    def _encrypts_all_of(self, expression: Any) -> bool:
        """What bulk_update() hands over: cases of values which this field prepares, cast on PostgreSQL.

        Any other expression would be stored as it is.
        """
        cases = expression.get_source_expressions()[0] if isinstance(expression, Cast) else expression
        if not isinstance(cases, models.Case):
            return False
        *whens, default = cases.get_source_expressions()
        results = [when.result for when in whens]
        ours = all(
            isinstance(result, models.Value) and getattr(result, "_output_field_or_none", None) is self
            for result in results
        )
        return ours and default == models.Value(None)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        return None if value is None else self.decrypted(value)

    def decrypted(self, token: str) -> Secret:
        """Raises DecryptionError."""
        try:
            return Secret(fernet().decrypt(token.encode()).decode())
        except InvalidToken as error:
            raise DecryptionError(
                f"{self.model.__name__}.{self.name} cannot be decrypted: "
                "no key in FERNET_KEYS wrote it. Restore that key, or enter the secret again."
            ) from error

    def value_to_string(self, obj: models.Model) -> str:
        """Serialized as its ciphertext, so that a dump holds no secret."""
        return f"fernet:{self.get_prep_value(self.value_from_object(obj))}"

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("fernet:"):
            return self.decrypted(value.removeprefix("fernet:"))
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted; {lookup_name} cannot be looked up.")
        return super().get_lookup(lookup_name)


@checks.register(checks.Tags.security)
def check_fernet_keys(**_: Any) -> list[checks.CheckMessage]:
    try:
        fernet()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="cakewalk.E001")]
    return []
