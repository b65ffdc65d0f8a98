"""`make bench` is run by people, and seldom: that its parts are there, and what they tell."""

import importlib
import re
from math import nan

import pytest

from tests import safety_page
from tests.bench.__main__ import BY_NAME, PARTS, page_of
from tests.bench.drawing import draw
from tests.bench.result import Plot, Result, Table


@pytest.mark.parametrize("part", [*PARTS, *BY_NAME])
def test_a_part_can_be_run_and_has_a_place_for_what_it_finds(part):
    assert callable(importlib.import_module(f"tests.bench.{part}").measure)
    assert safety_page.part(part, page_of(part)) is not None


def test_a_result_is_markdown_with_its_tables_its_plots_and_what_was_missed():
    plot = Plot("growth", "It grows", "accounts", "s", {"ours": [(1, 2.0)]})
    table = Table(("what", "took"), [("a sync", "2.0 s")], title="By size")
    assert Result([table], [plot], ["A sync took too long."]).as_markdown() == (
        "**By size**\n\n| what | took |\n|---|---|\n| a sync | 2.0 s |\n\n"
        "**Not kept:** A sync took too long.\n\n"
        "![It grows](performance/growth.svg)"
    )


def test_a_plot_is_drawn_as_the_same_bytes_each_time_with_its_words(tmp_path):
    plot = Plot(
        "growth",
        "It grows",
        "accounts",
        "seconds",
        {"ours": [(1, 2.0), (10, 20.0)], "bare": [(1, 1.0), (2, nan)]},
    )
    drawn = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        draw(plot, folder)
        drawn.append((folder / "growth.svg").read_bytes())
    assert drawn[0] == drawn[1]
    words = re.findall(r"<text[^>]*>([^<]+)</text>", drawn[0].decode())
    assert {"It grows", "accounts", "seconds", "ours", "bare"} <= set(words)
