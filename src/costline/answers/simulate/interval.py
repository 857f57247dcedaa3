"""How sure a simulated answer is: the same requests on steps as much faster and slower as measured runs were.

Running the slower steps through the queue, instead of stretching the answer, lets load amplify the error as it does in
a real service. Knows no physics.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from costline.answers.simulate.curves import NEAR_GAIN, Curves
from costline.answers.simulate.measures import latencies
from costline.answers.simulate.run import Setting, kept_requests
from costline.catalog.records import Residuals
from costline.catalog.serving_overheads import serving_overheads
from costline.quantities import MILLI, Array
from costline.serving.timestamps import Timestamps

MEASURED_FAMILIES = ("hopper",)
WIDER = 2.0
"""How much wider the interval is on a family of chips of which no whole run was compared."""
NEAR_LOAD = 0.9
SHOWN = {"mean": None, "p50": 0.5, "p90": 0.9, "p99": 0.99}


def step_range(one: Setting) -> Residuals:
    """Measured over predicted step times of whole runs of this engine, wider on chips without any."""
    site = one.replica.engine.site
    known = serving_overheads(site.engine.engine).step_range
    if site.chip.family in MEASURED_FAMILIES:
        return known
    return Residuals(known.p10**WIDER, known.p50, known.p90**WIDER, known.rows)


def interval(one: Setting, stamps: Timestamps) -> dict[str, Any]:
    """p10 and p90 of each latency, by steps at p10 and p90 of their measured error; and the gain between them."""
    if one.asked.calibration == "none":
        return {}
    bounds = step_range(one)
    counts = one.counts
    with ThreadPoolExecutor(2) as side_by_side:  # the event loop holds no lock of the interpreter
        begun = [side_by_side.submit(one.run, *counts, factor=factor) for factor in (bounds.p10, bounds.p90)]
        fast, slow = (each.result() for each in begun)
    shown = [_statistics(one, run) for run in (fast, stamps, slow)]
    found = {
        name: {key: _ordered(*(each[name][key] for each in shown)) for key in SHOWN} for name in ("ttft", "tpot", "e2e")
    }
    found["itl"] = found["tpot"]
    low, _, high = (each["e2e"]["mean"] for each in shown)
    spread = float(np.log(bounds.p90 / bounds.p10))
    grown = float(np.log(high / low)) / spread if low > 0 and np.isfinite(high) and high > 0 else None
    return {
        "latency_ms": found,
        "step_time": {"p10": bounds.p10, "p90": bounds.p90, "measured_stages": bounds.rows},
        "amplification": grown,
        "gain": 1 - 1 / grown if grown and grown > 1 else 0.0,
    }


def saturation(curves: Curves, rate: float | None, bounds: Mapping[str, Any]) -> dict[str, Any]:
    """Where the service tips over, how far it is from there, and whether a percentile can be trusted."""
    curve = curves.together
    at = curve.knee
    knee = float(curve.rate[at])
    found: dict[str, Any] = {
        "requests_per_s": knee,
        "capacity_requests_per_s": float(curve.rate[-1]),
        "batch": float(curve.batch[at]),
        "e2e_ms": float(curve.e2e_s[at]) / MILLI,
        "limit": curves.limit,
    }
    if rate is None:
        return found
    _, gain = curve.at(rate)
    gain = max(gain, float(bounds.get("gain") or 0.0))
    load = rate / knee
    near = load >= NEAR_LOAD or gain >= NEAR_GAIN
    return found | {
        "load": load,
        "distance": 1 - load,
        "gain": gain,
        "amplification": 1 / (1 - gain) if gain < 1 else None,
        "near": bool(near),
        "beyond": bool(load >= 1),
    }


def _statistics(one: Setting, stamps: Timestamps) -> dict[str, dict[str, float]]:
    found = latencies(stamps, kept_requests(one.drawn))
    return {name: _shown(values) for name, values in found.by_name().items() if name in ("ttft", "tpot", "e2e")}


def _shown(values_s: Array) -> dict[str, float]:
    known = values_s[np.isfinite(values_s)]
    if not known.size:
        return dict.fromkeys(SHOWN, float("nan"))
    places = {name: share * (known.size - 1) for name, share in SHOWN.items() if share is not None}
    below = {name: int(place) for name, place in places.items()}
    above = {name: min(at + 1, known.size - 1) for name, at in below.items()}
    known = np.partition(known, sorted({*below.values(), *above.values()}))
    found = {"mean": float(np.mean(known))}
    for name, place in places.items():
        low, high = float(known[below[name]]), float(known[above[name]])
        found[name] = low + (place - below[name]) * (high - low)
    return found


def _ordered(low_s: float, middle_s: float, high_s: float) -> dict[str, float]:
    return {"p10": min(low_s, middle_s) / MILLI, "p90": max(high_s, middle_s) / MILLI}
