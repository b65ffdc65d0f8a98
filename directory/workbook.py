"""The first visible sheet of an Excel workbook as rows of text, as a person reads them there. No database.

openpyxl opens the book: its parts, formats and calendar. The cells are read here, for openpyxl makes so much
of each that 100,000 rows would take half a minute.
"""

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from xml.parsers import expat

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.cell import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape
from openpyxl.xml.constants import SHARED_STRINGS

from directory.cells import LONGEST_CELL, MAX_COLUMNS, Unreadable
from directory.progress import Progress, silent

# It warns, on the screen of whoever runs a command, of styles that a book lacks.
warnings.filterwarnings("ignore", module="openpyxl")

MAX_UNPACKED_BYTES = 300 * 1024 * 1024
MAX_WHOLE_BYTES = 8 * 1024 * 1024
"""Of a part that openpyxl makes objects of, such as styles: it takes thirty times the memory."""
MAX_PARTS = 5_000
BROKEN = (
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
    LookupError,
    ValueError,
    ArithmeticError,
    OSError,
    EOFError,
)
FOREIGN = {
    "content.xml": "an OpenDocument file, such as .ods",
    "xl/workbook.bin": "a binary workbook, such as .xlsb",
    "Index/Document.iwa": "a Numbers file",
}
CHUNK = 256 * 1024
NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",  # the standard's strict form
)
READING = "Reading the workbook"

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows`: the number and the cells of each; reading them can raise Unreadable."""

    rows: Iterator[tuple[int, Cells]]
    others: list[str]
    """The names of the sheets that are not read."""


def first_sheet(content: bytes, tell: Progress = silent) -> Sheet:
    """Raises Unreadable, now or when the rows are taken."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _refuse_foreign(archive)
            _refuse_bomb(archive)
        reader: Any = ExcelReader(io.BytesIO(content), read_only=True)
        reader.archive = _Careful(reader.archive)
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        sheets = [
            (sheet, rel) for sheet, rel in reader.parser.find_sheets() if rel.Type.endswith("/worksheet")
        ]
    except Unreadable:
        raise
    except Exception as error:  # openpyxl meets a broken file with whatever it stumbles over
        raise _broken() from error
    visible = [(sheet, rel) for sheet, rel in sheets if sheet.state == "visible"]
    if not visible:
        raise Unreadable("The workbook has no visible sheet with cells.")
    chosen, rel = visible[0]
    return Sheet(_rows(reader, rel.target, tell), [sheet.name for sheet, _ in sheets if sheet is not chosen])


def _broken() -> Unreadable:
    return Unreadable("The file is not a readable Excel workbook. Save it as .xlsx again.")


def _refuse_foreign(archive: zipfile.ZipFile) -> None:
    for name in FOREIGN.keys() & set(archive.namelist()):
        raise Unreadable(f"The file is {FOREIGN[name]}. Save it as .xlsx or CSV.")


def _refuse_bomb(archive: zipfile.ZipFile) -> None:
    # The sizes are the archive's own word, but zipfile never unpacks more than they promise.
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise Unreadable(
            f"The workbook unpacks to more than {MAX_UNPACKED_BYTES // 1024 // 1024} MB. Split it."
        )
    if len(entries) > MAX_PARTS:
        raise Unreadable(f"The workbook has more than {MAX_PARTS:,} parts. Save its first sheet alone.")


class _Careful:
    """The archive as openpyxl asks for its parts: whole ones, of which no workbook has large ones."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    def read(self, name: str) -> bytes:
        if self._archive.getinfo(name).file_size > MAX_WHOLE_BYTES:
            raise Unreadable(
                f"The workbook's {name} is larger than {MAX_WHOLE_BYTES // 1024 // 1024} MB. Copy the cells "
                "into a new workbook, as values."
            )
        return self._archive.read(name)


def _rows(reader: Any, path: str, tell: Progress) -> Iterator[tuple[int, Cells]]:
    book, archive = reader.wb, reader.archive
    try:
        strings = _Strings()
        if part := reader.package.find(SHARED_STRINGS):
            for _ in _parsed(archive, part.PartName.lstrip("/"), strings, silent):
                pass
        cells = _Cells(strings.found, book.epoch, book._date_formats | book._timedelta_formats)
        for _ in _parsed(archive, path, cells, tell):
            yield from cells.rows
            cells.rows.clear()
    except BROKEN as error:
        raise _broken() from error


def _parsed(archive: zipfile.ZipFile, path: str, handler: Any, tell: Progress) -> Iterator[None]:
    """Hand a part of the book to the handler, piece by piece."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    size = archive.getinfo(path).file_size
    with archive.open(path) as part:
        done = 0
        while chunk := part.read(CHUNK):
            parser.Parse(chunk)
            done += len(chunk)
            tell(READING, done / size)
            yield
    parser.Parse(b"", True)
    yield


def _refuse_doctype(*_: object) -> None:
    """No workbook has one: it is how texts are made that unfold in memory."""
    raise _broken()


def _named(*names: str) -> dict[str, str]:
    """Elements by what expat calls them."""
    return {f"{namespace} {name}": name for namespace in NAMESPACES for name in names}


class _Strings:
    """The texts that cells share, without the hints for their pronunciation."""

    NAMES = _named("si", "t", "rPh")

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._in_text = self._in_hint = False

    def start(self, element: str, attributes: dict[str, str]) -> None:
        match self.NAMES.get(element):
            case "t":
                self._in_text = not self._in_hint
            case "rPh":
                self._in_hint = True

    def text(self, text: str) -> None:
        if self._in_text:
            self._parts.append(text)
            self._length += len(text)
            if self._length > LONGEST_CELL:
                raise Unreadable(f"A cell holds more than {LONGEST_CELL:,} characters.")

    def end(self, element: str) -> None:
        match self.NAMES.get(element):
            case "t":
                self._in_text = False
            case "rPh":
                self._in_hint = False
            case "si":
                self.found.append(_unescaped("".join(self._parts)))
                self._parts.clear()
                self._length = 0


@dataclass(slots=True)
class _Cell:
    """What the sheet says of one: its type, its format, and its texts by the element that holds them."""

    kind: str = "n"
    style: str = "0"
    column: int = -1
    value: str = ""
    formula: str | None = None


class _Cells:
    """The rows of a sheet, as they come."""

    NAMES = _named("row", "c", "v", "f", "t", "rPh")

    def __init__(self, strings: list[str], epoch: datetime, dated: set[int]) -> None:
        self.rows: list[tuple[int, Cells]] = []
        self._strings, self._epoch, self._dated = strings, epoch, {str(style) for style in dated}
        self._columns: dict[str, int] = {}
        self._number = 0
        self._row: list[str] = []
        self._cell = _Cell()
        self._inside = ""
        self._in_hint = False

    def start(self, element: str, attributes: dict[str, str]) -> None:
        name = self.NAMES.get(element)
        if name == "c":
            place = attributes.get("r", "")
            column = self._column(place) if place else self._cell.column + 1
            self._cell = _Cell(attributes.get("t", "n"), attributes.get("s", "0"), column)
        elif name == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._row, self._cell = [], _Cell()
        elif name == "rPh":
            self._in_hint = True
        elif name:
            self._inside = name
            if name == "f":
                self._cell.formula = ""

    def text(self, text: str) -> None:
        if self._inside == "f":
            self._cell.formula = "computed"
        elif self._inside and not self._in_hint:
            self._cell.value += text
            if len(self._cell.value) > LONGEST_CELL:
                place = f"{get_column_letter(self._cell.column + 1)}{self._number}"
                raise Unreadable(f"Cell {place} holds more than {LONGEST_CELL:,} characters.")

    def end(self, element: str) -> None:
        name = self.NAMES.get(element)
        if name == "c":
            self._put(self._cell)
        elif name == "row":
            self.rows.append((self._number, tuple(self._row)))
        elif name == "rPh":
            self._in_hint = False
        elif name:
            self._inside = ""

    def _column(self, place: str) -> int:
        letters = place.rstrip("0123456789")
        if letters not in self._columns:
            self._columns[letters] = column_index_from_string(letters) - 1
        return self._columns[letters]

    def _put(self, cell: _Cell) -> None:
        if cell.formula is not None and not cell.value and cell.kind != "str":
            raise Unreadable(
                f"Cell {get_column_letter(cell.column + 1)}{self._number} holds a formula that was never "
                "computed. Open the file in a spreadsheet, save it there, and import that."
            )
        if text := self._text(cell):
            if max(cell.column, len(self._row)) >= MAX_COLUMNS:
                raise Unreadable(f"Row {self._number} has more than {MAX_COLUMNS} columns.")
            self._row.extend([""] * (cell.column - len(self._row)))
            self._row.append(text)

    def _text(self, cell: _Cell) -> str:
        """As a person reads it: 7, not 7.0; true, not TRUE; a date without its midnight."""
        value = cell.value
        match cell.kind:
            case "s":
                return self._strings[int(value)].strip() if value else ""
            case "n" if value:
                return self._number_text(value, is_date=cell.style in self._dated)
            case "b":
                return {"1": "true", "0": "false"}.get(value, value)
            case "d":
                return value.removesuffix("T00:00:00").removesuffix("T00:00:00Z")
            case _:
                return _unescaped(value).strip()

    def _number_text(self, value: str, *, is_date: bool) -> str:
        if is_date:
            return _moment(from_excel(float(value), self._epoch))
        if value.isdigit() and len(value) < 16:
            return str(int(value))
        number = float(value)
        return str(int(number)) if number.is_integer() else str(number)


def _moment(value: Any) -> str:
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value)


def _unescaped(text: str) -> str:
    """Excel writes what XML cannot hold, such as a line's end, as _x000D_."""
    return unescape(text) if "_x" in text else text
