"""The axes of an SVG chart: scales, ticks, text that fits its room, gridlines and labels.

Knows pixels along one axis and how wide a text is. Knows nothing of series and how they are drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from costline.figures_chart import Axis, Chart, plain
from costline.quantities import GIGA, KILO, MEGA, PETA, TERA

INK, PALE_INK, GRID, MINOR_GRID = "#222222", "#555555", "#dddddd", "#f1f1f1"
TEXT_PX, TITLE_PX = 12.0, 13.0
FAR_PX = 20_000.0  # a point outside the range is drawn no farther out than this
NARROW, WIDE = "il.,:;'|!jI()[]/ tfr-", "mwMW%@"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SLANT = 35.0  # degrees, of category names too long to stand upright


@dataclass(frozen=True)
class Scale:
    """From a value of an axis to pixels."""

    low: float
    high: float
    log: bool
    start_px: float
    end_px: float

    def px(self, value: float) -> float:
        """Where a value lies; a log axis puts what is not positive at its low end."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value if value > 0 else low)
        place = self.start_px + (value - low) / (high - low) * (self.end_px - self.start_px)
        return min(max(place, -FAR_PX), FAR_PX)


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; a label may have several lines."""

    value: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    """The rectangle in which points lie, with its scales and ticks."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale
    x_ticks: list[Tick]
    y_ticks: list[Tick]

    def holds(self, x_px: float, y_px: float) -> bool:
        """Whether a place lies inside, the edge included."""
        return self.left - 0.01 <= x_px <= self.right + 0.01 and self.top - 0.01 <= y_px <= self.bottom + 0.01


# Text


def coordinate(value: float) -> str:
    """A number of pixels as SVG writes it.

    >>> coordinate(12.0), coordinate(0.126), coordinate(-0.001)
    ('12', '0.13', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def xml_text(text: str) -> str:
    """Text as it stands between tags."""
    return escape(plain(text))


def text_width_px(text: str, size: float = TEXT_PX) -> float:
    """About how wide a text is in a sans-serif face, rather too wide than too narrow.

    >>> text_width_px("il") < text_width_px("MW")
    True
    """
    ems = (
        0.38 if c in NARROW else 0.92 if c in WIDE else 0.72 if c.isupper() else 0.6 if ord(c) < 0x1100 else 1.05
        for c in text
    )
    return size * sum(ems)


def shortened(text: str, room: float, size: float = TEXT_PX) -> str:
    """The text, or as much of it as there is room for and an ellipsis."""
    if text_width_px(text, size) <= room:
        return text
    ends = itertools.accumulate(text_width_px(c, size) for c in text)
    fitting = sum(end + text_width_px("…", size) <= room for end in ends)
    return text[:fitting].rstrip() + "…"


def wrapped(text: str, room: float, size: float = TEXT_PX, most: int = 2) -> tuple[str, ...]:
    """At most `most` lines that fit the room, broken between words; what is left over ends in an ellipsis."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and (text_width_px(f"{lines[-1]} {word}", size) <= room or len(lines) == most):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return tuple(shortened(line, room, size) for line in lines)


def balanced(text: str, room: float, most: int) -> tuple[str, ...]:
    """Text wrapped into lines of much the same width, no more of them than the room asks for."""
    full = wrapped(text, room, most=most)
    tries = (wrapped(text, room * tenth / 10, most=most) for tenth in range(4, 10))
    return next((t for t in tries if len(t) == len(full) and " ".join(t) == " ".join(full)), full)


def text_element(x: float, y: float, text: str, *, size: float = TEXT_PX, **attributes: str) -> str:
    """One line of text with its baseline at y."""
    named = {"fill": INK, **attributes}
    more = "".join(f" {key.replace('_', '-')}={quoteattr(value)}" for key, value in named.items())
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}" font-size="{size:g}"{more}>{xml_text(text)}</text>'


def text_block(place: tuple[float, float], lines: Sequence[str], *, size: float, **attributes: str) -> list[str]:
    """Lines of text downwards from a first baseline."""
    x, y = place
    return [text_element(x, y + 1.3 * size * i, line, size=size, **attributes) for i, line in enumerate(lines)]


# Ticks


