"""Whether every stored secret can be read with the present FERNET_KEYS, and its file by nobody else."""

import stat
from dataclasses import dataclass
from typing import Any

from django.core import checks
from django.db import DEFAULT_DB_ALIAS

from cakewalk import environment
from cakewalk.sealed import Column, Keys, Sealed, columns

MOUNTED = "/run/secrets/"
"""Where containers get theirs, readable for everybody inside."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row whose secret no key opens."""

    column: Column
    row: Sealed

    def __str__(self) -> str:
        return f"{self.column} of {self.column.name_of(self.row)}"


def unreadable(of_each: int = 20) -> list[Unreadable]:
    """Among the newest rows of each column. One query by primary key for each column, and some 50 µs of
    processor for each row: with the default, a few milliseconds, so that a probe may ask every few seconds.
    It needs the database. Naming a row (`str()`) costs a query more. `rekey --check` reads every row.
    """
    keys = Keys()
    return [
        Unreadable(column, row)
        for column in columns()
        for row in column.newest(of_each)
        if keys.place_of(row.token) is None
    ]


@checks.register(checks.Tags.database, deploy=True)
def check_secrets_can_be_read(databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """With `check --deploy --database default`: Django asks no database of its own accord."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    advice = "Put the key that wrote it back into FERNET_KEYS, or enter the secret again."
    return [
        checks.Error(f"No key in FERNET_KEYS opens {found}.", hint=advice, id="cakewalk.E002")
        for found in unreadable()
    ]


@checks.register(checks.Tags.security, deploy=True)
def check_files_of_secrets(**_: Any) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"{name}: {path} can be read by everybody on this machine.",
            hint=f"chmod o-rwx {path}",
            id="cakewalk.W001",
        )
        for name, path in environment.files_of_secrets.items()
        if not str(path).startswith(MOUNTED) and _is_open_to_all(path)
    ]


def _is_open_to_all(path: Any) -> bool:
    """What is no file, such as /dev/null, holds nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)
