"""Rows of text out of a CSV or Excel file, numbered as the spreadsheet numbers them. No database."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from directory.cells import LONGEST_CELL, MAX_COLUMNS, Unreadable
from directory.progress import Progress, silent

if TYPE_CHECKING:
    from directory.workbook import Sheet

MAX_FILE_BYTES = 30 * 1024 * 1024
MAX_ROWS = 200_000
LONGEST_LINE = MAX_COLUMNS * LONGEST_CELL
EXCEL_LAST_ROW = 1_048_576
MARKUP = re.compile(r"\s*<(\?xml|!doctype|!--|html|head|body|meta|table|style)\b", re.IGNORECASE)
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?\r?\n?', re.IGNORECASE)
OLD_ENCODING = "The file is not UTF-8 and was read as Windows-1252. Check the accents in its names."


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The first row that holds anything, and those after it that do."""

    header: Row
    rows: tuple[Row, ...]
    warnings: tuple[str, ...] = ()


def read_table(content: bytes, tell: Progress = silent) -> Table:
    """What the file is, is judged by its content; its name proves nothing. Raises Unreadable."""
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"The file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB.")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(
            "The file has a password or is in the old .xls format. Save it as .xlsx without a password."
        )
    if content.startswith(b"PK"):
        # openpyxl takes a fifth of a command's start, and few of them read a workbook
        from directory.workbook import first_sheet  # noqa: PLC0415

        sheet = first_sheet(content, tell)
        return _table(_excel_rows(sheet), _ignored(sheet))
    text, warnings = _decode(content)
    return _table(_csv_rows(text), warnings)


def _table(rows: Iterable[Row], warnings: list[str]) -> Table:
    filled: list[Row] = []
    for row in rows:
        if any(row.cells):
            filled.append(row)
        if len(filled) > MAX_ROWS + 1:
            raise Unreadable(f"The file has more than {MAX_ROWS:,} rows. Split it.")
    if not filled:
        raise Unreadable("The file is empty. Its first row must name the columns.")
    return Table(filled[0], tuple(filled[1:]), tuple(warnings))


def _decode(content: bytes) -> tuple[str, list[str]]:
    """Text as spreadsheets write it: UTF-16 with its mark, UTF-8 with or without, else Windows-1252."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise Unreadable("The file is not a table: it holds binary data. Save it as CSV or .xlsx.")
        if MARKUP.match(text):
            raise Unreadable(
                "The file is HTML or XML, as some programs export it under the name of a spreadsheet. Open "
                "it in a spreadsheet, and save it as CSV or .xlsx."
            )
        return text, [OLD_ENCODING] if encoding == "cp1252" else []
    raise Unreadable("The file is not text: neither UTF-8, UTF-16 nor Windows-1252.")


def _csv_rows(text: str) -> Iterator[Row]:
    # Excel takes the separator from such a line and shows the one after it as the first row.
    said = SEPARATOR_LINE.match(text)
    separator = said[1] if said else _separator(text)
    lines = _lines(text[said.end() :] if said else text)
    # Strict, so that a quotation mark that is never closed does not swallow the rest of the file.
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if len(cells) > MAX_COLUMNS and any(cells[MAX_COLUMNS:]):
                raise Unreadable(f"Row {number} has more than {MAX_COLUMNS} columns.")
            yield Row(number, tuple(map(str.strip, cells[:MAX_COLUMNS])))
    except csv.Error as error:
        raise Unreadable(f"Row {number + 1} is not valid CSV: {error}.") from error


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > LONGEST_LINE:
            raise Unreadable(f"Line {number} has more than {LONGEST_LINE:,} characters.")
        yield line


def _separator(text: str) -> str:
    """The header names columns and nothing else, so what stands most often in it is what separates them."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _excel_rows(sheet: "Sheet") -> Iterator[Row]:
    for number, cells in sheet.rows:
        if number > EXCEL_LAST_ROW:
            raise Unreadable(f"The file has more than {MAX_ROWS:,} rows. Split it.")
        yield Row(number, cells)


def _ignored(sheet: "Sheet") -> list[str]:
    names = ", ".join(map(repr, sheet.others))
    return [f"Only the first visible sheet was read, not {names}."] if names else []
