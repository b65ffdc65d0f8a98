"""Charts as shapes: values in, places in an SVG out. `cakewalk/chart.html` draws them, without any script.

Across, places are in percent, for a picture is as wide as its page; down, in pixels. No text is stretched.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.formats import number_format
from django.utils.translation import gettext as _

TOP, BOTTOM, HEIGHT = 8, 168, 196
"""Where the highest and the lowest value lie, and where the picture ends, below the names."""
ACROSS = 1000
"""The width of what is stretched: the lines."""
STEPS = (1, 2, 5, 10)
EVERY = (1, 2, 7, 14, 28, 56, 112)
"""Which names are written, when there is no room for all: every day, every second, every week …"""
MOST_NAMES = 7
ON_A_PHONE = 30
"""So many letters of names have room there; of more, every second name is left out."""
BAR = 0.72
"""What of its column a bar fills."""
SEEN = 2.0
"""One failure among a thousand is still to be seen: no bar is lower than this, in pixels."""

Values = Sequence[float | None]
"""None: nothing is known, which is no zero."""


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    tone: str
    values: Values


@dataclass(frozen=True, slots=True)
class Tick:
    """A value or a name at an axis. `spare`: left out where there is little room."""

    at: str
    text: str
    anchor: str = "end"
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One name with its values: what is said when it is pointed at, and a row of the table."""

    left: str
    width: str
    name: str
    texts: Sequence[str]
    said: str


@dataclass(frozen=True, slots=True)
class Bar:
    left: str
    width: str
    top: str
    height: str
    tone: str


@dataclass(frozen=True, slots=True)
class Dot:
    left: str
    top: str
    tone: str


@dataclass(frozen=True, slots=True)
class Line:
    path: str
    tone: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`key`: what tells it from the other charts of its page. `of`: what its names are, such as days."""

    key: str
    title: str
    of: str
    series: Sequence[Series]
    says: str
    values: Sequence[Tick] = ()
    names: Sequence[Tick] = ()
    columns: Sequence[Column] = ()
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not self.columns


def bars(key: str, title: str, of: str, names: Sequence[str], series: Sequence[Series]) -> Chart:
    """Whole numbers, one upon the other. Empty where all are nothing."""
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(names))]
    if not any(totals):
        return Chart(key, title, of, series, "")
    scale = Scale.over(0, max(totals))
    drawn = [bar for place in range(len(names)) for bar in _stack(place, len(names), series, scale)]
    says = ", ".join(f"{one.name}: {whole(sum(filter(None, one.values)))}" for one in series)
    return Chart(
        key, title, of, series, says, scale.ticks(), name_ticks(names), _columns(names, series), bars=drawn
    )


def line(key: str, title: str, of: str, names: Sequence[str], series: Series) -> Chart:
    """One number as it went. It breaks off where nothing is known; a value between two gaps is a dot."""
    known = [value for value in series.values if value is not None]
    if not known:
        return Chart(key, title, of, [series], "")
    low, high = min(known), max(known)
    # A few of many would not be seen above nothing: then the axis begins lower, and its numbers say where.
    scale = Scale.over(low if high > low > high / 2 else 0, high)
    places = [
        None if value is None else (_middle(place, len(names)), scale.place(value))
        for place, value in enumerate(series.values)
    ]
    runs = list(_runs(places))
    path = " ".join(_path(run) for run in runs if len(run) > 1)
    ends = [run[0] for run in runs if len(run) == 1]
    if places[-1] and places[-1] not in ends:
        ends.append(places[-1])
    says = _("Between %(low)s and %(high)s; the last is %(last)s.") % {
        "low": whole(low),
        "high": whole(high),
        "last": whole(known[-1]),
    }
    return Chart(
        key,
        title,
        of,
        [series],
        says,
        scale.ticks(),
        name_ticks(names),
        _columns(names, [series]),
        lines=[Line(path, series.tone)] if path else [],
        dots=[Dot(_percent(across), _pixels(down), series.tone) for across, down in ends],
    )


# -- the axes


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of round numbers. `steps` of `step` each begin at `low`."""

    low: float
    step: float
    steps: int

    @classmethod
    def over(cls, low: float, high: float) -> "Scale":
        step = round_step((high - low) / 4)
        first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
        return cls(first * step, step, last - first)

    def place(self, value: float) -> float:
        return BOTTOM - (value - self.low) / (self.step * self.steps) * (BOTTOM - TOP)

    def ticks(self) -> list[Tick]:
        marked = [self.low + self.step * number for number in range(self.steps + 1)]
        return [Tick(_pixels(self.place(value)), short(value)) for value in marked]


