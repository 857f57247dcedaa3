"""Draw a chart as SVG: text written by this project, with no browser and the same bytes at every run.

Plotly's static export needs a Chrome, which a planner's machine may lack; hence this writer of exactly one
description, `costline.figures_chart.Chart`. Which points are drawn, and how series are told apart, is decided
there, so that the page and the SVG agree.

Knows the sheet: title, legend, plot, marks. Knows nothing of files.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from costline import figures_chart
from costline.figures_axes import (
    PALE_INK,
    TEXT_PX,
    TITLE_PX,
    Plot,
    Scale,
    axes,
    axis_ticks,
    coordinate,
    grid,
    shortened,
    text_block,
    text_element,
    text_width_px,
    wrapped,
    xml_text,
)
from costline.figures_chart import Chart, Points, Series, Style
from costline.quantities import KILO

WIDTH_PX, PLOT_PX, MARGIN_PX = 840.0, 400.0, 24.0
ROOM_PX = WIDTH_PX - 2 * MARGIN_PX
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
RADIUS_PX, CHOSEN_RADIUS_PX = 4.5, 8.0
DASHES = {"solid": "", "dash": "8 5", "dot": "2 4", "dashdot": "9 4 2 4", "longdash": "15 5"}
HATCHES = {
    "/": "M-2,2l4,-4M0,8l8,-8M6,10l4,-4", "\\": "M-2,6l4,4M0,0l8,8M6,-2l4,4", "-": "M0,4h8", "|": "M4,0v8",
    "x": "M0,0l8,8M0,8l8,-8", "+": "M0,4h8M4,0v8", ".": "M3,4h2",
}  # fmt: skip
PLUS: Points = [
    (1, 3), (1, 1), (3, 1), (3, -1), (1, -1), (1, -3), (-1, -3), (-1, -1), (-3, -1), (-3, 1), (-1, 1), (-1, 3),
]  # fmt: skip
SPIKES = [(1.4 if k % 2 == 0 else 0.6, k * math.pi / 5) for k in range(10)]
POLYGONS: dict[str, Points] = {
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
    "triangle-up": [(0, -1.2), (1.15, 0.85), (-1.15, 0.85)],
    "triangle-down": [(0, 1.2), (1.15, -0.85), (-1.15, -0.85)],
    "cross": [(0.4 * a, 0.4 * b) for a, b in PLUS],
    "x": [(0.3 * (a - b), 0.3 * (a + b)) for a, b in PLUS],
    "star": [(radius * math.sin(angle), -radius * math.cos(angle)) for radius, angle in SPIKES],
}


def svg(chart: Chart) -> str:
    """The chart as the text of an SVG document."""
    drawn = figures_chart.drawable(chart)
    head, below = _head(drawn)
    plot = _plot(drawn, below + 8)
    labels, lowest = axes(drawn, plot)
    note = wrapped(drawn.note, ROOM_PX, 11, most=8)
    notes = text_block((MARGIN_PX, lowest + 28), note, size=11, fill=PALE_INK)
    height = coordinate(lowest + (28 + 14.3 * (len(note) - 1) if note else 0) + 16)
    body = [*_hatches(drawn), *head, *grid(drawn, plot), *_marks(drawn, plot), *labels, *notes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH_PX:g}" height="{height}"'
        f' viewBox="0 0 {WIDTH_PX:g} {height}" font-family="{FONTS}">\n'
        f"<title>{xml_text(chart.title)}</title>\n<desc>{xml_text(_description(drawn))}</desc>\n"
        f'<rect width="{WIDTH_PX:g}" height="{height}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _description(chart: Chart) -> str:
    counts = ", ".join(f"{s.name} ({sum(map(math.isfinite, s.x))} points)" for s in chart.series)
    axes_text = f"x: {chart.x.label}. y: {chart.y.label}. Series: {counts or 'none'}"
    return ". ".join(part for part in (chart.subtitle, axes_text, chart.note) if part)


# Above the plot


def _head(chart: Chart) -> tuple[list[str], float]:
    """Title, subtitle and legend, and how far down they reach."""
    title, y = wrapped(chart.title, ROOM_PX, 18), 30.0
    drawn = text_block((MARGIN_PX, y), title, size=18, font_weight="bold")
    y += 23.4 * (len(title) - 1) + 21
    subtitle = wrapped(chart.subtitle, ROOM_PX, TITLE_PX)
    drawn += text_block((MARGIN_PX, y), subtitle, size=TITLE_PX, fill=PALE_INK)
    y += 17 * len(subtitle) - 10
    entries = [(i, s) for i, s in enumerate(chart.series) if not figures_chart.named_in_place(s)]
    if len(chart.series) < 2 or not entries:
        return drawn, y
    x, y = MARGIN_PX, y + 15
    for position, series in entries:
        name = shortened(figures_chart.plain(figures_chart.legend_name(series)), ROOM_PX - 36)
        width = 36 + text_width_px(name)
        if x > MARGIN_PX and x + width > WIDTH_PX - MARGIN_PX:
            x, y = MARGIN_PX, y + 20
        drawn += _legend_sample(chart, series, figures_chart.style(series, position), (x, y - 4))
        drawn.append(text_element(x + 36, y, name))
        x += width + 16
    return drawn, y + 8


def _legend_sample(chart: Chart, series: Series, look: Style, place: tuple[float, float]) -> list[str]:
    x, y = place
    box = f'<rect x="{coordinate(x)}" y="{coordinate(y - 6)}" width="28" height="12"'
    if series.mode == "bar":
        return [f"{box}{_bar_fill(look)}/>"]
    sample: list[str] = []
    if figures_chart.has_band(chart, series):
        sample.append(f'{box} fill="{look.colour}" fill-opacity="0.2"/>')
    if series.mode != "markers":
        sample.append(f'<path d="M{coordinate(x)},{coordinate(y)}h28"{_line_style(look)}/>')
    if "markers" in series.mode:
        sample.append(f'<path d="{_marker(look.marker, RADIUS_PX)}"{_marker_style(series, look)}{_at(x + 14, y)}/>')
    return sample


def _plot(chart: Chart, top: float) -> Plot:
    """The rectangle of the points: as high as its rows need, as wide as the labels beside it leave."""
    rows = len(chart.y.categories or ())
    bottom = top + (min(max(34.0 * rows, 100.0), 4 * PLOT_PX) if chart.horizontal else PLOT_PX)
    (x_low, x_high), (y_low, y_high) = chart.x.range or (0.0, 1.0), chart.y.range or (0.0, 1.0)
    ends = (top, bottom) if chart.horizontal else (bottom, top)
    y = Scale(y_low, y_high, chart.y.log, *ends)
    y_ticks = axis_ticks(chart.y, y, room=240, upright=True)
    widest = max((text_width_px(line) for tick in y_ticks for line in tick.lines), default=0.0)
    title = 17 * len(wrapped(chart.y.label, bottom - top, TITLE_PX)) + 4
    left, right = MARGIN_PX + title + widest + 9, WIDTH_PX - MARGIN_PX - 8
    x = Scale(x_low, x_high, chart.x.log, left, right)
    band = (right - left) / max(len(chart.x.categories or ()), 1)
    return Plot(left, top, right, bottom, x, y, axis_ticks(chart.x, x, room=band - 8, upright=False), y_ticks)


# Marks


def _marks(chart: Chart, plot: Plot) -> list[str]:
    """Bands, bars and lines cut off at the plot's edge; then markers; then the names of chosen points."""
    looks = [(series, figures_chart.style(series, i)) for i, series in enumerate(chart.series)]
    inside = [path for series, look in looks for path in _band(chart, plot, series, look)]
    inside += _bars(chart, plot)
    inside += [path for series, look in looks for path in _line(plot, series, look)]
    inside += [path for series, _ in looks if series.mode != "bar" for path in _whiskers(chart, plot, series, [])]
    corner, size = (plot.left, plot.top), (plot.right - plot.left, plot.bottom - plot.top)
    x, y, width, height = map(coordinate, (*corner, *size))
    clip = f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}">'
    looks.sort(key=lambda pair: pair[0].emphasis)
    markers = [path for series, look in looks for path in _markers(plot, series, look)]
    return [clip, *inside, "</svg>", *markers, *_names(plot, chart.series)]


