"""Charts of a trace: its rate over time, and how long prompts and answers are."""

from __future__ import annotations

import numpy as np

from costline.figures_chart import Axis, Chart, Series
from costline.quantities import PERCENT
from costline.serving.traces.trace import Trace

POINTS = 160
BINS = 120


def charts(trace: Trace) -> dict[str, Chart]:
    """By file stem; the first is the main one."""
    shares = np.linspace(0.0, 1.0, POINTS)
    percent = tuple((shares * PERCENT).tolist())
    series = tuple(
        Series(name, tuple(np.maximum(np.quantile(tokens, shares), 1.0).tolist()), percent, "lines")
        for name, tokens in (("prompt", trace.input_tokens), ("answer", trace.output_tokens))
    )
    axes = Axis("tokens", log=True), Axis("requests that are shorter (%)", range=(0.0, 100.0))
    lengths = {"lengths": Chart("How long requests are", *axes, series, trace.path)}
    return lengths | {"rate": _rate(trace)} if trace.timed and trace.arrival_s[-1] > 0 else lengths


def _rate(trace: Trace) -> Chart:
    counts, edges = np.histogram(trace.arrival_s, BINS)
    rates = tuple((counts / np.diff(edges)).tolist())
    series = Series("requests", tuple(edges[:-1].tolist()), rates, "step")
    axes = Axis("time (s)"), Axis("rate (requests/s)")
    return Chart("When requests come", *axes, (series,), trace.path)
