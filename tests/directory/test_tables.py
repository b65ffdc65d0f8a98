"""Whatever a spreadsheet writes is read as a person sees it there; whatever else is refused in a sentence."""

import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from directory import tabular
from directory.tabular import Row, Unreadable, read_table
from tests.directory.builders import csv_file, excel_file, saved

LINES = "email,name\nada@example.org,Ada Müller\n"
CELLS = (Row(1, ("email", "name")), (Row(2, ("ada@example.org", "Ada Müller")),))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_a_csv_file_is_read_in_every_unicode_that_spreadsheets_write(encoding):
    if encoding.endswith("-bom"):
        content = ("\ufeff" + LINES).encode(encoding.removesuffix("-bom"))
    else:
        content = LINES.encode(encoding)
    table = read_table(content)
    assert (table.header, table.rows, table.warnings) == (*CELLS, ())


def test_an_old_csv_file_is_read_as_windows_1252_and_says_so():
    table = read_table(LINES.encode("cp1252"))
    assert (table.header, table.rows) == CELLS
    assert table.warnings == (
        "The file is not UTF-8 and was read as Windows-1252. Check the accents in its names.",
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_delimiter_is_the_one_in_the_header(delimiter, newline):
    lines = [delimiter.join(["email", "name", "groups"]), delimiter.join(["a@x.org", "A", "p"])]
    table = read_table(newline.join(lines).encode())
    assert (table.header.cells, table.rows) == (
        ("email", "name", "groups"),
        (Row(2, ("a@x.org", "A", "p")),),
    )


def test_rows_are_numbered_as_the_spreadsheet_numbers_them():
    content = csv_file("email,name", "", 'a@x.org,"two', 'lines"', "b@x.org,B")
    assert read_table(content).rows == (Row(3, ("a@x.org", "two\nlines")), Row(4, ("b@x.org", "B")))


def test_excel_cells_read_as_a_person_sees_them():
    content = excel_file(
        ["email", "active", "employee_id", "start_date", "name", "title"],
        ["a@x.org", True, 7.0, datetime.fromisoformat("2026-01-31T00:00"), None, 2.5],
        [None, None, None, None, None, None],
        ["b@x.org", False, 1234, date(2026, 2, 1), " padded ", "007"],
    )
    assert read_table(content).rows == (
        Row(2, ("a@x.org", "true", "7", "2026-01-31", "", "2.5", *[""] * 45)),
        Row(4, ("b@x.org", "false", "1234", "2026-02-01", "padded", "007", *[""] * 45)),
    )


def test_a_formula_that_was_never_computed_is_kept_as_text():
    table = read_table(excel_file(["email", "name"], ["a@x.org", "=cmd|'/c calc'!A0"]))
    assert table.rows[0].cells[:2] == ("a@x.org", "=cmd|'/c calc'!A0")


def test_a_computed_formula_counts_by_its_result():
    content = excel_file(["email"], ['="a@"&"x.org"'])
    sheet = "xl/worksheets/sheet1.xml"
    rewritten = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(rewritten, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == sheet:
                data = data.replace(b"<v></v>", b"<v>a@x.org</v>").replace(b"<v />", b"<v>a@x.org</v>")
                data = data.replace(b'<c r="A2"', b'<c r="A2" t="str"')
            new.writestr(name, data)
    assert read_table(rewritten.getvalue()).rows[0].cells[0] == "a@x.org"


def test_only_the_first_sheet_is_read_and_the_others_are_named():
    book = openpyxl.load_workbook(io.BytesIO(excel_file(["email"], ["a@x.org"])))
    book.create_sheet("Leavers").append(["b@x.org"])
    table = read_table(saved(book))
    assert [row.cells[0] for row in table.rows] == ["a@x.org"]
    assert table.warnings == ("Only the first sheet was read, not 'Leavers'.",)


def _zip(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty. Its first row must name the columns."),
        (b"\n,,\n", "The file is empty. Its first row must name the columns."),
        (b'email,name\na@x.org,A\nb@x.org,"B\nc@x.org,C', "Row 3 is not valid CSV: unexpected end of data."),
        (
            b"email\n" + b"a" * 200_000,
            "Row 2 is not valid CSV: field larger than field limit (131072).",
        ),
        (
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
            "The file is not a table: it holds binary data. Save it as CSV or .xlsx.",
        ),
        (b"\xff\xfea", "The file is not text: neither UTF-8, UTF-16 nor Windows-1252."),
        (b"email\n\x81\x8d", "The file is not text: neither UTF-8, UTF-16 nor Windows-1252."),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on",
            "The file has a password or is in the old .xls format. Save it as .xlsx without a password.",
        ),
        (b"PK\x03\x04 cut off", "The file is not a readable Excel workbook. Save it as .xlsx again."),
        (_zip(hello=b"world"), "The file is not a readable Excel workbook. Save it as .xlsx again."),
        (",".join(f"c{n}" for n in range(51)).encode(), "Row 1 has more than 50 columns."),
        (excel_file([f"c{n}" for n in range(51)]), "Row 1 has more than 50 columns."),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(content, sentence):
    with pytest.raises(Unreadable) as refusal:
        read_table(content)
    assert str(refusal.value) == sentence


def test_a_workbook_that_unpacks_to_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(tabular, "MAX_UNPACKED_BYTES", 3 * 1024 * 1024)
    with pytest.raises(Unreadable, match="unpacks to more than 3 MB"):
        read_table(_zip(bomb=b"0" * 4 * 1024 * 1024))


@pytest.mark.parametrize(
    "make", [lambda rows: csv_file(*[row[0] for row in rows]), lambda rows: excel_file(*rows)]
)
def test_a_file_with_too_many_rows_is_refused(make, monkeypatch):
    monkeypatch.setattr(tabular, "MAX_ROWS", 3)
    rows = [["email"], *[[f"p{n}@x.org"] for n in range(4)]]
    with pytest.raises(Unreadable, match=r"more than 3 rows"):
        read_table(make(rows))
    assert len(read_table(make(rows[:-1])).rows) == 3


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(tabular, "MAX_FILE_BYTES", 2 * 1024 * 1024)
    with pytest.raises(Unreadable, match="larger than 2 MB"):
        read_table(b"x" * (2 * 1024 * 1024 + 1))
