"""The drawing room: both outputs show the same points, in the right place, and nothing is half-written."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline import figures, figures_axes, figures_chart, figures_svg
from costline.errors import InputError
from costline.figures import Axis, Chart, Series, html, plotly_figure, svg, write

SVG = "{http://www.w3.org/2000/svg}"
FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def frontier() -> Chart:
    """A Pareto frontier on log axes, with an interval and a chosen point."""
    xs = tuple(10 * 1.13**i for i in range(30))
    series = [
        Series(name, xs, tuple(scale * 9_000 / (1 + (x / 40) ** 1.6) for x in xs))
        for name, scale in (("H100 SXM", 1.0), ("H200 SXM", 1.5), ("B200 SXM", 3.4), ("MI300X", 1.2))
    ]
    low, high = tuple(0.8 * y for y in series[0].y), tuple(1.2 * y for y in series[0].y)
    series[0] = replace(series[0], y_low=low, y_high=high)
    chosen = Series("chosen", (xs[14],), (series[2].y[14],), mode="markers", emphasis=True)
    x, y = Axis("Interactivity [tokens/s/user]", log=True), Axis("Throughput [tokens/s]", log=True)
    return Chart("Frontier", x, y, (*series, chosen), subtitle="8k in", note="Band: 80 %")


def step_time(bars: Any = "stacked") -> Chart:
    """Step time by term for six configurations."""
    names = tuple(f"H100 TP{2**i} batch {64 * i}" for i in range(6))
    terms = {
        "weights": (3, 3.2, 4, 2, 3.1, 8),
        "KV cache": (0.1, 4, 5, 3, 3.4, 9),
        "all-reduce": (1, 2, 1, 1, 2, 1),
    }
    series = tuple(Series(k, tuple(range(6)), v, mode="bar") for k, v in terms.items())
    return Chart("Step time", Axis("Configuration", categories=names), Axis("Time [ms]"), series, bars=bars)


def tornado() -> Chart:
    """What two assumptions are worth around a base of 1.05."""
    names = ("Accelerator price", "Utilization")
    low = Series("low", (0.62, 0.68), (0, 1), mode="bar")
    high = Series("high", (1.7, 1.9), (0, 1), mode="bar")
    y = Axis("", categories=names)
    return Chart("Worth", Axis("Cost [USD/Mtok]"), y, (low, high), bars="overlaid", bar_base=1.05)


def cdf() -> Chart:
    """Shares of requests as steps."""
    series = [
        Series(
            f"{k} replicas",
            tuple(100 / k + 3 * i for i in range(99)),
            tuple(i / 98 for i in range(99)),
            mode="step",
        )
        for k in (4, 6, 8)
    ]
    return Chart("TTFT", Axis("TTFT [ms]"), Axis("Share of requests", range=(0, 1)), tuple(series))


EXAMPLES = {
    "frontier": frontier(),
    "stacked": step_time(),
    "grouped": step_time("grouped"),
    "tornado": tornado(),
    "cdf": cdf(),
}


def two_axes(series: tuple[Series, ...], *, log: bool = False) -> Chart:
    return Chart("t", Axis("x", log=log), Axis("y", log=log), series)


def number(label: str) -> float | None:
    match = re.fullmatch(r"(-?[\d,.]+)([kMBT]?)", label)
    return float(match[1].replace(",", "")) * FACTORS[match[2]] if match else None


def read_scale(root: ET.Element, axis: str) -> list[tuple[float, float]]:
    """(value, pixel) of each labelled tick, as a reader of the picture sees them."""
    anchor, field, shift = ("middle", "x", 0.0) if axis == "x" else ("end", "y", 4.0)
    found: list[tuple[float, float]] = []
    for text in root.iter(f"{SVG}text"):
        value = number(text.text or "")
        if text.get("text-anchor") == anchor and value is not None and text.get("transform") is None:
            found.append((value, float(text.get(field, "nan")) - shift))
    return found


def pixel(ticks: list[tuple[float, float]], value: float, *, log: bool) -> float:
    """Where a value must lie, by the first and the last labelled tick."""
    (a, at_a), (b, at_b) = ticks[0], ticks[-1]
    if log:
        a, b, value = math.log(a), math.log(b), math.log(value)
    return at_a + (value - a) / (b - a) * (at_b - at_a)


def markers(root: ET.Element) -> dict[str, list[tuple[float, float]]]:
    """The places of markers by series name."""
    found: dict[str, list[tuple[float, float]]] = {}
    for group in root.iter(f"{SVG}g"):
        places = [re.findall(r"[-\d.]+", path.get("transform", "")) for path in group.iter(f"{SVG}path")]
        found[group.findtext(f"{SVG}title", "")] = [(float(x), float(y)) for x, y in places]
    return found


def rectangles(root: ET.Element, name: str) -> list[dict[str, float]]:
    """The bars whose hover text is `name`."""
    fields = ("x", "y", "width", "height")
    return [
        {field: float(rect.get(field, "nan")) for field in fields}
        for rect in root.iter(f"{SVG}rect")
        if rect.findtext(f"{SVG}title") == name
    ]


# The description


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Axis("TTFT", range=(2, 1)), "range=(2, 1) of axis 'TTFT'"),
        (lambda: Axis("TTFT", range=(1, math.inf)), "finite"),
        (lambda: Axis("TTFT", range=(1, 1 + 1e-15)), "well below"),
        (lambda: Axis("TTFT", log=True, range=(0, 1)), "> 0 on a log axis"),
        (lambda: Axis("TTFT", log=True, categories=("a",)), "log=True and categories"),
        (lambda: Series("a", (1, 2), (1,)), "y of series 'a' has 1 values"),
        (lambda: Series("a", (1,), (1,), hover=()), "hover of series 'a' has 0 values"),
        (lambda: Series("a", (1,), (1,), y_low=(1,)), "both or neither"),
        (lambda: replace(tornado(), x=Axis("x", categories=("a",))), "categories on x and y"),
        (lambda: replace(tornado(), bars="stacked"), "bar_base=1.05"),
        (lambda: replace(tornado(), y=Axis("", categories=("a",))), "y=1 of series 'low'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(make: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_forty_series_all_differ_without_colour() -> None:
    looks = [figures_chart.style(Series("a", (), ()), i) for i in range(40)]
    assert len({(look.marker, look.dash) for look in looks}) == 40
    assert len({look.hatch for look in looks[:8]}) == len({look.colour for look in looks[:8]}) == 8


def test_a_given_dash_and_marker_are_kept() -> None:
    look = figures_chart.style(Series("a", (), (), dash="dot", marker="star"), 0)
    assert (look.dash, look.marker) == ("dot", "star")


@pytest.mark.parametrize(("log", "kept"), [(False, [-1.0, 0.0, 2.0]), (True, [2.0])])
def test_points_that_cannot_be_drawn_are_left_out(log: bool, kept: list[float]) -> None:
    values = (-1.0, 0.0, 2.0, math.nan, math.inf, -math.inf, 1e200)
    chart = figures_chart.drawable(Chart("t", Axis("x", log=log), Axis("y"), (Series("a", values, values),)))
    assert [x for x in chart.series[0].x if math.isfinite(x)] == kept
    low, high = chart.x.range or (0, 0)
    assert low <= min(kept)
    assert high >= max(kept)


def test_bars_stack_up_and_down_apart() -> None:
    chart = two_axes(
        tuple(Series(n, (0, 1), v, mode="bar") for n, v in (("a", (3, -1)), ("b", (2, -2)), ("c", (-4, 5))))
    )
    assert figures_chart.bar_spans(chart) == [[(0, 3), (0, -1)], [(3, 5), (-1, -3)], [(0, -4), (0, 5)]]


def test_the_interval_of_a_stacked_bar_moves_with_it() -> None:
    below = Series("a", (0,), (3,), mode="bar")
    above = Series("b", (0,), (2,), mode="bar", y_low=(1,), y_high=(2.5,))
    chart = two_axes((below, above))
    assert figures_chart.intervals(chart, above, figures_chart.bar_spans(chart)[1]) == [(4, 5.5)]


# Where points lie


@pytest.mark.parametrize("log", [False, True])
@given(values=st.lists(st.tuples(st.floats(0.5, 4e4), st.floats(0.5, 4e4)), min_size=3, max_size=20))
def test_every_point_lies_where_the_labels_say(log: bool, values: list[tuple[float, float]]) -> None:
    values = [(0.5, 0.5), (4e4, 4e4), *values]
    xs, ys = tuple(x for x, _ in values), tuple(y for _, y in values)
    root = ET.fromstring(svg(two_axes((Series("points", xs, ys, mode="markers"),), log=log)))
    x_ticks, y_ticks = read_scale(root, "x"), read_scale(root, "y")
    assert len(x_ticks) >= 3
    assert len(y_ticks) >= 3
    for (x, y), (at_x, at_y) in zip(values, markers(root)["points"], strict=True):
        assert at_x == pytest.approx(pixel(x_ticks, x, log=log), abs=0.03)
        assert at_y == pytest.approx(pixel(y_ticks, y, log=log), abs=0.03)


def test_every_tick_lies_where_its_label_says() -> None:
    root = ET.fromstring(svg(frontier()))
    for axis in "xy":
        ticks = read_scale(root, axis)
        assert len(ticks) >= 5
        assert all(at == pytest.approx(pixel(ticks, value, log=True), abs=0.03) for value, at in ticks)


def test_points_outside_a_given_range_are_not_drawn() -> None:
    chart = replace(two_axes((Series("a", (1, 5, 9), (1, 5, 9)),)), x=Axis("x", range=(0, 6)))
    assert len(markers(ET.fromstring(svg(chart)))["a"]) == 2


def test_the_range_ends_at_the_edges_of_the_plot() -> None:
    axis = Axis("x", range=(0, 6))
    root = ET.fromstring(svg(Chart("t", axis, replace(axis, label="y"), (Series("a", (0, 6), (0, 6)),))))
    (plot,) = root.findall(f"{SVG}svg")
    left, top, width, height = (float(plot.get(field, "nan")) for field in ("x", "y", "width", "height"))
    corners = [(left, top + height), (left + width, top)]
    assert markers(root)["a"][0] == pytest.approx(corners[0], abs=0.02)
    assert markers(root)["a"][1] == pytest.approx(corners[1], abs=0.02)


def test_stacked_bars_have_the_length_of_their_value() -> None:
    chart = step_time()
    root = ET.fromstring(svg(chart))
    ticks = read_scale(root, "y")
    top = [0.0] * 6
    for series in chart.series:
        for i, bar in enumerate(rectangles(root, series.name)):
            assert bar["y"] + bar["height"] == pytest.approx(pixel(ticks, top[i], log=False), abs=0.03)
            top[i] += series.y[i]
            assert bar["y"] == pytest.approx(pixel(ticks, top[i], log=False), abs=0.03)


def test_grouped_bars_stand_side_by_side() -> None:
    root = ET.fromstring(svg(step_time("grouped")))
    first = [rectangles(root, name)[0] for name in ("weights", "KV cache", "all-reduce")]
    for left, right in itertools.pairwise(first):
        assert left["x"] + left["width"] == pytest.approx(right["x"], abs=0.03)
    assert first[-1]["x"] + first[-1]["width"] < rectangles(root, "weights")[1]["x"]


def test_the_bars_of_a_tornado_meet_at_the_base() -> None:
    root = ET.fromstring(svg(tornado()))
    ticks = read_scale(root, "x")
    low, high = rectangles(root, "low"), rectangles(root, "high")
    base = pixel(ticks, 1.05, log=False)
    assert [bar["x"] + bar["width"] for bar in low] == pytest.approx([base, base], abs=0.03)
    ends = [pixel(ticks, value, log=False) for value in (1.7, 1.9)]
    assert sorted(bar["x"] + bar["width"] for bar in high) == pytest.approx(ends, abs=0.03)
    assert min(bar["y"] for bar in low) < max(bar["y"] for bar in low)


def test_a_hole_breaks_the_line_in_both_outputs() -> None:
    chart = two_axes((Series("a", (1, 2, 3, 4, 5), (1, 2, math.nan, 4, 5), mode="lines"),))
    lines = [
        path.get("d", "") for path in ET.fromstring(svg(chart)).iter(f"{SVG}path") if path.get("stroke-width") == "2"
    ]
    assert [line.count("M") for line in lines] == [2]
    assert list(plotly_figure(chart).data[0].y) == [1, 2, None, 4, 5]


@pytest.mark.parametrize("mode", ["lines", "step"])
def test_a_line_of_one_point_is_seen(mode: Any) -> None:
    chart = two_axes((Series("a", (1, math.nan), (1, 2), mode=mode),))
    assert len(markers(ET.fromstring(svg(chart)))["a"]) == 1
    assert plotly_figure(chart).data[0].mode == "lines+markers"


# Both outputs


def test_both_outputs_hold_the_same_points() -> None:
    chart = frontier()
    places = markers(ET.fromstring(svg(chart)))
    traces = {trace.name: trace for trace in plotly_figure(chart).data if trace.fill is None}
    assert places.keys() == traces.keys() == {series.name for series in chart.series}
    for series in chart.series:
        assert tuple(traces[series.name].x) == series.x
        assert tuple(traces[series.name].y) == series.y
        assert len(places[series.name]) == len(series.x)


def test_both_outputs_show_the_same_ranges() -> None:
    chart = figures_chart.drawable(frontier())
    layout = plotly_figure(chart).layout
    for shown, axis in ((layout.xaxis.range, chart.x), (layout.yaxis.range, chart.y)):
        assert [10**end for end in shown] == pytest.approx(axis.range)


def test_plotly_stacks_groups_and_overlays_as_asked() -> None:
    modes = [plotly_figure(EXAMPLES[name]).layout.barmode for name in ("stacked", "grouped", "tornado")]
    assert modes == ["relative", "group", "overlay"]
    worth = plotly_figure(tornado())
    assert [x + worth.data[0].base for x in worth.data[0].x] == pytest.approx([0.62, 0.68])
    assert worth.data[0].hovertext[0] == "Accelerator price<br>Cost [USD/Mtok]: 0.62"
    assert tuple(worth.layout.yaxis.range) == (1.5, -0.5)


def test_error_bars_reach_the_bounds() -> None:
    chart = two_axes((Series("a", (1, 2), (3, 5), mode="markers", y_low=(2, math.nan), y_high=(4.5, 6)),))
    bars = plotly_figure(chart).data[0].error_y
    assert (bars.array[0], bars.arrayminus[0]) == (1.5, 1)
    root = ET.fromstring(svg(chart))
    ticks = read_scale(root, "y")
    (path,) = [p.get("d", "") for p in root.iter(f"{SVG}path") if p.get("stroke-width") == "1.2"]
    start, end = re.findall(r"M[-\d.]+,([-\d.]+)V([-\d.]+)", path)[0]
    assert float(start) == pytest.approx(pixel(ticks, 2, log=False), abs=0.03)
    assert float(end) == pytest.approx(pixel(ticks, 4.5, log=False), abs=0.03)


def test_a_band_has_a_value_on_each_side_of_every_point() -> None:
    chart = figures_chart.drawable(frontier())
    (outline,) = figures_chart.band_outlines(chart, chart.series[0])
    series = chart.series[0]
    assert outline[:30] == list(zip(series.x, series.y_high or (), strict=True))
    assert outline[30:] == list(zip(series.x, series.y_low or (), strict=True))[::-1]


def test_an_interval_that_reaches_zero_ends_at_the_edge_of_a_log_axis() -> None:
    series = Series("a", (1, 2), (3, 5), mode="lines", y_low=(0, 1), y_high=(4, 6))
    chart = figures_chart.drawable(two_axes((series,), log=True))
    floor = (chart.y.range or (0, 0))[0]
    assert figures_chart.band_outlines(chart, chart.series[0])[0][-1] == (1, floor)
    assert floor > 0


def test_the_chosen_point_is_outlined_named_and_left_out_of_the_legend() -> None:
    root = ET.fromstring(svg(frontier()))
    texts = [text for text in root.iter(f"{SVG}text") if text.text == "chosen"]
    assert [text.get("font-weight") for text in texts] == ["bold"]
    (group,) = [g for g in root.iter(f"{SVG}g") if g.findtext(f"{SVG}title") == "chosen"]
    assert group.get("stroke") == "#000000"
    figure = plotly_figure(frontier())
    assert figure.data[-1].showlegend is False
    assert figure.layout.annotations[0].text == "<b>chosen</b>"
    assert figure.layout.annotations[0].x == pytest.approx(math.log10(frontier().series[-1].x[0]))


def test_the_chosen_point_is_drawn_over_the_others() -> None:
    chart = replace(frontier(), series=frontier().series[::-1])
    assert list(markers(ET.fromstring(svg(chart))))[-1] == "chosen"


@pytest.mark.parametrize("side", [-1, 1])
def test_the_name_of_a_chosen_point_covers_no_other(side: int) -> None:
    crowd = Series("crowd", tuple(50 + side * i / 4 for i in range(4, 160)), (50,) * 156, mode="markers")
    corners = Series("corners", (0, 100), (0, 100), mode="markers")
    chosen = Series("the chosen plan", (50,), (50,), mode="markers", emphasis=True)
    root = ET.fromstring(svg(two_axes((crowd, corners, chosen))))
    (name,) = [text for text in root.iter(f"{SVG}text") if text.text == "the chosen plan"]
    left, base = float(name.get("x", "nan")), float(name.get("y", "nan"))
    right = left + figures_axes.text_width_px("the chosen plan")
    covered = [(x, y) for x, y in markers(root)["crowd"] if left < x < right and base - 10 < y < base + 2]
    assert covered == []


def test_names_of_two_chosen_points_do_not_overlap() -> None:
    points = [Series(f"chosen plan {i}", (10 + i / 10,), (5,), mode="markers", emphasis=True) for i in (0, 1)]
    root = ET.fromstring(svg(two_axes((*points, Series("rest", (0, 20), (0, 9), mode="markers")))))
    one, two = [t for t in root.iter(f"{SVG}text") if (t.text or "").startswith("chosen plan")]
    apart_x = abs(float(one.get("x", "0")) - float(two.get("x", "0")))
    apart_y = abs(float(one.get("y", "0")) - float(two.get("y", "0")))
    assert apart_y >= 12 or apart_x >= figures_axes.text_width_px("chosen plan 0")


def test_a_series_without_points_says_so() -> None:
    chart = two_axes((Series("gone", (math.nan,), (1,)), Series("none", (), ()), Series("here", (1,), (1,))))
    drawn = svg(chart)
    assert "gone (no points)" in drawn
    assert "none (no points)" in drawn
    assert "here (no points)" not in drawn
    assert [trace.name for trace in plotly_figure(chart).data] == [
        "gone (no points)",
        "none (no points)",
        "here",
    ]


@pytest.mark.parametrize("mode", ["lines", "markers", "lines+markers", "bar", "step"])
@pytest.mark.parametrize("log", [False, True])
def test_nothing_at_all_can_be_drawn(mode: Any, log: bool) -> None:
    for series in ((), (Series("none", (), (), mode=mode),)):
        ET.fromstring(svg(two_axes(series, log=log)))
        plotly_figure(two_axes(series, log=log))


# Text


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_text_leaves_the_sheet_and_no_labels_overlap(name: str) -> None:
    root = ET.fromstring(svg(EXAMPLES[name]))
    boxes: list[tuple[float, float, float, float]] = []
    for text in root.iter(f"{SVG}text"):
        if text.get("transform") is None:
            width = figures_axes.text_width_px(text.text or "", float(text.get("font-size", "12")))
            left = float(text.get("x", "0")) - {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0)
            base = float(text.get("y", "0"))
            boxes.append((left, base - 10, left + width, base + 2))
    height = float(root.get("height", "0"))
    assert len(boxes) > 8
    assert all(a >= 0 and b >= 0 and c <= figures_svg.WIDTH_PX and d <= height for a, b, c, d in boxes)
    for i, (a, b, c, d) in enumerate(boxes):
        assert not any(a < g and c > e and b < h and d > f for e, f, g, h in boxes[:i])


def test_the_legend_stands_above_the_plot() -> None:
    root = ET.fromstring(svg(frontier()))
    (plot,) = root.findall(f"{SVG}svg")
    legend = [text for text in root.iter(f"{SVG}text") if text.text in {"H100 SXM", "H200 SXM", "B200 SXM", "MI300X"}]
    assert len(legend) == 4
    assert all(float(text.get("y", "inf")) < float(plot.get("y", "0")) for text in legend)


def test_long_text_is_wrapped_and_shortened() -> None:
    long = "a name that goes on and on " * 40
    chart = Chart(long, Axis(long), Axis(long), (Series(long, (1,), (1,)), Series("b", (2,), (2,))), long, long)
    root = ET.fromstring(svg(chart))
    widths = [
        figures_axes.text_width_px(text.text or "", float(text.get("font-size", "12")))
        for text in root.iter(f"{SVG}text")
    ]
    assert max(widths) <= figures_svg.ROOM_PX
    assert any((text.text or "").endswith("…") for text in root.iter(f"{SVG}text"))


def test_long_category_names_are_slanted_and_many_are_thinned_out() -> None:
    names = tuple(f"configuration-{i:03d}-without-a-break" for i in range(200))
    series = Series("a", tuple(range(200)), tuple(range(200)), mode="bar")
    chart = Chart("t", Axis("x", categories=names), Axis("y"), (series,))
    turned = [t for t in ET.fromstring(svg(chart)).iter(f"{SVG}text") if "rotate(-35" in t.get("transform", "")]
    assert 10 < len(turned) <= 60
    slant = math.cos(math.radians(figures_axes.SLANT))
    assert all(float(t.get("x", "0")) > slant * figures_axes.text_width_px(t.text or "") for t in turned)


@given(st.text(max_size=60), st.floats(0, 500), st.integers(1, 4))
def test_wrapped_text_fits_or_is_a_single_ellipsis(text: str, room: float, most: int) -> None:
    lines = figures_axes.wrapped(text, room, most=most)
    assert len(lines) <= most
    assert all(figures_axes.text_width_px(line) <= room or line == "…" for line in lines)
    for line in figures_axes.balanced(text, room, most):
        assert figures_axes.text_width_px(line) <= room or line == "…"


def test_text_is_escaped_in_both_outputs() -> None:
    nasty = "</script><b>&amp; \x00 \x1b \ud800 TPOT < 25 ms & 'quoted' \"twice\""
    series = tuple(Series(nasty, (1,), (1,), hover=(nasty,), emphasis=bool(i)) for i in range(2))
    chart = Chart(nasty, Axis(nasty), Axis(nasty), series, nasty, nasty)
    root = ET.fromstring(svg(chart))
    assert root.findtext(f"{SVG}title") == "</script><b>&amp; TPOT < 25 ms & 'quoted' \"twice\""
    assert "</script><b>&amp;" in (root.findtext(f"{SVG}desc") or "")
    plain = html(two_axes((Series("a", (1,), (1,)), Series("b", (1,), (1,), emphasis=True))))
    assert html(chart).count("</script>") == plain.count("</script>")
    html(chart).encode("utf-8")
    assert plotly_figure(chart).layout.xaxis.title.text.startswith("&lt;/script&gt;&lt;b&gt;&amp;amp; TPOT &lt; 25 ms")


# Ticks


@pytest.mark.parametrize(
    ("low", "high", "log", "labels"),
    [
        (8.0, 400.0, True, ["10", "20", "50", "100", "200"]),
        (180.0, 33_000.0, True, ["200", "500", "1,000", "2,000", "5,000", "10k", "20k"]),
        (1e-6, 20.0, True, ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰", "10¹"]),
        (30.0, 95.0, True, ["30", "40", "50", "60", "70", "80", "90"]),
        (0.0, 24.0, False, ["0", "5", "10", "15", "20"]),
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 5_000.0, False, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (0.0, 2.4e6, False, ["0", "0.5M", "1.0M", "1.5M", "2.0M"]),
        (-3.0, 3.0, False, ["-3", "-2", "-1", "0", "1", "2", "3"]),
    ],
)
def test_ticks_are_round_and_read_well(low: float, high: float, log: bool, labels: list[str]) -> None:
    scale = figures_axes.Scale(low, high, log, 400.0, 0.0)
    found = [tick.lines[0] for tick in figures_axes.numeric_ticks(scale, upright=True)]
    assert found == labels


@given(
    low=st.floats(-1e99, 1e99), width=st.floats(1e-8, 1e3), log=st.booleans(), upright=st.booleans(),
)  # fmt: skip
def test_ticks_lie_inside_apart_and_differ(low: float, width: float, log: bool, upright: bool) -> None:
    low = max(abs(low), 1e-99) if log else low
    high = low + max(abs(low), 1e-99) * width
    scale = figures_axes.Scale(low, high, log, 0.0, 700.0)
    ticks = figures_axes.numeric_ticks(scale, upright=upright)
    places = [scale.px(tick.value) for tick in ticks]
    assert 1 <= len(ticks) <= 12
    assert places == sorted(places)
    assert all(-0.01 <= place <= 700.01 for place in places)
    assert len({tick.lines for tick in ticks}) == len(ticks)
    sizes = [22.0 if upright else figures_axes.text_width_px(tick.lines[0]) for tick in ticks]
    for (a, size_a), (b, size_b) in itertools.pairwise(zip(places, sizes, strict=True)):
        assert b - a >= (size_a + size_b) / 2


def test_minor_gridlines_are_the_digits_of_each_decade() -> None:
    scale = figures_axes.Scale(9.0, 300.0, True, 0.0, 1.0)
    assert figures_axes.minor_places(scale) == [*range(20, 100, 10), 200]
    assert figures_axes.minor_places(replace(scale, log=False)) == []


# Any data

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
MODES = st.sampled_from(["lines", "markers", "lines+markers", "bar", "step"])


@st.composite
def any_series(draw: st.DrawFn, places: int | None = None) -> Series:
    size = draw(st.integers(0, 6))
    column = st.lists(FLOATS, min_size=size, max_size=size).map(tuple)
    x = draw(
        column if places is None else st.lists(st.integers(0, places - 1), min_size=size, max_size=size).map(tuple)
    )
    interval = draw(st.booleans())
    return Series(
        draw(st.text(max_size=12)), x, draw(column), mode=draw(MODES), emphasis=draw(st.booleans()),
        hover=draw(st.none() | st.lists(st.text(max_size=5), min_size=size, max_size=size).map(tuple)),
        y_low=draw(column) if interval else None, y_high=draw(column) if interval else None,
    )  # fmt: skip


@st.composite
def any_chart(draw: st.DrawFn) -> Chart:
    places = draw(st.none() | st.integers(1, 4))
    series = tuple(draw(st.lists(any_series(places), max_size=4)))
    x, y = Axis(draw(st.text(max_size=12)), log=draw(st.booleans())), Axis("y", log=draw(st.booleans()))
    if places is not None:
        x = Axis("x", categories=tuple(draw(st.lists(st.text(max_size=30), min_size=places, max_size=places))))
        if draw(st.booleans()):
            x, y, series = y, x, tuple(replace(one, x=one.y, y=one.x) for one in series)
    bars = draw(st.sampled_from(["stacked", "grouped", "overlaid"]))
    return Chart(draw(st.text(max_size=30)), x, y, series, draw(st.text(max_size=30)), "", bars)


def numbers_of(root: ET.Element) -> list[float]:
    fields = ("x", "y", "width", "height", "d", "transform", "viewBox")
    texts = [element.get(field, "") for element in root.iter() for field in fields]
    return [float(found) for text in texts for found in re.findall(r"-?\d+\.?\d*(?:e[-+]?\d+)?", text)]


@pytest.mark.parametrize("mode", ["markers", "bar"])
@pytest.mark.parametrize("log", [False, True])
def test_the_largest_and_smallest_numbers_are_drawn(mode: Any, log: bool) -> None:
    ends = (figures_chart.SMALLEST, figures_chart.LARGEST)
    chart = two_axes((Series("a", ends, ends, mode=mode), Series("b", ends, ends, mode=mode)), log=log)
    root = ET.fromstring(svg(chart))
    assert len(markers(root).get("a", rectangles(root, "a"))) == 2


@given(any_chart())
@settings(max_examples=150)
def test_any_data_is_drawn_without_a_nan(chart: Chart) -> None:
    drawn = svg(chart)
    root = ET.fromstring(drawn)
    for element in root.iter():
        for field in ("x", "y", "width", "height", "d", "transform", "viewBox"):
            assert not re.search("nan|inf", element.get(field, ""))
    assert all(abs(value) <= 3 * figures_axes.FAR_PX for value in numbers_of(root))
    (plot,) = root.findall(f"{SVG}svg")
    left, top = float(plot.get("x", "nan")), float(plot.get("y", "nan"))
    right, bottom = left + float(plot.get("width", "nan")), top + float(plot.get("height", "nan"))
    for places in markers(root).values():
        assert all(left - 0.02 <= x <= right + 0.02 and top - 0.02 <= y <= bottom + 0.02 for x, y in places)


@given(any_chart())
@settings(max_examples=40)
def test_any_data_makes_a_page_without_a_nan(chart: Chart) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    figure = json.loads(plotly_figure(chart).to_json(), parse_constant=refuse)
    assert len(figure["data"]) >= len(chart.series)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(-9, 9)), max_size=200))
def test_a_thinned_line_keeps_the_ends_and_extremes_of_every_column(
    points: list[tuple[float, float]],
) -> None:
    points.sort(key=lambda point: point[0])
    kept = figures_svg.thinned(points)
    assert [point for point in kept if point not in points] == []
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(math.floor(point[0]), []).append(point)
    for number_, column in columns.items():
        mine = [point for point in kept if math.floor(point[0]) == number_]
        assert len(mine) <= 4
        assert (mine[0], mine[-1]) == (column[0], column[-1])
        assert {min(y for _, y in column), max(y for _, y in column)} <= {y for _, y in mine}


def test_a_hundred_thousand_points_make_a_small_svg() -> None:
    n = 100_000
    ys = tuple(math.sin(i / 50) * i for i in range(n))
    line = svg(two_axes((Series("line", tuple(range(n)), ys, mode="lines"),)))
    cloud = svg(two_axes((Series("cloud", tuple(i * 37 % n for i in range(n)), ys, mode="markers"),)))
    assert len(line) < 100_000
    assert len(cloud) < 3_000_000
    assert len(markers(ET.fromstring(cloud))["cloud"]) > 5_000


# Files


def test_the_text_is_the_same_at_every_run() -> None:
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_figures as t\n"
        "print(hashlib.sha256(''.join(t.svg(c) + t.html(c) for c in t.EXAMPLES.values()).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_page_works_offline() -> None:
    page = html(frontier())
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page)
    assert "Plotly.newPlot" in page
    assert '"showSendToCloud": false' in page
    assert page.startswith("<!doctype html>")


def test_write_puts_both_files_in_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deeper"
    paths = write(cdf(), folder, "cdf")
    assert paths == (folder / "cdf.html", folder / "cdf.svg")
    assert paths[0].read_text(encoding="utf-8") == html(cdf())
    assert paths[1].read_bytes() == svg(cdf()).encode()
    assert sorted(folder.iterdir()) == sorted(paths)


@pytest.mark.parametrize("stem", ["", "a/b", "../up", "/root"])
def test_write_refuses_a_stem_with_folders(tmp_path: Path, stem: str) -> None:
    with pytest.raises(InputError, match="is not a file name"):
        write(cdf(), tmp_path, stem)
    assert list(tmp_path.iterdir()) == []


def test_write_to_a_file_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "under", tmp_path / "null\0byte"):
        with pytest.raises(InputError, match="cannot be written to folder=") as caught:
            write(cdf(), folder, "cdf")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_write_to_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        write(cdf(), tmp_path, "cdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["os.replace", "pathlib.Path.write_text"])
def test_a_failed_write_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    write(cdf(), tmp_path, "figure")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(path: Any, *_: Any, **__: Any) -> None:
        if call.endswith("write_text"):
            path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, fail)
    with pytest.raises(InputError, match="No space left on device"):
        write(frontier(), tmp_path, "figure")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_figures_offers_is_complete() -> None:
    assert figures.__all__ == sorted(figures.__all__)
    assert all(hasattr(figures, name) for name in figures.__all__)
