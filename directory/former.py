"""Addresses that people had once, so that whoever types one finds them: kept as their history is written."""

from collections.abc import Iterable, Mapping
from typing import Any

from directory.bulk import BATCH
from directory.emails import email_key
from directory.models import FormerEmail


def left(fields: Mapping[str, Any]) -> set[str]:
    """The addresses that a revision takes from a person, in the form in which they are compared."""
    old, new = (
        {
            email_key(address)
            for column in ("email", "aliases")
            for address in _addresses(fields, column, side)
        }
        for side in (0, 1)
    )
    return old - new


def _addresses(fields: Mapping[str, Any], column: str, side: int) -> Iterable[str]:
    said = fields.get(column, (None, None))[side] or ()
    return [said] if isinstance(said, str) else said


def remember(revisions: Iterable[tuple[int | None, Mapping[str, Any]]]) -> None:
    """`revisions`: of whom, and what of them is another now. In the transaction that writes them."""
    said = ((pk or 0, key) for pk, fields in revisions for key in sorted(left(fields)))
    rows = [FormerEmail(person_id=pk, key=key) for pk, key in said]
    FormerEmail.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
