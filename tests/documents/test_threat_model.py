"""docs/threat-model.md: every claim names a test that exists, and every actor has a line of what remains."""

import re

import pytest

from cakewalk.documents import library
from tests.test_safety_page import names_of_tests

PAGE = (library.DOCS / "threat-model.md").read_text()
ACTORS = (
    "Curious operator",
    "Malicious approver, or two who agree",
    "Stolen session or laptop",
    "Malicious source",
    "Hostile or faulty answers of the API",
    "Stolen dump or backup",
    "Stolen broker",
    "Malicious receiver of alarms",
    "Hostile network",
    "Supply chain",
)


def part(actor: str) -> str:
    return PAGE.partition(f"## {actor}\n")[2].partition("\n## ")[0]


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+|Test\w+)`", PAGE))

    assert len(named) > 60
    assert named - names_of_tests() == set()


@pytest.mark.parametrize("actor", ACTORS)
def test_what_stops_an_actor_is_shown_by_a_test_and_what_remains_is_said(actor: str) -> None:
    rows = [row for row in part(actor).splitlines() if row.startswith("| ")][1:]

    assert len(rows) > 1
    assert [row for row in rows if not re.search(r"\| `test_\w+`.* \|$", row)] == []
    assert "*What remains*" in part(actor)
