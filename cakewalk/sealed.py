"""Every encrypted column of every model, as it stands in the database, and which key opens what is in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.functions import Cast
from django.utils.text import capfirst
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import EncryptedTextField, ciphers
from cakewalk.ledger.saying import fresh

AT_A_TIME = 500
"""Rows that are in memory together."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one row has in the column, encrypted."""

    pk: Any
    token: str


@dataclass(frozen=True, slots=True)
class Column:
    model: type[models.Model]
    field: EncryptedTextField

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field.name}"

    def rows(self) -> Iterator[Sealed]:
        """All of them, in the order of their keys, so that what is added meanwhile comes, too."""
        last: Any = None
        while found := self._after(last):
            yield from found
            last = found[-1].pk

    def newest(self, number: int) -> list[Sealed]:
        return self._read(self._stored().order_by("-pk")[:number])

    def replace(self, row: Sealed) -> bool:
        """Encrypt it anew. False where it is not there any more as it was read: nothing is overwritten that
        a worker, a rotation or somebody at a page has stored meanwhile.
        """
        same = self._stored().filter(pk=row.pk, token=row.token)
        return same.update(**{self.field.name: self.field.decrypted(row.token)}) == 1

    def name_of(self, row: Sealed) -> str:
        """As people know it, with its number."""
        found = fresh(self.model, row.pk)
        return f"{capfirst(self.model._meta.verbose_name)} {row.pk}" + (f" ({found})" if found else "")

    def _stored(self) -> "models.QuerySet[Any]":
        """With the text of the column itself, which is not decrypted."""
        token = Cast(self.field.name, output_field=models.TextField())
        rows: models.QuerySet[Any] = self.model._base_manager.annotate(token=token)
        return rows.filter(**{f"{self.field.name}__isnull": False})

    def _after(self, last: Any) -> list[Sealed]:
        rows = self._stored() if last is None else self._stored().filter(pk__gt=last)
        return self._read(rows.order_by("pk")[:AT_A_TIME])

    def _read(self, rows: "models.QuerySet[Any]") -> list[Sealed]:
        return [Sealed(pk, token) for pk, token in rows.values_list("pk", "token")]


def columns() -> list[Column]:
    """Found by themselves, so that a new one cannot be forgotten."""
    return sorted(
        (
            Column(model, field)
            for model in apps.get_models(include_auto_created=True)
            if not model._meta.proxy and model._meta.managed
            for field in model._meta.local_concrete_fields
            if isinstance(field, EncryptedTextField)
        ),
        key=str,
    )


class Keys:
    """FERNET_KEYS, asked which of them opens something."""

    def __init__(self, keys: Sequence[str] | None = None) -> None:
        self._ciphers = ciphers(settings.FERNET_KEYS if keys is None else keys)

    @sensitive_variables()
    def place_of(self, token: str) -> int | None:
        """0 is the newest. None where no key opens it."""
        for place, cipher in enumerate(self._ciphers):
            try:
                cipher.decrypt(token.encode())
            except InvalidToken:
                continue
            return place
        return None
