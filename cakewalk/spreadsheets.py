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
FORMULA = re.compile(r"'*[=+\-@\t\r]")
ENTERED = re.compile(r"'+[=+\-@]")

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def harmless(cell: str) -> str:
    """A spreadsheet takes what begins so for a formula, and names are typed by people outside (OWASP, CSV
    injection).
    """
    return f"'{cell}" if FORMULA.match(cell) else cell


def as_entered(cell: str) -> str:
    """The reverse: what `harmless` was given."""
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


def workbook(rows: Rows) -> Iterator[bytes]:
    """One sheet in which every cell is text, so that 007 stays 007. openpyxl would first write all of it."""
    out = _Written()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, _DECLARED + text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for cells in rows:
                sheet.write(f"<row>{''.join(map(_cell, cells))}</row>".encode())
                if piece := out.taken():
                    yield piece
            sheet.write(b"</sheetData></worksheet>")
    yield out.taken()


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
