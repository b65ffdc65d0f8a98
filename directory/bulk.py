"""Many rows at once, as fast as the database takes them."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

Item = TypeVar("Item")

BATCH = 500
PLAIN = (str, int, bool)
"""What both databases take as it is."""
MOST_PARAMETERS = 900
"""In one statement: SQLite may take no more than 999."""


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In portions that every database takes in one statement."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def insert(
    model: type[Model], columns: tuple[str, ...], rows: list[tuple[Any, ...]], *, update: tuple[str, ...] = ()
) -> list[int]:
    """Answers with the ids, in the order of the rows. bulk_create says the same, but makes an object of each
    row and asks each field about each value, which takes most of the time of an import. `update`: the columns
    that change in rows that are there.
    """
    if connection.vendor == "postgresql" and not update:
        return _copy(model, columns, rows)
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    into = _table(model, columns)
    quoted = connection.ops.quote_name
    one = f"({', '.join(['%s'] * len(columns))})"
    changes = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in update)
    end = f"ON CONFLICT (id) DO UPDATE SET {changes} RETURNING id" if update else "RETURNING id"
    size = MOST_PARAMETERS // len(columns)
    ids: list[int] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            values = [value for row in part for value in _prepared(fields, row)]
            cursor.execute(f"INSERT INTO {into} VALUES {', '.join([one] * len(part))} {end}", values)  # noqa: S608 - the names are ours
            ids += [number for (number,) in cursor.fetchall()]
    return ids


def _copy(model: type[Model], columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[int]:
    """New rows as PostgreSQL takes them fastest. It tells no ids, which are therefore drawn before."""
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    draw = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    with connection.cursor() as cursor:
        cursor.execute(draw, [model._meta.db_table, len(rows)])
        ids = [number for (number,) in cursor.fetchall()]
        with cursor.copy(f"COPY {_table(model, ('id', *columns))} FROM STDIN") as copy:
            for number, row in zip(ids, rows, strict=True):
                copy.write_row((number, *_prepared(fields, row)))
    return ids


def _table(model: type[Model], columns: tuple[str, ...]) -> str:
    quoted = connection.ops.quote_name
    return f"{quoted(model._meta.db_table)} ({', '.join(map(quoted, columns))})"


def _prepared(fields: list[Any], row: tuple[Any, ...]) -> Iterator[Any]:
    """The values as the database takes them."""
    return (
        value if type(value) in PLAIN else field.get_db_prep_save(value, connection)
        for field, value in zip(fields, row, strict=True)
    )
