"""A chart as a small frozen description: axes, series, and which of their points can be drawn.

Knows points, ranges and how series are told apart. Knows nothing of pixels, of Plotly, or of what a point means.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from costline.errors import InputError

Mode = Literal["lines", "markers", "lines+markers", "bar", "step"]
Dash = Literal["solid", "dash", "dot", "dashdot", "longdash"]
Marker = Literal["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star"]
Points = list[tuple[float, float]]

# Okabe and Ito's eight colours, told apart by people with any common colour blindness; yellow comes last, being
# faint on white. Markers, dashes and hatches repeat the distinction for black-and-white print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
LIGHT = ("#E69F00", "#56B4E9", "#F0E442")
MARKERS: tuple[Marker, ...] = (
    "circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star",
)  # fmt: skip
DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot", "longdash")
HATCHES = ("", "/", ".", "\\", "x", "-", "|", "+")
LARGEST, SMALLEST = 1e100, 1e-100  # beyond these a value is no quantity of this field and is not drawn
NAN = math.nan


@dataclass(frozen=True)
class Axis:
    """One axis: `label` with its unit; with `categories`, position i stands for `categories[i]`."""

    label: str
    log: bool = False
    range: tuple[float, float] | None = None
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.log and self.categories is not None:
            raise InputError(f"axis {self.label!r} has log=True and categories; give one of the two")
        if self.range is not None:
            low, high = self.range
            apart = high - low > 1e-9 * max(abs(low), abs(high), SMALLEST)
            if not (apart and _can_end_axis(low, self.log) and _can_end_axis(high, self.log)):
                rule = "two finite numbers, low well below high" + (", both > 0 on a log axis" if self.log else "")
                raise InputError(f"range={self.range} of axis {self.label!r} must be {rule}; or leave it out")


@dataclass(frozen=True)
class Series:
    """Points drawn alike. `dash` and `marker`, where not given, follow from the position in the chart.

    `emphasis` marks the chosen plan: a larger outlined marker, with the series name beside its first point.
    `y_low` and `y_high` bound an interval of the value (of x where bars are horizontal): a band along lines,
    error bars otherwise.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    mode: Mode = "lines+markers"
    hover: tuple[str, ...] | None = None
    dash: Dash | None = None
    marker: Marker | None = None
    emphasis: bool = False
    y_low: tuple[float, ...] | None = None
    y_high: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.y_low is None) != (self.y_high is None):
            raise InputError(f"series {self.name!r} has one of y_low and y_high; give both or neither")
        for field in ("y", "hover", "y_low", "y_high"):
            values = getattr(self, field)
            if values is not None and len(values) != len(self.x):
                rule = f"must have as many values as x ({len(self.x)})"
                raise InputError(f"{field} of series {self.name!r} has {len(values)} values; it {rule}")


