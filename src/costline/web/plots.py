"""A chart as what Plotly draws in a page: its words apart, so that the page sets them in its own type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costline import figures, figures_chart
from costline.figures_chart import Chart
from costline.render import plain

_FEW, _SOME, _MANY = 3, 6, 10


def plot(chart: Chart) -> dict[str, Any]:
    """Title, subtitle and note as words, and data and layout as Plotly's."""
    words = {"title": chart.title, "subtitle": chart.subtitle, "note": chart.note}
    bare = replace(chart, title="", subtitle="", note="")
    return {**words, "size": _size(chart), "figure": plain(_figure(bare))}


def _figure(chart: Chart) -> dict[str, Any]:
    """As `figures.plotly_figure` has it, without its checks of every value, which take most of the time."""
    drawn = figures_chart.drawable(chart)
    traces: list[dict[str, Any]] = []
    for position, series in enumerate(drawn.series):
        if figures_chart.has_band(drawn, series):
            traces.append(figures._band(drawn, series, position))  # pyright: ignore[reportPrivateUsage]
        traces.append(figures._trace(drawn, series, position))  # pyright: ignore[reportPrivateUsage]
    layout = figures._layout(drawn)  # pyright: ignore[reportPrivateUsage]
    layout = {name: value for name, value in layout.items() if name not in ("title", "template")}
    if chart.horizontal:  # the names of the bars say what they are
        layout["yaxis"] = {name: value for name, value in layout["yaxis"].items() if name != "title"}
    return {"data": traces, "layout": {**layout, "template": {}, "margin": {"t": 8, "r": 16, "b": 40, "l": 8}}}


def _size(chart: Chart) -> str:
    """How much height the chart needs: one bar, a few, or many lines and names."""
    bars = len(chart.y.categories or ()) if chart.horizontal else 0
    if bars > _MANY:
        return "huge"
    names = sum(not series.emphasis for series in chart.series)
    if 0 < bars < _FEW:
        return "low"
    return "tall" if max(bars, names) > _SOME else "usual"
