"""The floors: loops that do the bare minimum of what a part measures, each in a process of its own.

`python -m tests.bench.bare import FILE DATABASE_URL` · `python -m tests.bench.bare ledger DATABASE_URL`
"""

import csv
import hashlib
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

Row = tuple[Any, ...]


def bare_import(file: str, database_url: str) -> None:
    """Every row of a file becomes a row of a table, in one transaction."""
    rows = iter(_csv(file) if file.endswith(".csv") else _xlsx(file))
    columns = len(next(rows))
    names = ", ".join(f"c{number} text" for number in range(columns))
    with closing(_connect(database_url)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE TEMPORARY TABLE bare ({names})")
        mark = "%s" if isinstance(connection, psycopg.Connection) else "?"
        cursor.executemany(f"INSERT INTO bare VALUES ({', '.join([mark] * columns)})", rows)  # noqa: S608
        connection.commit()


def _csv(file: str) -> Iterator[Row]:
    with Path(file).open(newline="", encoding="utf-8") as opened:
        yield from map(tuple, csv.reader(opened))


def _xlsx(file: str) -> Iterable[Row]:
    import openpyxl  # noqa: PLC0415 - the floor of the others does not pay for it

    book = openpyxl.load_workbook(file, read_only=True)
    return book.worksheets[0].iter_rows(values_only=True)


def bare_ledger(database_url: str) -> None:
    """Every entry is read, and what it holds hashed."""
    with closing(_connect(database_url)) as connection:
        cursor = (
            connection.cursor("bare") if isinstance(connection, psycopg.Connection) else connection.cursor()
        )
        cursor.execute("SELECT * FROM ledger_entry ORDER BY seq")
        while some := cursor.fetchmany(1_000):
            for row in some:
                hashlib.sha256("\0".join(map(str, row)).encode()).digest()


def _connect(database_url: str) -> Any:
    if database_url.startswith("sqlite:///"):
        return sqlite3.connect(database_url.removeprefix("sqlite:///"))
    return psycopg.connect(database_url)


if __name__ == "__main__":
    if sys.argv[1] == "import":
        bare_import(*sys.argv[2:])
    else:
        bare_ledger(*sys.argv[2:])
