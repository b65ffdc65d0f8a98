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
            # As if 0 were among the values, or the top would be at the edge of those that lie close together.
            axes.update_datalim([(0, 0)], updatex=False)
            axes.autoscale_view()
            axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