def round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20 …: things are counted, so that nothing is between 0 and 1."""
    if least <= 1:
        return 1
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in STEPS if step * power >= least)


def name_ticks(names: Sequence[str]) -> list[Tick]:
    """From the last one back, for that is today."""
    fewest = math.ceil(len(names) / MOST_NAMES)
    every = next((step for step in EVERY if step >= fewest), fewest)
    chosen = range(len(names) - 1, -1, -every)
    fit = sum(len(names[place]) for place in chosen) <= ON_A_PHONE
    return [
        Tick(_percent(at), names[place], _anchor(at), spare=not fit and bool(number % 2))
        for number, place in enumerate(chosen)
        for at in [_middle(place, len(names))]
    ]


def _anchor(at: float) -> str:
    """A name at the edge must not stick out."""
    if 5 < at < 95:
        return "middle"
    return "start" if at < 50 else "end"


# -- what is drawn


def _stack(place: int, number: int, series: Sequence[Series], scale: Scale) -> Iterable[Bar]:
    width = 100 / number * BAR
    left = _middle(place, number) - width / 2
    below = float(BOTTOM)
    for one in series:
        if value := one.values[place]:
            height = max(BOTTOM - scale.place(value), SEEN)
            below -= height
            yield Bar(_percent(left), _percent(width), _pixels(below), _pixels(height), one.tone)


Place = tuple[float, float]


def _runs(places: Sequence[Place | None]) -> Iterable[list[Place]]:
    run: list[Place] = []
    for place in places:
        if place is not None:
            run.append(place)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _path(run: Sequence[Place]) -> str:
    return "M" + " L".join(f"{across * ACROSS / 100:.1f} {down:.1f}" for across, down in run)


def _columns(names: Sequence[str], series: Sequence[Series]) -> list[Column]:
    width = 100 / len(names)
    columns = []
    for place, name in enumerate(names):
        texts = [_text(one.values[place]) for one in series]
        told = (
            texts[0]
            if len(series) == 1
            else ", ".join(_told(one, place) for one in series if one.values[place])
        )
        said = f"{name}: {told or _text(0)}"
        columns.append(Column(_percent(place * width), _percent(width), name, texts, said))
    return columns


def _told(one: Series, place: int) -> str:
    return f"{one.name} {_text(one.values[place])}"


def _text(value: float | None) -> str:
    return _("not known") if value is None else whole(value)


def _middle(place: int, number: int) -> float:
    return (place + 0.5) / number * 100


def _percent(share: float) -> str:
    # As text, for a template would write a fraction with the comma of somebody's language.
    return f"{share:.3f}%"


def _pixels(place: float) -> str:
    return f"{place:.1f}"


# -- numbers


def whole(value: float) -> str:
    """`1,250,000`, in the reader's language."""
    return number_format(value, decimal_pos=0, force_grouping=True)


def short(value: float) -> str:
    """`1.5M`, where there is little room."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= 10_000 and abs(value) >= unit:
            of_unit = value / unit
            return f"{number_format(of_unit, decimal_pos=0 if of_unit == int(of_unit) else 1)}{name}"
    return whole(value)
