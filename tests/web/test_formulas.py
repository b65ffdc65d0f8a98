"""Files for spreadsheets: nothing in them is computed, and what was marked for that is read as it was."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cakewalk.spreadsheets import as_entered, csv_lines, harmless
from tests.effort import cases

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
BEGINS = re.compile(rf"[\"' ]*[{re.escape(SIGNS)}]")
CELLS = st.text(st.sampled_from([*SIGNS, *"'\";, \t\r\nab"]), max_size=8) | st.text(max_size=8)


@given(CELLS)
@cases(quick=300, soak=100_000)
def test_what_is_made_harmless_is_read_as_it_was(cell: str) -> None:
    assert as_entered(harmless(cell)) == cell


@given(CELLS)
@cases(quick=300, soak=100_000)
def test_no_cell_begins_as_a_formula_whatever_parts_them(cell: str) -> None:
    first, *others = re.split(r"[;\t\r\n]", harmless(cell))
    assert not first or first[0] not in SIGNS
    assert [other for other in others if BEGINS.match(other) and not other.startswith("'")] == []


@pytest.mark.parametrize("sign", [*SIGNS, "\t", "\r", "\n"], ids=ascii)
def test_each_sign_is_marked(sign: str) -> None:
    assert harmless(f"{sign}1+1") == f"'{sign}1+1"


def test_a_spreadsheet_that_parts_cells_by_semicolons_computes_nothing_either() -> None:
    line = "".join(csv_lines([["ada", 'Countess; =HYPERLINK("http://evil")', "x;=1+1", 'y;"=1+1"']]))
    cells = next(csv.reader(io.StringIO(line), delimiter=";"))
    assert [cell for cell in cells if cell.lstrip(" \"'").startswith("=") and cell[:1] != "'"] == []
    assert len(cells) == 4


def test_every_writer_of_csv_marks_its_cells() -> None:
    """Whoever else writes CSV goes past the one helper."""
    root = Path(__file__).parents[2]
    writers = {
        str(path.relative_to(root))
        for app in ("cakewalk", "directory", "integrations", "provisioning")
        for path in (root / app).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text())
    }
    assert writers == {"cakewalk/spreadsheets.py", "provisioning/evidence/archive.py"}
