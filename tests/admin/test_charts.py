"""Charts: the places of their shapes, round axes, gaps where nothing is known, and the figures as a table."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from cakewalk import charts
from cakewalk.charts import BOTTOM, TOP, Chart, Series


def line(*values: float | None) -> Chart:
    names = [f"day {place}" for place in range(len(values))]
    return charts.line("members", "Members", "Day", names, Series("Members", "primary", values))


def bars(**values: list[float | None]) -> Chart:
    number = max(len(one) for one in values.values())
    names = [f"day {place}" for place in range(number)]
    return charts.bars(
        "jobs", "Jobs", "Day", names, [Series(name, name, one) for name, one in values.items()]
    )


def numbers(chart: Chart) -> list[str]:
    return [tick.text for tick in chart.values]


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ((0, 1), ["0", "1"]),
        ((0, 3), ["0", "1", "2", "3"]),
        ((0, 7), ["0", "2", "4", "6", "8"]),
        ((10, 250), ["0", "100", "200", "300"]),
        ((0, 4_321_987), ["0", "2M", "4M", "6M"]),
        ((0, 14_500), ["0", "5,000", "10k", "15k"]),
        ((244, 250), ["244", "246", "248", "250"]),
        ((250, 250), ["0", "100", "200", "300"]),
        ((0, 0), ["0", "1"]),
    ],
)
def test_an_axis_has_round_numbers_and_begins_at_nothing_unless_all_values_are_far_from_it(
    values: tuple[float, ...], axis: list[str]
) -> None:
    assert numbers(line(*values)) == axis


def test_a_line_runs_from_the_least_below_to_the_most_above_and_ends_with_a_dot() -> None:
    chart = line(0, 100, 50)

    assert [drawn.path for drawn in chart.lines] == ["M166.7 168.0 L500.0 8.0 L833.3 88.0"]
    assert [(dot.left, dot.top) for dot in chart.dots] == [("83.333%", "88.0")]
    assert chart.says == "Between 0 and 100; the last is 50."


def test_where_nothing_is_known_the_line_breaks_off_and_what_stands_alone_is_a_dot() -> None:
    chart = line(1, 2, None, 3, None, 4, 4)

    assert chart.lines[0].path.count("M") == 2
    assert len(chart.dots) == 2
    assert [column.said for column in chart.columns[1:4]] == ["day 1: 2", "day 2: not known", "day 3: 3"]


def test_one_value_alone_is_a_dot_in_the_middle() -> None:
    chart = line(12)

    assert (chart.lines, [dot.left for dot in chart.dots]) == ([], ["50.000%"])


@pytest.mark.parametrize("empty", [line(), line(None, None), bars(done=[0, None]), bars(done=[])])
def test_without_any_value_there_is_a_sentence_instead_of_a_picture(empty: Chart) -> None:
    html = render_to_string("cakewalk/chart.html", {"chart": empty, "when_empty": "Nothing was read yet."})

    assert empty.is_empty
    assert "Nothing was read yet." in html
    assert "<svg" not in html


def test_bars_stand_upon_each_other_and_one_failure_among_a_thousand_is_seen() -> None:
    chart = bars(done=[1000, 0], failed=[1, 1])

    low, high, alone = chart.bars
    assert float(low.top) + float(low.height) == BOTTOM
    assert float(high.top) + float(high.height) == float(low.top)
    assert (high.height, alone.height) == ("2.0", "2.0")
    assert chart.says == "done: 1,000, failed: 2"
    assert [column.said for column in chart.columns] == ["day 0: done 1,000, failed 1", "day 1: failed 1"]


@pytest.mark.parametrize("number", [1, 2, 3, 30, 90, 400])
def test_names_are_few_whatever_the_number_of_days_and_today_is_always_one(number: int) -> None:
    chart = line(*range(number))

    assert 1 <= len(chart.names) <= 7
    assert chart.names[0].text == f"day {number - 1}"
    steps = {int(a.text[4:]) - int(b.text[4:]) for a, b in zip(chart.names, chart.names[1:], strict=False)}
    assert steps <= {1, 7, 14, 112}


def test_everything_that_is_drawn_lies_within_the_picture() -> None:
    for chart in (line(*range(400)), bars(done=[2**place for place in range(30)], failed=[1] * 30)):
        points = [point.split() for drawn in chart.lines for point in re.split("[ML]", drawn.path) if point]
        assert all(0 <= float(across) <= 1000 and TOP <= float(down) <= BOTTOM for across, down in points)
        assert all(
            float(bar.left[:-1]) >= 0 and float(bar.left[:-1]) + float(bar.width[:-1]) <= 100
            for bar in chart.bars
        )
        assert all(float(bar.top) >= TOP - 2 for bar in chart.bars)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


def test_a_picture_is_named_has_a_table_and_neither_script_nor_style() -> None:
    tags = _Tags()
    html = render_to_string("cakewalk/chart.html", {"chart": bars(done=[3, 4], failed=[0, 1])})
    tags.feed(html)

    [picture] = [said for tag, said in tags.found if said.get("role") == "img"]
    ids = {said["id"] for _, said in tags.found if "id" in said}
    assert set(picture["aria-labelledby"].split()) <= ids
    assert not {"script", "style"} & {tag for tag, _ in tags.found}
    assert [
        said for _, said in tags.found if "style" in said or any(name.startswith("on") for name in said)
    ] == []
    assert re.findall(r"<t[hd][^>]*>([^<]*)</t", html) == [
        *("Day", "done", "failed"),
        *("day 1", "4", "1"),
        *("day 0", "3", "0"),
    ]


def test_no_place_is_written_with_the_comma_of_a_language() -> None:
    with translation.override("de"):
        html = render_to_string("cakewalk/chart.html", {"chart": line(1, 15_500)})

    assert "5.000" in html
    assert re.findall(r' (?:x|y|cx|cy|width|height|d)="[^"]*,[^"]*"', html) == []
