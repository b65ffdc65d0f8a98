"""Files that were made to take all memory: each is refused by the limit that it breaks, before it is read."""

import io
import zipfile
from collections.abc import Callable

import openpyxl.xml
import pytest
from openpyxl import Workbook

from directory.cells import Unreadable
from directory.tabular import read_table

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LAUGHS = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>"


def book(**parts: Callable[[str], str]) -> bytes:
    """A small workbook, some of whose parts are other ones."""
    workbook, out, changed = Workbook(), io.BytesIO(), io.BytesIO()
    workbook.active.append(["email", "name"])
    workbook.save(out)
    with zipfile.ZipFile(out) as found, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in found.namelist():
            change = parts.get(name.rpartition("/")[2].removesuffix(".xml"), str)
            made.writestr(name, change(found.read(name).decode()))
    return changed.getvalue()


def sheet(rows: str, before: str = "") -> bytes:
    return book(
        sheet1=lambda _: f'{before}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    )


def of_many_parts() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(5_001):
            archive.writestr(str(number), b"")
    return out.getvalue()


def strings(texts: str, before: str = "") -> bytes:
    """openpyxl writes none that cells share, so they are put in the place of the theme."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    return book(
        **{"[Content_Types]": lambda text: text.replace(THEME, kind)},
        theme1=lambda _: f'{before}<sst xmlns="{MAIN}">{texts}</sst>',
    )


THEME = "application/vnd.openxmlformats-officedocument.theme+xml"
MB = 1024 * 1024
CELL = "Cell A1 holds more than 32,767 characters."
NOT_READABLE = "The file is not a readable Excel workbook."


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            lambda: book(styles=lambda text: text + " " * 9 * MB),
            "The workbook's xl/styles.xml is larger than 8 MB.",
        ),
        (
            lambda: book(workbook=lambda text: text + " " * 9 * MB),
            "The workbook's xl/workbook.xml is larger than",
        ),
        (of_many_parts, "The workbook has more than 5,000 parts."),
        (lambda: sheet(f'<row><c t="str"><v>{"a" * 32_768}</v></c></row>'), CELL),
        (
            lambda: sheet("<row>" + '<c r="A1"><v>1</v></c>' * 51 + "</row>"),
            "Row 1 has more than 50 columns.",
        ),
        (lambda: sheet('<row><c t="str"><v>&c;</v></c></row>', LAUGHS), NOT_READABLE),
        (lambda: strings(f"<si><t>{'a' * 32_768}</t></si>"), "A cell holds more than 32,767 characters."),
        (lambda: strings("<si><t>&c;</t></si>", LAUGHS), NOT_READABLE),
        (lambda: book(workbook=lambda text: LAUGHS + text.replace('"Sheet"', '"&c;"')), NOT_READABLE),
        (lambda: b"email\n" + b"," * 2 * MB, "Line 2 has more than 1,638,350 characters."),
        (lambda: b"email\n" + b"a" * 200_000, "Row 2 is not valid CSV: field larger than field limit"),
        (lambda: b"a" * 31 * MB, "The file is larger than 30 MB."),
    ],
    ids=[
        "styles",
        "workbook",
        "parts",
        "cell",
        "the same cell over and over",
        "laughs in the sheet",
        "string",
        "laughs in strings",
        "laughs in the workbook",
        "line",
        "field",
        "file",
    ],
)
def test_a_file_beyond_a_limit_is_refused_by_it(file: Callable[[], bytes], said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_table(file())
    assert str(refused.value).startswith(said)


def test_openpyxl_reads_without_entities() -> None:
    assert openpyxl.xml.DEFUSEDXML