def _band(chart: Chart, plot: Plot, series: Series, look: Style) -> list[str]:
    outlines = figures_chart.band_outlines(chart, series)
    paths = [_path(thinned([(plot.x.px(x), plot.y.px(y)) for x, y in outline])) for outline in outlines]
    return [f'<path d="{path}Z" fill="{look.colour}" fill-opacity="0.2"/>' for path in paths]


def _line(plot: Plot, series: Series, look: Style) -> list[str]:
    if series.mode in ("markers", "bar"):
        return []
    strokes = ""
    for run in figures_chart.runs(series):
        points = thinned([(plot.x.px(series.x[i]), plot.y.px(series.y[i])) for i in run])
        strokes += _path(figures_chart.stepped(points) if series.mode == "step" else points)
    return [f'<path d="{strokes}"{_line_style(look)}/>'] if strokes else []


def thinned(points: Points) -> Points:
    """A line that looks the same: of many points in one pixel column the first, lowest, highest and last.

    >>> thinned([(0.0, 5.0), (0.1, 9.0), (0.2, 7.0), (0.3, 1.0), (0.4, 2.0), (0.5, 3.0)])
    [(0.0, 5.0), (0.1, 9.0), (0.3, 1.0), (0.5, 3.0)]
    """
    kept: Points = []
    for _, column in itertools.groupby(points, key=lambda point: math.floor(point[0])):
        members = list(column)
        heights = [y for _, y in members]
        ends = {0, heights.index(min(heights)), heights.index(max(heights)), len(members) - 1}
        kept += [members[i] for i in sorted(ends)]
    return kept


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{coordinate(x)},{coordinate(y)}" for x, y in points)


