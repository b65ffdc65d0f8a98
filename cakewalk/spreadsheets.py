"""Rows of text as CSV and as an Excel workbook, piece by piece, with nothing in them to be computed."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

Rows = Iterable[Iterable[str]]

MARK = "\ufeff"
"""Without it, Excel takes a CSV file for one of Windows-1252."""
SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"
"""With which a formula begins; some programs take the wide forms for the narrow ones."""
FORMULA = re.compile(rf"'*[{SIGNS}\t\r\n]")
ENTERED = re.compile(rf"'+[{SIGNS}\t\r\n]")
CELL_WITHIN = re.compile(rf"[;\t\r\n](?=[\"' ]*[{SIGNS}])")
"""Where a cell begins for whom another sign than the comma parts them, as in German."""
CELL_WITHIN_ENTERED = re.compile(rf"([;\t\r\n])'(?=[\"' ]*[{SIGNS}])")

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_RELATED = {
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
}

MOST_ROWS = 1_048_576
"""Of one sheet, as Excel reads it."""
MOST_BYTES = 1_500_000_000
"""Of one sheet before it is packed: from 2 GB on, a part of an archive has a form that not all can read."""


def harmless(cell: str) -> str:
    """A spreadsheet takes what begins so for a formula, and names are typed by people outside (OWASP, CSV
    injection).
    """
    if ";" in cell or not cell.isprintable():
        cell = CELL_WITHIN.sub(r"\g<0>'", cell)
    return f"'{cell}" if FORMULA.match(cell) else cell


def as_entered(cell: str) -> str:
    """The reverse: what `harmless` was given."""
    if "'" in cell:
        cell = CELL_WITHIN_ENTERED.sub(r"\1", cell)
    return cell[1:] if ENTERED.match(cell) else cell


class _Line:
    """What `csv` writes to, and what it wrote."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Rows) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield from (writer.writerow(map(harmless, cells)) for cells in rows)


class _Written(io.RawIOBase):
    """Takes what is written, once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        taken = bytes(piece)  # type: ignore[call-overload]
        self._pieces.append(taken)
        return len(taken)

    def taken(self) -> bytes:
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece


def workbook(rows: Rows, *, most_rows: int = MOST_ROWS) -> Iterator[bytes]:
    """Sheets in which every cell is text, so that 007 stays 007. openpyxl would first write all of it.

    What one sheet cannot hold goes on in the next one, under the same first row.
    """
    out, left, number = _Written(), _Left(rows), 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        while number == 0 or left.any():
            number += 1
            with archive.open(f"xl/worksheets/sheet{number}.xml", "w") as sheet:
                sheet.write(f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
                for row in left.of_a_sheet(most_rows):
                    sheet.write(row)
                    if piece := out.taken():
                        yield piece
                sheet.write(b"</sheetData></worksheet>")
        for name, text in _parts(number).items():
            archive.writestr(name, _DECLARED + text)
    yield out.taken()


class _Left:
    """The rows that are not written yet."""

    def __init__(self, rows: Rows) -> None:
        self._rows = iter(rows)
        self._head = self._next()
        self._first = self._next()

    def any(self) -> bool:
        return self._first is not None

    def of_a_sheet(self, most_rows: int) -> Iterator[bytes]:
        if self._head is None:
            return
        yield self._head
        written, size = 1, len(self._head)
        while self._first is not None and written < most_rows and size < MOST_BYTES:
            yield self._first
            written, size = written + 1, size + len(self._first)
            self._first = self._next()

    def _next(self) -> bytes | None:
        cells = next(self._rows, None)
        return None if cells is None else f"<row>{''.join(map(_cell, cells))}</row>".encode()


def _parts(sheets: int) -> dict[str, str]:
    """What tells which sheets there are."""
    numbers = range(1, sheets + 1)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>'
        for n in numbers
    )
    listed = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
    related = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    relations = f'<Relationships xmlns="{_PACKAGE}/relationships">{related}</Relationships>'
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>{types}</Types>',
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": relations,
        **_RELATED,
    }


def _cell(text: str) -> str:
    if not text:
        return "<c/>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(_writable(harmless(text)))}</t></is></c>'


def _writable(text: str) -> str:
    """What XML cannot hold is written by its number, as Excel does, and what looks like that likewise."""
    if text.isprintable() and "_x" not in text:
        return text
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return re.sub(r"[\x00-\x1f\ufffe\uffff\ud800-\udfff]", lambda found: f"_x{ord(found[0]):04X}_", text)