def axis_ticks(axis: Axis, scale: Scale, *, room: float, upright: bool) -> list[Tick]:
    """The ticks of an axis; `room` is the width for the name of a category, `upright` says it is the y axis."""
    if axis.categories is None:
        return numeric_ticks(scale, upright=upright)
    stride = max(1, math.ceil(16 * len(axis.categories) / abs(scale.end_px - scale.start_px)))
    ticks: list[Tick] = []
    for i, name in enumerate(map(plain, axis.categories)):
        fits = upright or all(text_width_px(word) <= room for word in name.split())
        lines = balanced(name, room, 2 if upright else 3) if fits else (name,)
        ticks += [Tick(float(i), lines)] if i % stride == 0 else []
    return ticks


def numeric_ticks(scale: Scale, *, upright: bool) -> list[Tick]:
    """Round values whose labels have room: 1-2-5 within a decade on a log axis of few decades, else decades."""
    for values in _tick_choices(scale):
        labels = tick_labels(values, log=scale.log)
        ticks = [Tick(value, (label,)) for value, label in zip(values, labels, strict=True)]
        if _have_room(ticks, scale, upright=upright):
            return ticks
    return []


def _tick_choices(scale: Scale) -> Iterator[list[float]]:
    """Tick values from dense to sparse; a log axis of less than about a decade takes those of a linear one."""
    if scale.log:
        decades = math.log10(scale.high) - math.log10(scale.low)
        exponents = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
        spaced = [((1,), stride) for stride in (1, 2, 3, 5, 10, 20, 50)]
        for digits, stride in [((1, 2, 5), 1), *spaced] if decades <= 3.5 else spaced:
            values = [digit * 10.0**e for e in exponents if e % stride == 0 for digit in digits]
            inside = [v for v in values if scale.low <= v * (1 + 1e-12) and v <= scale.high * (1 + 1e-12)]
            if len(inside) > 2:
                yield inside
    finest = math.floor(math.log10(scale.high - scale.low)) - 1
    for exponent, digit in itertools.product(range(finest, finest + 3), (1, 2, 5)):
        step = digit * 10.0**exponent
        first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
        yield [k * step for k in range(first, last + 1)]


def _have_room(ticks: Sequence[Tick], scale: Scale, *, upright: bool) -> bool:
    reach = [11.0 if upright else text_width_px(tick.lines[0]) / 2 + 7 for tick in ticks]
    ends = sorted((scale.px(t.value) - half, scale.px(t.value) + half) for t, half in zip(ticks, reach, strict=True))
    return len(ticks) <= (12 if scale.log else 9) and all(a[1] <= b[0] for a, b in itertools.pairwise(ends))


def tick_labels(values: Sequence[float], *, log: bool) -> list[str]:
    """Numbers for one axis, with one suffix and as many decimals as they need together.

    On a log axis of a decade or more each has its own, unless one is so small or large that all are written as powers.

    >>> tick_labels([0.0, 2500.0, 5000.0], log=False), tick_labels([0.5, 5.0, 20000.0], log=True)
    (['0', '2,500', '5,000'], ['0.5', '5', '20k'])
    >>> tick_labels([1e-7, 2e-7], log=True)
    ['10⁻⁷', '2×10⁻⁷']
    """
    sizes = [abs(value) for value in values if value]
    if not sizes or max(sizes) >= PETA or (min(sizes) if log else max(sizes)) < 1e-4:
        return [_scientific(value) for value in values]
    if log and max(sizes) >= 10 * min(sizes):
        return [_suffixed([value], 10 * KILO)[0] for value in values]
    return _suffixed(values, 100 * KILO)


def _suffixed(values: Sequence[float], least: float) -> list[str]:
    """Numbers with k, M, B or T where the largest is at least `least`."""
    largest = max(map(abs, values))
    suffixes = ((TERA, "T"), (GIGA, "B"), (MEGA, "M"), (KILO, "k"))
    factor, suffix = next(((f, s) for f, s in suffixes if largest >= max(f, least)), (1.0, ""))
    scaled = [value / factor for value in values]
    near = min((abs(b - a) / 100 for a, b in itertools.pairwise(scaled)), default=1e-9 * largest / factor)
    decimals = next((d for d in range(14) if all(abs(round(v, d) - v) <= near for v in scaled)), 14)
    return ["0" if suffix and not v else f"{v:,.{decimals}f}{suffix}" for v in scaled]


def _scientific(value: float) -> str:
    if value == 0:
        return "0"
    digits, exponent = f"{value:.9e}".split("e")
    digits = digits.rstrip("0").rstrip(".")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if digits == "1" else f"{digits}×{power}"


# Drawing


def minor_places(scale: Scale) -> list[float]:
    """Where minor gridlines lie: 2 to 9 times each decade of a log axis."""
    if not scale.log or scale.high / scale.low > 100 * MEGA:
        return []
    exponents = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    places = (digit * 10.0**exponent for exponent in exponents for digit in range(2, 10))
    return [place for place in places if scale.low < place < scale.high]


