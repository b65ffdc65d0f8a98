"""Whatever a spreadsheet writes is read as a person sees it there; whatever else is refused in a sentence."""

import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from directory import tabular
from directory import workbook as workbooks
from directory.cells import Unreadable
from directory.tabular import Row, read_table
from tests.directory.builders import csv_file, excel_file, saved

pytestmark = pytest.mark.filterwarnings("ignore:Workbook contains no default style")

LINES = "email,name\nada@example.org,Ada Müller\n"
NO_WORKBOOK = "The file is not a readable Excel workbook. Save it as .xlsx again."
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
        Row(2, ("a@x.org", "true", "7", "2026-01-31", "", "2.5")),
        Row(4, ("b@x.org", "false", "1234", "2026-02-01", "padded", "007")),
    )


def test_a_formula_that_was_never_computed_is_refused_by_its_cell():
    with pytest.raises(Unreadable) as refusal:
        read_table(excel_file(["email", "name"], ["a@x.org", "A"], ["b@x.org", "=UPPER(A3)"]))
    assert str(refusal.value) == (
        "Cell B3 holds a formula that was never computed. Open the file in a spreadsheet, save it there, "
        "and import that."
    )


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(rows: str, *, strings: str = "", calendar: str = "") -> bytes:
    """A workbook as Excel writes it, with texts shared by cells. Style 1 is a date."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return _zip(
        **{
            "[Content_Types].xml": f'''<Types
                xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
                <Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>
                <Override PartName="/xl/sharedStrings.xml" ContentType="{kind}.sharedStrings+xml"/>
                </Types>''',
            "xl/workbook.xml": f'''<workbook {MAIN} xmlns:r="{office}"><workbookPr {calendar}/>
                <sheets><sheet name="Lists" sheetId="1" state="hidden" r:id="r1"/>
                <sheet name="People" sheetId="2" r:id="r2"/></sheets></workbook>''',
            "xl/_rels/workbook.xml.rels": f'''
                <Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
                <Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/lists.xml"/>
                <Relationship Id="r2" Type="{office}/worksheet" Target="worksheets/people.xml"/>
                </Relationships>''',
            "xl/styles.xml": f"""<styleSheet {MAIN}>
                <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>""",
            "xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>",
            "xl/worksheets/lists.xml": f"<worksheet {MAIN}><sheetData/></worksheet>",
            "xl/worksheets/people.xml": f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>",
        }
    )


def test_cells_as_excel_writes_them_count_by_what_they_show():
    """Shared, rich and annotated texts, results of formulas, an error, gaps, and what XML cannot hold."""
    content = workbook(
        """<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="s"><v>1</v></c>
        <c r="D3" t="s"><v>2</v></c></row>
        <row r="5" spans="1:4"><c r="A5" t="str"><f>B5&amp;"@x.org"</f><v>a@x.org</v></c>
        <c r="B5" t="e"><f>C9</f><v>#REF!</v></c><c r="C5" s="1"><v>46053</v></c>
        <c r="D5"><f>3*4</f><v>12</v></c></row>
        <row><c t="inlineStr"><is><t>b@x.org</t></is></c><c t="str"><f>""</f><v></v></c>
        <c s="1"><v>46053.5</v></c><c><v>1.5E3</v></c></row>""",
        strings="""<si><t>email</t></si><si><r><t>na</t></r><r><t xml:space="preserve">me </t></r></si>
        <si><t>ID_x000D_</t><rPh sb="0" eb="1"><t>aidi</t></rPh></si>""",
    )
    table = read_table(content)
    assert (table.header, table.rows) == (
        Row(3, ("email", "name", "", "ID")),
        (
            Row(5, ("a@x.org", "#REF!", "2026-01-31", "12")),
            Row(6, ("b@x.org", "", "2026-01-31 12:00:00", "1500")),
        ),
    )
    assert table.warnings == ("Only the first visible sheet was read, not 'Lists'.",)


@pytest.mark.parametrize("says", ["1", "true"])
def test_days_are_those_of_the_workbooks_own_calendar(says):
    rows = '<row><c t="str"><v>x</v></c></row><row><c s="1"><v>44591</v></c></row>'
    content = workbook(rows, calendar=f'date1904="{says}"')
    assert read_table(content).rows[0].cells == ("2026-01-31",)


def test_a_macro_file_is_read_and_its_macros_are_not():
    content = workbook('<row><c t="str"><v>email</v></c></row><row><c t="str"><v>a@x.org</v></c></row>')
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name).replace(
                b"vnd.openxmlformats-officedocument.spreadsheetml.sheet.main",
                b"vnd.ms-excel.sheet.macroEnabled.main",
            )
            new.writestr(name, data)
        new.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    assert [row.cells for row in read_table(changed.getvalue()).rows] == [("a@x.org",)]


def test_excels_line_about_the_separator_is_no_row():
    table = read_table(b'sep=;\r\nemail;groups\r\na@x.org;"p,q,r"\r\n')
    assert (table.header, table.rows) == (Row(1, ("email", "groups")), (Row(2, ("a@x.org", "p,q,r")),))


def test_only_the_first_sheet_is_read_and_the_others_are_named():
    book = openpyxl.load_workbook(io.BytesIO(excel_file(["email"], ["a@x.org"])))
    book.create_sheet("Leavers").append(["b@x.org"])
    table = read_table(saved(book))
    assert [row.cells[0] for row in table.rows] == ["a@x.org"]
    assert table.warnings == ("Only the first visible sheet was read, not 'Leavers'.",)


def _zip(**files: bytes | str) -> bytes:
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
        (b"PK\x03\x04 cut off", NO_WORKBOOK),
        (_zip(hello=b"world"), NO_WORKBOOK),
        (",".join(f"c{n}" for n in range(51)).encode(), "Row 1 has more than 50 columns."),
        (excel_file([f"c{n}" for n in range(51)]), "Row 1 has more than 50 columns."),
        (excel_file(["email"]).replace(b"PK\x05\x06", b"PK\x05\x07"), NO_WORKBOOK),
        (workbook('<row><c t="s"><v>7</v></c></row>'), NO_WORKBOOK),
        (workbook("<row><c"), NO_WORKBOOK),
        (
            _zip(mimetype="application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": "<x/>"}),
            "The file is an OpenDocument file, such as .ods. Save it as .xlsx or CSV.",
        ),
        (
            _zip(**{"xl/workbook.bin": b""}),
            "The file is a binary workbook, such as .xlsb. Save it as .xlsx or CSV.",
        ),
        *(
            (
                content,
                "The file is HTML or XML, as some programs export it under the name of a spreadsheet. Open "
                "it in a spreadsheet, and save it as CSV or .xlsx.",
            )
            for content in (
                b"\xef\xbb\xbf\n<html><table><tr><td>email",
                b"<TABLE border=1><tr><td>email</td></tr></TABLE>",
                b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>',
            )
        ),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(content, sentence):
    with pytest.raises(Unreadable) as refusal:
        read_table(content)
    assert str(refusal.value) == sentence


def test_a_workbook_that_unpacks_to_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", 3 * 1024 * 1024)
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
