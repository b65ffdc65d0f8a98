"""Plots as SVG, the same bytes for the same figures."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.result import Plot

STYLE: Any = {
    "svg.hashsalt": "cakewalk",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.grid": True,
    "grid.color": "#d4d4d8",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""Texts stay texts, which are found and read aloud."""


def draw(plot: Plot, folder: Path) -> None:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for name, points in plot.lines.items():
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
        axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
        if plot.log:
            axes.set(xscale="log", yscale="log")
        else:
            # The bottom alone would leave the top at the edge of values that lie close together.
            axes.set_ylim(0, 1.1 * max(y for points in plot.lines.values() for _, y in points))
        axes.legend(frameon=False)
        figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
