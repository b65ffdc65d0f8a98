"""docs/safety.md names tests that exist, and speaks of every failure of the field."""

import ast
import re

from tests import safety_page
from tests.killing.moments import MOMENTS
from tests.stack.installation import ROOT


def names_of_tests() -> set[str]:
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.add(node.targets[0].id)
    return {name for name in found if name.lower().startswith("test")}


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+|Test\w+)`", safety_page.PAGE.read_text()))
    assert len(named) > 100
    assert named - names_of_tests() == set()


def test_every_failure_of_the_field_has_its_line() -> None:
    lines = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", safety_page.PAGE.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, 60))
    assert all("`test_" in answer or "later work" in answer for _, answer in lines)


def test_the_matrix_shows_every_moment_and_nothing_went_wrong() -> None:
    """Whoever adds a moment makes the table anew: make killmatrix."""
    rows = safety_page.part("kill matrix").splitlines()[2:]
    assert rows == [f"| {moment.step} | ✓ | ✓ |" for moment in MOMENTS]


def test_the_last_soak_had_cases_enough() -> None:
    figures = safety_page.part("soak")
    cases = re.search(r"([\d,]+) generated cases", figures)
    assert cases
    assert int(cases[1].replace(",", "")) >= 100_000
    assert "nothing found" in figures
