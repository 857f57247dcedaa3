"""Charts of a simulation: how latencies spread, what happens over time, and latency against load with the knee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.answers.simulate.fleet import part_of
from costline.answers.simulate.knee import LoadCurve
from costline.answers.simulate.measures import Latencies, latencies
from costline.answers.simulate.run import Setting, kept_requests
from costline.answers.simulate.view import settings_words, title
from costline.figures_chart import Axis, Chart, Series
from costline.quantities import MILLI, PERCENT, Array, significant
from costline.serving.timestamps import Timestamps

POINTS = 160
BINS = 240
_CDF = (("TTFT", "ttft"), ("TPOT", "tpot"), ("E2E", "e2e"))


def charts(
    one: Setting, stamps: Timestamps, curve: LoadCurve, *, data: Mapping[str, Any], rate: float | None
) -> dict[str, Chart]:
    """By file stem; the first is the main one."""
    heading = title(data)
    found = latencies(stamps, kept_requests(one.drawn))
    blocks = one.replica.kv_capacity_tokens / one.engine.block_tokens
    return {
        "latency_cdf": cdf(found, heading),
        "load_latency": load_latency(curve, heading, rate, found),
        "timeline": timeline(part_of(stamps, one.counts, len(one.counts) - 1), heading, blocks),
    }


def cdf(found: Latencies, heading: str) -> Chart:
    """Share of requests that are at least so fast."""
    values = found.by_name()
    series: list[Series] = []
    for label, name in _CDF:
        ordered = np.sort(values[name][np.isfinite(values[name])])
        if ordered.size:
            shares = np.unique(np.concatenate([np.linspace(0, 0.98, POINTS), 1 - np.geomspace(0.02, 1e-3, 24), [1.0]]))
            series.append(Series(label, _ms(np.quantile(ordered, shares)), tuple((shares * PERCENT).tolist()), "lines"))
    return Chart(
        title="How long requests take",
        subtitle=heading,
        x=Axis("time (ms)", log=True),
        y=Axis("requests that are faster (%)", range=(0.0, 100.0)),
        series=tuple(series),
        note="TPOT is a request's mean gap between tokens after the first.",
    )


def load_latency(curve: LoadCurve, heading: str, rate: float | None, found: Latencies) -> Chart:
    """Latency against load in steady state, the knee, and what was simulated."""
    load = curve.rate
    series = [
        Series("E2E, steady state", tuple(load.tolist()), _ms(curve.e2e_s + curve.wait_s), "lines"),
        Series("TTFT, steady state", tuple(load.tolist()), _ms(curve.ttft_s + curve.wait_s), "lines"),
        Series("TPOT, steady state", tuple(load.tolist()), _ms(curve.tpot_s), "lines"),
    ]
    at = curve.knee
    series.append(Series("knee", (float(load[at]),), _ms(curve.e2e_s[at : at + 1]), "markers", emphasis=True))
    if rate is not None and found.e2e.size:
        means = np.array([float(np.mean(found.e2e)), float(np.mean(found.ttft))])
        series.append(Series("simulated mean", (rate, rate), _ms(means), "markers"))
    return Chart(
        title="Latency against load",
        subtitle=f"{heading}; it tips over near {significant(float(load[at]))} requests/s",
        x=Axis("load (requests/s)"),
        y=Axis("time (ms)", log=True),
        series=tuple(series),
        note="Lines are means in closed form, with the wait for a place. At the knee the batch is full, or a step 1 % "
        "slower makes answers 5 % slower.",
    )


def timeline(stamps: Timestamps, heading: str, capacity_blocks: float) -> Chart:
    """Requests that run and wait, and the cache, over time."""
    line = stamps.timeline
    end = float(line.time_s.max(initial=0.0)) or 1.0
    edges = np.linspace(0.0, end, BINS + 1)
    middle = tuple(((edges[1:] + edges[:-1]) / 2).tolist())
    place = np.clip(np.searchsorted(edges, line.time_s, side="right") - 1, 0, BINS - 1)
    count = max(len(stamps.replicas.busy_s), 1)
    series = [
        Series("running", middle, _binned(np.asarray(line.running, float), place, count), "lines"),
        Series("waiting", middle, _binned(np.asarray(line.waiting, float), place, count), "lines"),
    ]
    if np.isfinite(capacity_blocks):
        full = np.asarray(line.kv_blocks, float) / capacity_blocks * PERCENT
        series.append(Series("cache (% full, a replica)", middle, _binned(full, place, 1), "lines"))
    return Chart(
        title="What happens over time",
        subtitle=heading,
        x=Axis("time (s)"),
        y=Axis("requests; % of the cache", range=None),
        series=tuple(series),
    )


def run_charts(rows: Sequence[Mapping[str, Any]], varied: Sequence[Mapping[str, Any]]) -> dict[str, Chart]:
    """E2E of the runs of a table: against the rate where that varies, else side by side."""
    path = "workload.request_rate"
    others = [settings_words({key: one[key] for key in one if key != path}) for one in varied]
    if all(path in one for one in varied) and len({one[path] for one in varied}) > 1:
        series: list[Series] = []
        for name in dict.fromkeys(others):
            mine = [(float(one[path]), row) for one, row, own in zip(varied, rows, others, strict=True) if own == name]
            for key in ("mean", "p99"):
                values = tuple(float(row["latency_ms"]["e2e"][key] or np.nan) for _, row in mine)
                series.append(Series(f"{name or 'E2E'} {key}".strip(), tuple(rate for rate, _ in mine), values))
        axes = Axis("load (requests/s)"), Axis("E2E (ms)", log=True)
        return {"runs": Chart("E2E against load", *axes, tuple(series), title(rows[0]))}
    names = tuple(settings_words(one) for one in varied)
    places = tuple(float(index) for index in range(len(names)))
    bars = tuple(
        Series(f"E2E {key}", tuple(float(row["latency_ms"]["e2e"][key] or np.nan) for row in rows), places, "bar")
        for key in ("mean", "p99")
    )
    axes = Axis("E2E (ms)"), Axis("run", categories=names)
    return {"runs": Chart("E2E by run", *axes, bars, title(rows[0]), bars="grouped")}


def _binned(values: Array, place: NDArray[np.intp], times: int) -> tuple[float, ...]:
    """Mean of the samples of each bin, over all replicas; a bin without any keeps the one before."""
    counts = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, weights=values, minlength=BINS)
    means = np.where(counts > 0, sums / np.maximum(counts, 1) * times, np.nan)
    filled = np.maximum.accumulate(np.where(counts > 0, np.arange(BINS), 0))
    return tuple(np.nan_to_num(means[filled]).tolist())


def _ms(values_s: Array) -> tuple[float, ...]:
    return tuple((np.asarray(values_s) / MILLI).tolist())
