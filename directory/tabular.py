"""Rows of text out of a CSV or Excel file, numbered as the spreadsheet numbers them. No database."""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import openpyxl

MAX_FILE_BYTES = 30 * 1024 * 1024
MAX_UNPACKED_BYTES = 300 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 50
EXCEL_LAST_ROW = 1_048_576
OLD_ENCODING = "The file is not UTF-8 and was read as Windows-1252. Check the accents in its names."


class Unreadable(Exception):
    """The file is no table that we can read; the message says why, in a sentence."""


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


def read_table(content: bytes) -> Table:
    """What the file is, is judged by its content; its name proves nothing. Raises Unreadable."""
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"The file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB.")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(
            "The file has a password or is in the old .xls format. Save it as .xlsx without a password."
        )
    if content.startswith(b"PK"):
        return _table(*_excel_rows(content))
    text, warnings = _decode(content)
    return _table(_csv_rows(text), warnings)


def _table(rows: Iterable[Row], warnings: list[str]) -> Table:
    filled: list[Row] = []
    for row in rows:
        if len(row.cells) > MAX_COLUMNS and any(row.cells[MAX_COLUMNS:]):
            raise Unreadable(f"Row {row.number} has more than {MAX_COLUMNS} columns.")
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
        return text, [OLD_ENCODING] if encoding == "cp1252" else []
    raise Unreadable("The file is not text: neither UTF-8, UTF-16 nor Windows-1252.")


def _csv_rows(text: str) -> Iterator[Row]:
    # Strict, so that a quotation mark that is never closed does not swallow the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield Row(number, tuple(cell.strip() for cell in cells))
    except csv.Error as error:
        raise Unreadable(f"Row {number + 1} is not valid CSV: {error}.") from error


def _delimiter(text: str) -> str:
    """The header names columns and nothing else, so what stands most often in it is what separates them."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _excel_rows(content: bytes) -> tuple[list[Row], list[str]]:
    try:
        _refuse_bomb(content)
        rows, formulas, warnings = _first_sheet(content, computed=False)
        if formulas:
            rows = _with_results(rows, _first_sheet(content, computed=True)[0], formulas)
    except Unreadable:
        raise
    except Exception as error:  # openpyxl meets a broken file with whatever it stumbles over
        raise Unreadable("The file is not a readable Excel workbook. Save it as .xlsx again.") from error
    return rows, warnings


def _refuse_bomb(content: bytes) -> None:
    # The sizes are the archive's own word, but zipfile never unpacks more than they promise.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
            raise Unreadable(
                f"The workbook unpacks to more than {MAX_UNPACKED_BYTES // 1024 // 1024} MB. Split it."
            )


def _first_sheet(content: bytes, *, computed: bool) -> tuple[list[Row], set[tuple[int, int]], list[str]]:
    """The rows of the first sheet, and where formulas are. `computed`: formulas by their results."""
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=computed)
    if not book.worksheets:
        raise Unreadable("The workbook has no sheet with cells.")
    sheet, *others = book.worksheets
    sheet.reset_dimensions()  # the sheet's own word for its size is often wrong
    rows: list[Row] = []
    formulas: set[tuple[int, int]] = set()
    for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1), start=1):
        if number > EXCEL_LAST_ROW or len(rows) > MAX_ROWS + 1:
            raise Unreadable(f"The file has more than {MAX_ROWS:,} rows. Split it.")
        texts = tuple(_text(cell.value) for cell in cells)
        formulas |= {(number, place) for place, cell in enumerate(cells) if cell.data_type == "f"}
        if any(texts):
            rows.append(Row(number, texts))
    ignored = ", ".join(repr(other.title) for other in others)
    return rows, formulas, [f"Only the first sheet was read, not {ignored}."] if ignored else []


def _with_results(rows: list[Row], computed: list[Row], formulas: set[tuple[int, int]]) -> list[Row]:
    """Formulas by their results; one that no spreadsheet ever computed stays the text it is."""
    results = {row.number: row.cells for row in computed}
    return [
        Row(
            row.number,
            tuple(
                (results.get(row.number, row.cells)[place] or cell)
                if (row.number, place) in formulas
                else cell
                for place, cell in enumerate(row.cells)
            ),
        )
        for row in rows
    ]


def _text(value: Any) -> str:
    """A cell as a person reads it: 7, not 7.0; true, not True; a date without its midnight."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case _:
            return str(value).strip()
