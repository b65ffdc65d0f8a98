"""What a part of `make bench` has found: tables, plots, and the limits that were not kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Its cells are texts, as they are to be read."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def as_markdown(self) -> str:
        lines = [_line(self.head), "|---" * len(self.head) + "|", *map(_line, self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines] if self.title else lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Plot:
    """Lines through points, by their names. `log`: both axes grow by tenfolds."""

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    log: bool = False


@dataclass(frozen=True)
class Result:
    tables: Sequence[Table]
    plots: Sequence[Plot] = ()
    missed: Sequence[str] = ()
    """Each limit that was not kept, as a sentence."""
    constants: Mapping[str, float] = field(default_factory=dict)
    """For what is computed from what was measured: they are kept in docs/performance/constants.json."""

    def as_markdown(self) -> str:
        pictures = [f"![{plot.title}](performance/{plot.name}.svg)" for plot in self.plots]
        missed = [f"**Not kept:** {sentence}" for sentence in self.missed]
        return "\n\n".join([*(table.as_markdown() for table in self.tables), *missed, *pictures])
