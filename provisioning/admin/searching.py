"""Searching a million rows: by how an address begins, which an index can answer in every database."""

from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Lower

from provisioning.models import Action

LAST = "\U0010ffff"


def address_begins(actions: QuerySet[Action], text: str) -> QuerySet[Action]:
    """The actions whose address begins so, whatever its case.

    PostgreSQL has an index for such a LIKE (action_email_begins). SQLite uses one for a range alone.
    """
    wanted = text.strip().lower()
    lowered: QuerySet[Any] = actions.alias(lowered=Lower("email"))
    found = lowered.filter(lowered__startswith=wanted)
    if connection.vendor == "sqlite":
        found = found.filter(lowered__gte=wanted, lowered__lt=wanted + LAST)
    return found
