"""What a row says, field by field, for the ledger: plain values, and of a secret only which one it is."""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils import translation

from cakewalk.encryption import DecryptionError, EncryptedTextField, Secret

Fields = Mapping[str, Any]

SECRET_NAMES = ("password",)
SECRET_ENDS = ("_digest", "_hash")


def said_of(row: models.Model) -> dict[str, Any]:
    """Every field of its own, relations by what they are called."""
    with translation.override("en"):  # the record is English, whoever looks on
        return {
            field.name: _value(row, field) for field in row._meta.concrete_fields if not field.primary_key
        } | {
            field.name: sorted(str(other) for other in getattr(row, field.name).all())
            for field in row._meta.many_to_many
        }


def stored(row: models.Model) -> dict[str, Any]:
    """What its row in the database says now; empty where there is none."""
    found = fresh(row._meta.model, row.pk) if row.pk else None
    return said_of(found) if found else {}


def fresh(model: type[models.Model], pk: Any) -> models.Model | None:
    """The row as the database has it now. A secret is not read with it, for without its key it cannot be."""
    secrets = [field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)]
    return model._base_manager.defer(*secrets).filter(pk=pk).first()


def differences(before: Fields, after: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides, of what differs only."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )


def _value(row: models.Model, field: "models.Field[Any, Any]") -> Any:
    if isinstance(field, EncryptedTextField):
        return _fingerprint(row, field)
    value = getattr(row, field.name)
    if field.name in SECRET_NAMES or field.name.endswith(SECRET_ENDS):
        return str(Secret(value)) if value else value
    return str(value) if isinstance(value, models.Model) else value


def _fingerprint(row: models.Model, field: EncryptedTextField) -> str | None:
    try:
        secret = getattr(row, field.name)
    except DecryptionError:
        return "unreadable"
    return None if secret is None else str(secret if isinstance(secret, Secret) else Secret(secret))
