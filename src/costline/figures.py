"""Draw a chart: an interactive page with Plotly, and an SVG written by this project; both from one description.

Plotly's static export (kaleido 1) starts a Chrome at run time, which a planner's machine may lack. So the page
is Plotly's, with plotly.js inside it, and the SVG is our own text, drawn by `costline.figures_svg` from exactly
the same `Chart`.

Knows how to write both outputs. Knows nothing of plans, money or what a point means.
"""

from __future__ import annotations

import html as markup
import math
import os
import textwrap
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costline import figures_chart
from costline.errors import InputError
from costline.figures_chart import Axis, Chart, Series, Style
from costline.figures_svg import svg
from costline.quantities import MEGA, MICRO, significant

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Axis", "Chart", "Series", "html", "plotly_figure", "svg", "write"]


def plotly_figure(chart: Chart) -> go.Figure:
    """The chart as an interactive Plotly figure."""
    import plotly.graph_objects as go

    drawn = figures_chart.drawable(chart)
    traces: list[dict[str, Any]] = []
    for position, series in enumerate(drawn.series):
        traces += [_band(drawn, series, position)] if figures_chart.has_band(drawn, series) else []
        traces.append(_trace(drawn, series, position))
    return go.Figure(data=traces, layout=_layout(drawn))


def html(chart: Chart) -> str:
    """A self-contained page that works offline: plotly.js travels inside it."""
    body = plotly_figure(chart).to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="costline-figure",
        default_height="100%",
        config={
            "displaylogo": False,
            "showSendToCloud": False,  # a plan stays on the machine
            "responsive": True,
            "toImageButtonOptions": {"format": "svg"},
        },
    )
    title = markup.escape(figures_chart.plain(chart.title))
    least_px = 480 + 30 * len(chart.y.categories or ())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>body{{margin:0}}main{{height:100vh;min-height:{least_px}px}}</style>\n"
        f'</head>\n<body>\n<main aria-label="{title}">\n{body}\n</main>\n</body>\n</html>\n'
    )


def write(chart: Chart, folder: str | Path, stem: str) -> tuple[Path, Path]:
    """Write `stem.html` and `stem.svg` into the folder, each whole or not at all; returns their paths."""
    if not stem or Path(stem).name != stem:
        raise InputError(f"stem={stem!r} is not a file name; give a name without folders, such as 'frontier'")
    targets = Path(folder) / f"{stem}.html", Path(folder) / f"{stem}.svg"
    texts = html(chart), svg(chart)
    parts = [Path(folder) / f".{uuid.uuid4().hex}.part" for _ in targets]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for part, text in zip(parts, texts, strict=True):
            part.write_text(text, encoding="utf-8", newline="\n")
        for part, target in zip(parts, targets, strict=True):
            os.replace(part, target)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        _remove(parts)
        reason = getattr(error, "strerror", None) or error
        found = f"figure {stem!r} cannot be written to folder={str(folder)!r}"
        raise InputError(f"{found}: {reason}; give a folder that can be written to") from error
    return targets


def _remove(parts: Iterable[Path]) -> None:
    for part in parts:
        try:
            part.unlink(missing_ok=True)
        except (OSError, ValueError):  # the folder is a file, or cannot be written to: nothing was left there
            continue


def _rich(text: str, width: int = 110) -> str:
    """Text as Plotly reads it: its pseudo-HTML escaped, long lines broken."""
    lines = textwrap.wrap(figures_chart.plain(text), width, break_long_words=width > 40)
    return "<br>".join(markup.escape(line, quote=False) for line in lines)


def _holes_as_none(values: Iterable[float]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values]


def _band(chart: Chart, series: Series, position: int) -> dict[str, Any]:
    outlines = figures_chart.band_outlines(chart, series)
    points = [point for outline in outlines for point in (*outline, (math.nan, math.nan))]
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "line": {"width": 0},
        "x": _holes_as_none(x for x, _ in points), "y": _holes_as_none(y for _, y in points),
        "fillcolor": figures_chart.style(series, position).colour, "opacity": 0.2, "hoverinfo": "skip",
        "showlegend": False, "legendgroup": str(position), "name": _rich(series.name),
    }  # fmt: skip


def _trace(chart: Chart, series: Series, position: int) -> dict[str, Any]:
    look, name = figures_chart.style(series, position), _rich(figures_chart.legend_name(series), 40)
    trace: dict[str, Any] = {
        "name": name, "legendgroup": str(position),
        "x": _holes_as_none(series.x), "y": _holes_as_none(series.y),
        "showlegend": len(chart.series) > 1 and not figures_chart.named_in_place(series),
    }  # fmt: skip
    trace |= _bar(chart, series, look) if series.mode == "bar" else _scatter(series, look)
    if series.y_low is not None and not figures_chart.has_band(chart, series):
        trace["error_x" if chart.horizontal else "error_y"] = _error_bars(chart, series)
    return trace | _hover(chart, series, name)


def _hover(chart: Chart, series: Series, name: str) -> dict[str, Any]:
    texts = [_rich(text) for text in series.hover or ()]
    categories = chart.x.categories or chart.y.categories
    label = _rich(chart.x.label if chart.horizontal else chart.y.label)
    if not texts and categories:
        for place, value in zip(*chart.places_and_values(series), strict=True):
            known = math.isfinite(place) and 0 <= round(place) < len(categories)
            category = _rich(categories[round(place)]) if known else ""
            texts.append(f"{category}<br>{label}: {significant(value, 4)}")
    if texts:
        return {"hovertext": texts, "hovertemplate": f"%{{hovertext}}<extra>{name}</extra>"}
    found = f"{_rich(chart.x.label)}: %{{x:,.4~r}}<br>{label}: %{{y:,.4~r}}"
    return {"hovertemplate": f"{found}<extra>{name}</extra>"}