@dataclass(frozen=True)
class Chart:
    """What is drawn. Bars are horizontal when `y` has categories (the first is uppermost), else vertical.

    Bars at one position are `stacked`, `grouped` side by side, or `overlaid` from `bar_base` to their value
    (a tornado). Points that are not finite, or not positive on a log axis, are left out and break a line.
    """

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    subtitle: str = ""
    note: str = ""
    bars: Literal["stacked", "grouped", "overlaid"] = "stacked"
    bar_base: float = 0.0

    def __post_init__(self) -> None:
        if self.x.categories is not None and self.y.categories is not None:
            raise InputError(f"chart {self.title!r} has categories on x and y; give one axis numbers")
        for axis, field in ((self.x, "x"), (self.y, "y")):
            for series in self.series if axis.categories is not None else ():
                _check_places(series, field, len(axis.categories or ()))
        if self.bar_base and not (self.bars == "overlaid" and _can_be_drawn(self.bar_base, False)):
            found = f"bar_base={self.bar_base} with bars={self.bars!r}"
            raise InputError(f"{found}: a base other than 0 is finite and needs bars='overlaid'")

    @property
    def horizontal(self) -> bool:
        """Whether bars run along x."""
        return self.y.categories is not None

    def places_and_values(self, series: Series) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Where the bars of a series stand, and how far they reach."""
        return (series.y, series.x) if self.horizontal else (series.x, series.y)


class Style(NamedTuple):
    """How a series is told from the others; `ink` is seen on a fill of `colour`."""

    colour: str
    ink: str
    hatch: str
    marker: Marker
    dash: Dash


def style(series: Series, position: int) -> Style:
    """The look of the series at this position of the chart."""
    colour = PALETTE[position % len(PALETTE)]
    return Style(
        colour,
        "#333333" if colour in LIGHT else "#ffffff",
        HATCHES[position % len(HATCHES)],
        series.marker or MARKERS[position % len(MARKERS)],
        series.dash or DASHES[position % len(DASHES)],
    )


def drawable(chart: Chart) -> Chart:
    """The chart with every point that cannot be drawn made NaN, and both ranges filled in."""
    kept = replace(chart, series=tuple(_with_holes(chart, series) for series in chart.series))
    x_range = chart.x.range or _bounds(kept, kept.x, along_x=True)
    y_range = chart.y.range or _bounds(kept, kept.y, along_x=False)
    return replace(kept, x=replace(kept.x, range=x_range), y=replace(kept.y, range=y_range))


def runs(series: Series) -> Iterator[range]:
    """The stretches of indices between the holes of a drawable series."""
    for whole, stretch in itertools.groupby(range(len(series.x)), key=lambda i: math.isfinite(series.x[i])):
        indices = list(stretch)
        if whole:
            yield range(indices[0], indices[-1] + 1)


def is_empty(series: Series) -> bool:
    """Whether no point of a drawable series is left."""
    return not any(map(math.isfinite, series.x))


def named_in_place(series: Series) -> bool:
    """Whether the name stands beside the point, so that the legend leaves it out."""
    return series.emphasis and series.mode != "bar" and not is_empty(series)


def legend_name(series: Series) -> str:
    """The name, saying so when there is nothing to draw."""
    return f"{series.name} (no points)" if is_empty(series) else series.name


def bar_spans(chart: Chart) -> list[Points]:
    """Where each bar of each series starts and ends along the value axis (no bars: an empty list)."""
    tops: dict[tuple[float, bool], float] = {}
    spans: list[Points] = []
    for series in chart.series:
        spans.append([])
        for place, value in zip(*chart.places_and_values(series), strict=True) if series.mode == "bar" else ():
            if chart.bars == "stacked" and math.isfinite(value):
                start = tops.get((place, value < 0), 0.0)
                tops[place, value < 0] = start + value
                spans[-1].append((start, start + value))
            else:
                spans[-1].append((chart.bar_base, value))
    return spans


def intervals(chart: Chart, series: Series, spans: Points) -> Points:
    """The interval of each point, moved with its bar where bars are stacked (no interval: an empty list)."""
    _, values = chart.places_and_values(series)
    ends = [end for _, end in spans] or values
    bounds = zip(series.y_low or (), series.y_high or (), ends, values, strict=False)
    return [(low + end - value, high + end - value) for low, high, end, value in bounds]


def has_band(chart: Chart, series: Series) -> bool:
    """Whether the interval of the series is a band rather than error bars."""
    return series.y_low is not None and series.mode not in ("markers", "bar") and not chart.horizontal


def band_outlines(chart: Chart, series: Series) -> list[Points]:
    """The closed outline of the interval band, one for each stretch of a drawable series without a hole."""
    if not has_band(chart, series):
        return []
    floor = chart.y.range[0] if chart.y.log and chart.y.range else -math.inf
    low, high = series.y_low or (), series.y_high or ()
    bounded = replace(series, x=tuple(x if math.isfinite(v) else NAN for x, v in zip(series.x, low, strict=True)))
    outlines: list[Points] = []
    for run in runs(bounded):
        upper, lower = ([(series.x[i], max(edge[i], floor)) for i in run] for edge in (high, low))
        if series.mode == "step":
            upper, lower = stepped(upper), stepped(lower)
        outlines.append(upper + lower[::-1])
    return outlines


def stepped(points: Points) -> Points:
    """The corners of a line that holds each value until the next point."""
    corners = points[:1]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


def plain(text: str) -> str:
    """The text on one line, without characters that XML forbids.

    >>> plain("a\\x00b\\n  c")
    'ab c'
    """
    return " ".join(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text).split())


def _check_places(series: Series, field: str, categories: int) -> None:
    beyond = next((v for v in getattr(series, field) if math.isfinite(v) and not -0.5 <= v <= categories - 0.5), None)
    if beyond is not None:
        rule = f"must be a position from 0 to {categories - 1} among the categories"
        raise InputError(f"{field}={beyond} of series {series.name!r} {rule}; count them from 0")


def _can_be_drawn(value: float, log: bool) -> bool:
    return math.isfinite(value) and abs(value) <= LARGEST and (not log or value >= SMALLEST)


def _can_end_axis(value: float, log: bool) -> bool:
    """As for points, with room beyond them for air and for the sums of stacked bars."""
    return math.isfinite(value) and abs(value) <= LARGEST**1.5 and (not log or value >= SMALLEST**1.5)


def _with_holes(chart: Chart, series: Series) -> Series:
    keep = [
        _can_be_drawn(x, chart.x.log) and _can_be_drawn(y, chart.y.log)
        for x, y in zip(series.x, series.y, strict=True)
    ]

    def holed(values: Iterable[float]) -> tuple[float, ...]:
        return tuple(float(v) if ok else NAN for v, ok in zip(values, keep, strict=True))

    kept = replace(series, x=holed(series.x), y=holed(series.y))
    alone = [len(run) == 1 for run in runs(kept)]
    if (kept.mode == "lines" and any(alone)) or (kept.mode == "step" and alone and all(alone)):
        kept = replace(kept, mode="lines+markers")  # a line through one point would not be seen
    if series.y_low is not None and series.y_high is not None:
        bounds = zip(keep, series.y_low, series.y_high, strict=True)
        keep = [ok and _can_be_drawn(low, False) and _can_be_drawn(high, False) for ok, low, high in bounds]
        kept = replace(kept, y_low=holed(series.y_low), y_high=holed(series.y_high))
    return kept


def _bounds(chart: Chart, axis: Axis, *, along_x: bool) -> tuple[float, float]:
    """The range of an axis that shows every point, interval and bar with a little air."""
    if axis.categories is not None:
        return -0.5, max(len(axis.categories), 1) - 0.5
    values: list[float] = []
    for series, spans in zip(chart.series, bar_spans(chart), strict=True):
        own = series.x if along_x else series.y
        values += own
        if along_x is chart.horizontal:  # the axis of the values, not of the places
            values += itertools.chain(*spans, *intervals(chart, series, spans))
        elif spans and not axis.log:
            places = sorted({place for place in own if math.isfinite(place)})
            gap = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
            values += (place + half for place in places for half in (-gap / 2, gap / 2))
    values = [v for v in values if math.isfinite(v) and (v >= SMALLEST or not axis.log)]
    if not values:
        return (1.0, 10.0) if axis.log else (0.0, 1.0)
    return (_padded_log if axis.log else _padded)(min(values), max(values))


def _padded_log(low: float, high: float) -> tuple[float, float]:
    air = (high / low) ** 0.04 if high / low > 1.02 else 2.0
    return low / air, high * air


def _padded(low: float, high: float) -> tuple[float, float]:
    extent = max(abs(low), abs(high))
    if high - low <= 1e-9 * extent or extent < SMALLEST:
        air = 0.1 * extent if extent >= SMALLEST else 1.0
        return low - air, high + air
    air = 0.05 * (high - low)
    if 0 <= low < 0.3 * high:  # so near to zero that the axis says more when it starts there
        return 0.0, high + air
    return (low - air, 0.0) if high == 0 else (low - air, high + air)
