"""Published figures as charts: which points are drawn, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from costline.figures_chart import Axis, Chart, Mode, Series
from costline.published.cells import FigureData

_LEAST_MOVE = 0.004
"""A point of a curve is left out if it lies nearer than this share of the sheet to the one before."""
_FEW_POINTS = 20
"""A curve of fewer points shows them."""
_PRINTED: Mapping[str, str] = {
    "erdil-2025-figure-4": "table_3",
    "erdil-2025-figure-7": "table_5",
    "erdil-2025-figure-8": "table_6",
}
"""Figures on whose curves the preferred setups of a printed table lie."""
_X_RANGES: Mapping[str, tuple[float, float]] = {"scaling-book-serving-pareto-chart": (4.0, 22.0)}
"""Where a curve that changes no more would take most of the sheet."""


def chart(figure: FigureData) -> Chart:
    """A figure as a chart: curves as lines, what is measured or printed as points."""
    series = [Series(one.name, *_thinned(one.x, one.y, figure), mode=_mode(one.name, one.x)) for one in figure.series]
    if figure.name in _PRINTED:
        series.append(_printed_setups(_PRINTED[figure.name]))
    x = Axis(figure.x_label, log=figure.x_log, range=_X_RANGES.get(figure.name))
    y = Axis(figure.y_label, log=figure.y_log)
    return Chart(figure.title, x, y, tuple(series), subtitle=figure.source, note=figure.note)


def _mode(name: str, x: Sequence[float]) -> Mode:
    if name == "measured" or name.endswith("as printed"):
        return "markers"
    return "lines" if len(x) >= _FEW_POINTS else "lines+markers"


def _printed_setups(table: str) -> Series:
    """Speed and cost of a table of preferred setups."""
    from costline.published.erdil_2025_data import printed_rows

    points = [(float(speed), float(cost)) for _, _, speed, cost, *_ in printed_rows(table)]
    name = f"preferred, {table.replace('_', ' ').capitalize()} as printed"
    return Series(name, tuple(x for x, _ in points), tuple(y for _, y in points), mode="markers", marker="star")


def _thinned(x: Sequence[float], y: Sequence[float], figure: FigureData) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The points of a curve that differ on the sheet from the one before, and its ends."""
    wide = _places([value for one in figure.series for value in one.x], figure.x_log)
    high = _places([value for one in figure.series for value in one.y], figure.y_log)
    across, up = _places(x, figure.x_log), _places(y, figure.y_log)
    width, height = max(wide) - min(wide) or 1.0, max(high) - min(high) or 1.0
    kept = [0]
    for index in range(1, len(across)):
        moved = abs(across[index] - across[kept[-1]]) / width + abs(up[index] - up[kept[-1]]) / height
        if moved >= _LEAST_MOVE or index == len(across) - 1:
            kept.append(index)
    return tuple(x[index] for index in kept), tuple(y[index] for index in kept)


def _places(values: Sequence[float], log: bool) -> list[float]:
    return [math.log10(value) if log else value for value in values]