def _error_bars(chart: Chart, series: Series) -> dict[str, Any]:
    _, values = chart.places_and_values(series)
    return {
        "type": "data", "symmetric": False, "thickness": 1.2, "color": "#333333",
        "array": _holes_as_none(b - v for v, b in zip(values, series.y_high or (), strict=True)),
        "arrayminus": _holes_as_none(v - a for v, a in zip(values, series.y_low or (), strict=True)),
    }  # fmt: skip


def _bar(chart: Chart, series: Series, look: Style) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "type": "bar", "orientation": "h" if chart.horizontal else "v",
        "marker": {
            "color": look.colour, "line": {"color": "#ffffff", "width": 1},
            "pattern": {"shape": look.hatch, "fgcolor": look.ink, "bgcolor": look.colour, "size": 7, "solidity": 0.2},
        },
    }  # fmt: skip
    if chart.bars == "overlaid":
        _, values = chart.places_and_values(series)
        lengths = _holes_as_none(value - chart.bar_base for value in values)
        bar |= {"base": chart.bar_base, "x" if chart.horizontal else "y": lengths}
    return bar


def _scatter(series: Series, look: Style) -> dict[str, Any]:
    mode = "lines" if series.mode == "step" else series.mode
    marker: dict[str, Any] = {"color": look.colour, "symbol": look.marker, "size": 9}
    marker["line"] = {"color": "#ffffff", "width": 1}
    if series.emphasis:
        marker |= {"size": 18, "line": {"color": "#000000", "width": 2}}
        mode = mode if "markers" in mode else f"{mode}+markers"
    line = {"color": look.colour, "dash": look.dash, "width": 2}
    line["shape"] = "hv" if series.mode == "step" else "linear"
    return {"type": "scatter", "mode": mode, "line": line, "marker": marker}


def _labels(chart: Chart) -> list[dict[str, Any]]:
    """The name of each chosen point, on the side where there is more room."""
    labels: list[dict[str, Any]] = []
    for series in filter(figures_chart.named_in_place, chart.series):
        first = next(figures_chart.runs(series))[0]
        x, y = _axis_number(series.x[first], chart.x), _axis_number(series.y[first], chart.y)
        low, high = (_axis_number(end, chart.x) for end in chart.x.range or (0.0, 1.0))
        on_left = x < (low + high) / 2
        labels.append({
            "x": x, "y": y, "text": f"<b>{_rich(series.name, 40)}</b>", "bgcolor": "rgba(255,255,255,0.85)",
            "ax": 26 if on_left else -26, "ay": -26 - 24 * len(labels), "xanchor": "left" if on_left else "right",
            "showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": "#555555", "standoff": 9,
        })  # fmt: skip
    return labels


def _axis_number(value: float, axis: Axis) -> float:
    """A value as Plotly counts it along an axis: the logarithm on a log axis."""
    return math.log10(value) if axis.log else value


def _layout(chart: Chart) -> dict[str, Any]:
    heading, subtitle = _rich(chart.title, 80), _rich(chart.subtitle)
    title = {
        "text": f"<b>{heading}</b>", "font": {"size": 18}, "subtitle": {"text": subtitle},
        "x": 0.0, "xref": "paper", "y": 1.0, "yref": "container", "yanchor": "top", "pad": {"t": 26},
    }  # fmt: skip
    above_px = 90 + 24 * heading.count("<br>") + 17 * subtitle.count("<br>")
    x_title = _rich(chart.x.label)
    if chart.note:  # below the axis title, where it covers nothing
        x_title += f'<br><br><span style="font-size:11px">{_rich(chart.note)}</span>'
    y_axis = _axis(chart.y, 28 * len(chart.y.categories or ()))
    if chart.horizontal:  # the first category uppermost
        y_axis["range"].reverse()
    return {
        "template": "none", "title": title, "hovermode": "closest",
        "barmode": {"stacked": "relative", "grouped": "group", "overlaid": "overlay"}[chart.bars],
        "font": {"family": "Helvetica, Arial, sans-serif", "color": "#222222"},
        "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "margin": {"t": above_px, "r": 40, "b": 60},
        "annotations": _labels(chart),
        "xaxis": _axis(chart.x, 90) | {"title": {"text": x_title}},
        "yaxis": y_axis | {"title": {"text": _rich(chart.y.label, 50)}},
    }  # fmt: skip


def _axis(axis: Axis, characters: int) -> dict[str, Any]:
    """An axis with room for so many characters in the names of all its categories together."""
    low, high = axis.range or (0.0, 1.0)
    drawn: dict[str, Any] = {
        "range": [low, high], "automargin": True, "gridcolor": "#dddddd", "linecolor": "#666666",
        "showline": True, "zeroline": False, "ticks": "outside", "separatethousands": True,
        "exponentformat": "B",
    }  # fmt: skip
    if axis.categories is not None:
        width = max(10, characters // max(len(axis.categories), 1))
        names = [_rich(name, width) for name in axis.categories]
        return drawn | {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}
    if axis.log:
        ends = [_axis_number(low, axis), _axis_number(high, axis)]
        drawn |= {"type": "log", "range": ends, "minor": {"showgrid": True, "gridcolor": "#f0f0f0"}}
        plain_numbers = low > MICRO and high < MEGA
        if ends[1] - ends[0] <= 3.5 and (plain_numbers or low >= 1):  # 1, 2 and 5 within each decade
            drawn["tickformat"] = ",~g" if plain_numbers else "~s"
            drawn |= {"dtick": "D2"} if ends[1] - ends[0] >= 1 else {}
    return drawn
