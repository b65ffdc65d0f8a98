"""What a table of people says: its columns, its cells, and rows that name one person. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from cakewalk.spreadsheets import as_entered
from directory.emails import email_key
from directory.progress import Progress, counted, silent
from directory.tabular import Row, Table
from directory.time_zones import day_in, time_zone_named

MAX_LENGTHS = {"email": 254, "name": 200, "department": 200, "title": 200, "employee_id": 100}
MAX_GROUP_LENGTH = 200
YES = {"true", "t", "yes", "y", "1", "on", "active"}
NO = {"false", "f", "no", "n", "0", "off", "inactive"}
SPREADSHEET_ERROR = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the file is not imported, and where. Without a row it speaks of the whole file."""

    row: int | None
    column: str | None
    detail: str

    def __str__(self) -> str:
        place = f"Row {self.row}" + (f", {self.column}" if self.column else "") if self.row else ""
        return f"{place}: {self.detail}" if place else self.detail

    def as_json(self) -> dict[str, Any]:
        return {"row": self.row, "column": self.column, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Entry:
    """One person as the file wants them. `values` has only what the file speaks of."""

    key: str
    rows: tuple[int, ...]
    values: dict[str, Any]

    @property
    def email(self) -> str:
        return str(self.values["email"])


@dataclass(slots=True)
class Reading:
    """The entries of a file, with everything wrong or odd about it."""

    rows: int = 0
    sha256: str = ""
    """Of the file that they are from."""
    columns: tuple[str, ...] = ()
    entries: list[Entry] = field(default_factory=list)
    unchanged_ids: frozenset[str] = frozenset()
    """External ids of people who are there, and of whom nothing more can be said."""
    warnings: list[str] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)


def read_people(table: Table, now: datetime, tell: Progress = silent) -> Reading:
    """Every row understood, or every error named. `now` decides which of several rows are in force."""
    reading = Reading(rows=len(table.rows), warnings=list(table.warnings))
    columns = _columns(table.header, reading.errors)
    if reading.errors:
        return reading
    reading.columns = tuple(filter(None, columns))
    by_person: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for row in counted(table.rows, "Checking the rows", tell):
        values = _values(row, columns, reading.errors)
        if "email" in values:
            by_person.setdefault(email_key(values["email"]), []).append((row.number, values))
    reading.entries = [_entry(key, rows, now) for key, rows in by_person.items()]
    for entry in reading.entries:
        if len(entry.rows) > 1:
            reading.warnings.append(
                f"Rows {listed(map(str, entry.rows))} name one person, {entry.email}, and were merged."
            )
    return reading


def listed(words: Iterable[str]) -> str:
    """`2, 5 and 9`"""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _columns(header: Row, errors: list[Problem]) -> list[str | None]:
    """The column each cell of a row belongs to; None for one without a heading."""
    known = {_bare(name): name for name in COLUMNS}
    columns = [known.get(_bare(heading)) for heading in header.cells]
    unknown = [
        heading for heading, column in zip(header.cells, columns, strict=True) if heading and not column
    ]
    if unknown:
        names = listed(repr(heading) for heading in unknown)
        errors.append(
            Problem(header.number, None, f"Unknown column {names}. The columns are {listed(COLUMNS)}.")
        )
    elif "email" not in columns:
        errors.append(Problem(header.number, "email", "There is no column 'email'; it names each person."))
    for column in COLUMNS:
        if columns.count(column) > 1:
            errors.append(Problem(header.number, column, f"There are two columns {column!r}."))
    return columns


def _bare(heading: str) -> str:
    """`Employee ID`, `employee-id` and `employee_id` are one heading."""
    return "".join(letter for letter in heading.casefold() if letter.isalnum())


def _values(row: Row, columns: Sequence[str | None], errors: list[Problem]) -> dict[str, Any]:
    """The row by column; what is wrong is left out and told."""
    values = {}
    if any(row.cells[len(columns) :]):
        errors.append(
            Problem(
                row.number, None, f"The row has {len(row.cells)} cells, but there are {len(columns)} columns."
            )
        )
    cells = [*row.cells, *[""] * (len(columns) - len(row.cells))]
    for column, cell in zip(columns, cells, strict=False):
        try:
            if column is None:
                _refuse_stray(cell)
            else:
                values[column] = COLUMNS[column](column, _tidy(cell))
        except ValueError as error:
            errors.append(Problem(row.number, column, str(error)))
    return values


def _refuse_stray(cell: str) -> None:
    if cell:
        raise ValueError(f"{shown(cell)} stands in a column without a heading.")