def grid(chart: Chart, plot: Plot) -> list[str]:
    """Gridlines: major ones at the ticks of numeric axes, minor ones on log axes."""
    xs = [] if chart.x.categories else [tick.value for tick in plot.x_ticks]
    ys = [] if chart.y.categories else [tick.value for tick in plot.y_ticks]
    tall, wide = f",{coordinate(plot.top)}V{coordinate(plot.bottom)}", f"H{coordinate(plot.right)}"
    lines: list[str] = []
    for colour, at_x, at_y in ((MINOR_GRID, minor_places(plot.x), minor_places(plot.y)), (GRID, xs, ys)):
        path = "".join(f"M{coordinate(plot.x.px(value))}{tall}" for value in at_x)
        path += "".join(f"M{coordinate(plot.left)},{coordinate(plot.y.px(value))}{wide}" for value in at_y)
        lines += [f'<path d="{path}" stroke="{colour}" fill="none"/>'] if path else []
    return lines


def axes(chart: Chart, plot: Plot) -> tuple[list[str], float]:
    """Axis lines, tick labels and axis titles; and the baseline of the lowest text."""
    left, bottom = coordinate(plot.left), coordinate(plot.bottom)
    edge = f"M{left},{coordinate(plot.top)}V{bottom}H{coordinate(plot.right)}"
    edge += "".join(f"M{coordinate(plot.x.px(tick.value))},{bottom}v5" for tick in plot.x_ticks)
    edge += "".join(f"M{left},{coordinate(plot.y.px(tick.value))}h-5" for tick in plot.y_ticks)
    drawn = [f'<path d="{edge}" stroke="{PALE_INK}" fill="none"/>']
    for tick in plot.y_ticks:
        first = plot.y.px(tick.value) + 4 - 0.65 * TEXT_PX * (len(tick.lines) - 1)
        drawn += text_block((plot.left - 9, first), tick.lines, size=TEXT_PX, text_anchor="end")
    labels, lowest = _x_labels(chart, plot)
    titles, lowest = _axis_titles(chart, plot, lowest)
    return drawn + labels + titles, lowest


def _axis_titles(chart: Chart, plot: Plot, lowest: float) -> tuple[list[str], float]:
    lines = wrapped(chart.x.label, plot.right - plot.left, TITLE_PX)
    below = (plot.left + plot.right) / 2, lowest + 24
    drawn = text_block(below, lines, size=TITLE_PX, text_anchor="middle")
    height = (plot.top + plot.bottom) / 2
    widest = max((text_width_px(line) for tick in plot.y_ticks for line in tick.lines), default=0.0)
    upright = wrapped(chart.y.label, plot.bottom - plot.top, TITLE_PX)
    start = plot.left - 9 - widest - 12 - 17 * (len(upright) - 1)
    turn = f"rotate(-90 {coordinate(start)} {coordinate(height)})"
    drawn += text_block((start, height), upright, size=TITLE_PX, text_anchor="middle", transform=turn)
    return drawn, lowest + (24 + 17 * (len(lines) - 1) if lines else 0)


def _x_labels(chart: Chart, plot: Plot) -> tuple[list[str], float]:
    """Tick labels of the x axis, slanted where a name has no room; and their lowest baseline."""
    ticks, top = plot.x_ticks, plot.bottom + 19
    band = (plot.right - plot.left) / max(len(chart.x.categories or ()), 1)
    if chart.x.categories is None or all(text_width_px(line) <= band for t in ticks for line in t.lines):
        blocks = [
            text_block((plot.x.px(tick.value), top), tick.lines, size=TEXT_PX, text_anchor="middle")
            for tick in ticks
        ]
        return list(itertools.chain(*blocks)), top + 1.3 * TEXT_PX * (max(map(len, blocks), default=1) - 1)
    drawn, depth = list[str](), 0.0
    for tick in ticks:
        x = plot.x.px(tick.value)
        room = min(180.0, (x - 8) / math.cos(math.radians(SLANT)))
        name = shortened(" ".join(tick.lines), room)
        depth = max(depth, text_width_px(name) * math.sin(math.radians(SLANT)))
        turn = f"rotate({-SLANT:g} {coordinate(x)} {coordinate(top - 3)})"
        drawn.append(text_element(x, top - 3, name, text_anchor="end", transform=turn))
    return drawn, top + depth