def _line_style(look: Style) -> str:
    dashes = f' stroke-dasharray="{DASHES[look.dash]}"' if DASHES[look.dash] else ""
    return f' fill="none" stroke="{look.colour}" stroke-width="2" stroke-linejoin="round"{dashes}'


def _points(plot: Plot, series: Series) -> list[tuple[int, float, float]]:
    """Index and place of each point that lies inside the plot."""
    places = (
        (i, plot.x.px(x), plot.y.px(y))
        for i, (x, y) in enumerate(zip(series.x, series.y, strict=True))
        if math.isfinite(x)
    )
    return [(i, x, y) for i, x, y in places if plot.holds(x, y)]


def _markers(plot: Plot, series: Series, look: Style) -> list[str]:
    if "markers" not in series.mode and not figures_chart.named_in_place(series):
        return []
    points = _points(plot, series)
    if len(points) > 5 * KILO:  # so dense that one marker in each small cell looks the same
        points = list({(x // 3, y // 3): (i, x, y) for i, x, y in points}.values())
    shape = _marker(look.marker, CHOSEN_RADIUS_PX if series.emphasis else RADIUS_PX)
    drawn = [f"<g{_marker_style(series, look)}><title>{xml_text(series.name)}</title>"]
    for i, x, y in points:
        hover = f"><title>{xml_text(series.hover[i])}</title></path>" if series.hover else "/>"
        drawn.append(f'<path d="{shape}"{_at(x, y)}{hover}')
    return [*drawn, "</g>"]


def _at(x: float, y: float) -> str:
    return f' transform="translate({coordinate(x)} {coordinate(y)})"'


def _marker(name: str, radius: float) -> str:
    if name == "circle":
        arc = f"a{radius:g},{radius:g} 0 1,0 "
        return f"M-{radius:g},0{arc}{2 * radius:g},0{arc}-{2 * radius:g},0Z"
    return _path((x * radius, y * radius) for x, y in POLYGONS[name]) + "Z"


def _marker_style(series: Series, look: Style) -> str:
    outline = 'stroke="#000000" stroke-width="2"' if series.emphasis else 'stroke="#ffffff" stroke-width="0.8"'
    return f' fill="{look.colour}" {outline}'


def _names(plot: Plot, series: Sequence[Series]) -> list[str]:
    """The name of each chosen point, where it covers the fewest others."""
    taken = [(x, y) for one in series if one.mode != "bar" for _, x, y in _points(plot, one)]
    drawn: list[str] = []
    for one in filter(figures_chart.named_in_place, series):
        for _, x, y in _points(plot, one)[:1]:
            name = shortened(figures_chart.plain(one.name), (plot.right - plot.left) / 2)
            width = 1.08 * text_width_px(name)  # bold
            left, base = _free_place(plot, (x, y), width, taken)
            taken += [(left + 8 * k, base - 4) for k in range(int(width / 8) + 1)]
            drawn.append(
                text_element(
                    left, base, name, font_weight="bold", stroke="#ffffff", stroke_width="4", paint_order="stroke"
                )
            )
    return drawn


def _free_place(plot: Plot, point: tuple[float, float], width: float, taken: Points) -> tuple[float, float]:
    """Where a name of this width starts beside a point: left end and baseline."""
    x, y = point
    beside = [(x + dx, y + dy) for dx in (14, -14 - width) for dy in (4, -10, 18)]

    def cost(place: tuple[float, float]) -> tuple[bool, int]:
        left, base = place
        outside = not (plot.holds(left, base - TEXT_PX) and plot.holds(left + width, base + 4))
        covered = (left - 5 < tx < left + width + 5 and base - 15 < ty < base + 8 for tx, ty in taken)
        return outside, sum(covered)

    return min([*beside, (x - width / 2, y - 14), (x - width / 2, y + 24)], key=cost)


def _whisker(place: float, ends: tuple[float, float], horizontal: bool) -> str:
    """The path of an interval: a line with caps."""
    at, low, high = map(coordinate, (place, *ends))
    if horizontal:
        return f"M{low},{at}H{high}M{low},{at}m0,-4v8M{high},{at}m0,-4v8"
    return f"M{at},{low}V{high}M{at},{low}m-4,0h8M{at},{high}m-4,0h8"


def _whiskers(chart: Chart, plot: Plot, series: Series, spans: Points, shift: float = 0.0) -> list[str]:
    """The intervals of points or bars as error bars."""
    if figures_chart.has_band(chart, series):
        return []
    across, along = (plot.y, plot.x) if chart.horizontal else (plot.x, plot.y)
    places, _ = chart.places_and_values(series)
    path = "".join(
        _whisker(across.px(place) + shift, (along.px(low), along.px(high)), chart.horizontal)
        for place, (low, high) in zip(places, figures_chart.intervals(chart, series, spans), strict=False)
        if math.isfinite(low)
    )
    return [f'<path d="{path}" fill="none" stroke="#333333" stroke-width="1.2"/>'] if path else []


def _bars(chart: Chart, plot: Plot) -> list[str]:
    """Bars, and above them the error bars of their values."""
    across, along = (plot.y, plot.x) if chart.horizontal else (plot.x, plot.y)
    bars = [(i, series) for i, series in enumerate(chart.series) if series.mode == "bar"]
    side_by_side = len(bars) if chart.bars == "grouped" else 1
    width = _bar_width(across.px(p) for _, s in bars for p in chart.places_and_values(s)[0])
    width /= max(side_by_side, 1)
    spans = figures_chart.bar_spans(chart)
    drawn: list[tuple[float, str]] = []
    whiskers: list[str] = []
    for order, (position, series) in enumerate(bars):
        shift = width * (order % side_by_side + 0.5 - side_by_side / 2)  # of the middle of the bar
        fill = _bar_fill(figures_chart.style(series, position))
        places, _ = chart.places_and_values(series)
        for i, (place, (start, end)) in enumerate(zip(places, spans[position], strict=True)):
            if math.isfinite(end):
                low, high = sorted((along.px(start), along.px(end)))
                box = (low, across.px(place) + shift - width / 2, high - low, width)
                hover = series.hover[i] if series.hover else series.name
                drawn.append((high - low, _bar(box, f"{fill}><title>{xml_text(hover)}</title>", chart.horizontal)))
        whiskers += _whiskers(chart, plot, series, spans[position], shift)
    if chart.bars == "overlaid":  # the longer ones behind
        drawn.sort(key=lambda bar: -bar[0])
    return [text for _, text in drawn] + whiskers


def _bar_width(places: Iterable[float]) -> float:
    """Of the bars at one place together, in pixels: three quarters of the least distance between places."""
    apart = sorted({place for place in places if math.isfinite(place)})
    return min(0.76 * min((b - a for a, b in itertools.pairwise(apart)), default=80.0), 96.0)


def _bar(box: tuple[float, float, float, float], content: str, horizontal: bool) -> str:
    along, across, length, width = map(coordinate, box)
    place = f'x="{along}" y="{across}" width="{length}" height="{width}"'
    if not horizontal:
        place = f'x="{across}" y="{along}" width="{width}" height="{length}"'
    return f"<rect {place}{content}</rect>"


def _bar_fill(look: Style) -> str:
    fill = f"url(#costline-hatch-{look.colour[1:]})" if look.hatch else look.colour
    return f' fill="{fill}" stroke="#ffffff"'


def _hatches(chart: Chart) -> list[str]:
    """Fill patterns of the bars; colour and hatch go together, so charts on one page agree on what an id is."""
    looks = {figures_chart.style(series, i)[:3] for i, series in enumerate(chart.series) if series.mode == "bar"}
    patterns = [
        f'<pattern id="costline-hatch-{colour[1:]}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{colour}"/><path d="{HATCHES[hatch]}" stroke="{ink}"'
        ' stroke-width="1.4" stroke-opacity="0.75"/></pattern>'
        for colour, ink, hatch in sorted(looks)
        if hatch
    ]
    return ["<defs>", *patterns, "</defs>"] if patterns else []