def _tidy(cell: str) -> str:
    """Text in NFC, without the line breaks and no-break spaces that spreadsheets leave in it, and without the
    mark by which an export keeps it from being computed.
    """
    text = " ".join((cell if cell.isascii() else unicodedata.normalize("NFC", cell)).split())
    if text.startswith("#") and SPREADSHEET_ERROR.fullmatch(text):
        raise ValueError(f"The cell holds the spreadsheet error {text}.")
    if not text.isprintable() and any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError(f"{shown(text)} contains a control character.")
    return as_entered(text)


def shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _text(column: str, cell: str) -> str:
    if len(cell) > MAX_LENGTHS[column]:
        raise ValueError(f"{shown(cell)} is longer than {MAX_LENGTHS[column]} characters.")
    return cell


def _email(column: str, cell: str) -> str:
    if not cell:
        raise ValueError("The e-mail is missing.")
    try:
        validate_email(cell)
    except ValidationError as error:
        raise ValueError(f"{shown(cell)} is not an e-mail address.") from error
    if max(len(cell), len(email_key(cell))) > MAX_LENGTHS["email"]:
        raise ValueError(f"{shown(cell)} is longer than {MAX_LENGTHS['email']} characters.")
    return cell


def _active(column: str, cell: str) -> bool | None:
    """None for an empty cell, which says nothing."""
    word = cell.casefold()
    if word and word not in YES | NO:
        raise ValueError(f"{shown(cell)} is neither true nor false.")
    return word in YES if word else None


def _date(column: str, cell: str) -> date | None:
    if not cell:
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", cell, re.ASCII):
        try:
            return date.fromisoformat(cell)
        except ValueError as error:
            raise ValueError(f"{cell} is no day of the calendar.") from error
    raise ValueError(f"{shown(cell)} is not a date; write it as 2026-01-31.")


def _time_zone(column: str, cell: str) -> str:
    name = time_zone_named(cell) if cell else ""
    if name is None:
        raise ValueError(f"{shown(cell)} is no time zone; write it as Europe/Berlin.")
    return name


def _parts(cell: str) -> list[str]:
    return [part for part in (part.strip() for part in cell.split(";")) if part]


def _groups(column: str, cell: str) -> tuple[str, ...]:
    names = once(_parts(cell), str.casefold)
    for name in names:
        if len(name) > MAX_GROUP_LENGTH:
            raise ValueError(f"{shown(name)} is longer than {MAX_GROUP_LENGTH} characters.")
    return names


def once(words: Iterable[str], key: Callable[[str], str]) -> tuple[str, ...]:
    """The words without repetition, each as first written."""
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(key(word), word)
    return tuple(first.values())


def _aliases(column: str, cell: str) -> tuple[str, ...]:
    return once([_email(column, part) for part in _parts(cell)], email_key)


COLUMNS: dict[str, Callable[[str, str], Any]] = {
    "email": _email,
    "name": _text,
    "active": _active,
    "groups": _groups,
    "aliases": _aliases,
    "department": _text,
    "title": _text,
    "employee_id": _text,
    "start_date": _date,
    "end_date": _date,
    "time_zone": _time_zone,
}


def _entry(key: str, rows: list[tuple[int, dict[str, Any]]], now: datetime) -> Entry:
    """One person out of the rows that name them: active if any row is, with what the active rows say."""
    if len(rows) == 1:  # as nearly always
        [(number, values)] = rows
        if values.get("active", True) is None:
            del values["active"]
        return Entry(key, (number,), values)
    return Entry(key, tuple(number for number, _ in rows), merged([values for _, values in rows], now))


def merged(all_values: Sequence[dict[str, Any]], now: datetime) -> dict[str, Any]:
    current = (
        [values for values in all_values if in_force(values, now)]
        or [values for values in all_values if values.get("active") is not False]
        or all_values
    )
    said = {column: [values[column] for values in current if column in values] for column in COLUMNS}
    together = {column: _merged(column, cells) for column, cells in said.items() if cells}
    if together.get("active", True) is None:
        del together["active"]
    return together


def in_force(values: dict[str, Any], now: datetime) -> bool:
    start, end = values.get("start_date"), values.get("end_date")
    if values.get("active") is False:
        return False
    if not (start or end):
        return True
    today = day_in(values.get("time_zone", ""), now)
    return bool((start or today) <= today <= (end or today))


def _merged(column: str, said: list[Any]) -> Any:
    match column:
        case "active":
            return next((value for value in (True, False) if value in said), None)
        case "groups":
            return once(chain.from_iterable(said), str.casefold)
        case "aliases":
            return once(chain.from_iterable(said), email_key)
        case "start_date":
            return min(said) if all(said) else None
        case "end_date":
            return max(said) if all(said) else None
        case _:
            return next((value for value in said if value), "")
