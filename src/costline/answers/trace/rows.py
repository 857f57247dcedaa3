"""A trace's summary as plain values, and the workload of a scenario that is most like it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from costline.serving.trace_summary import Lengths, TraceSummary

LEAST_CORRELATION = 0.05
"""Rank correlations nearer to 0 are left out of a workload."""
MOST_CV = 100.0
MOST_PEAK = 2.0
DIGITS = 3


def trace_row(found: TraceSummary) -> dict[str, Any]:
    """Keys of the answer; what the file does not say is None."""
    return {
        "path": found.path,
        "format": found.format,
        "requests": found.requests,
        "arrivals": None if found.arrivals is None else asdict(found.arrivals),
        "input_tokens": asdict(found.input),
        "output_tokens": asdict(found.output),
        "rank_correlation": found.correlation,
        "reuse": None if found.reuse is None else asdict(found.reuse),
        "sessions": found.sessions,
        "turns_per_session": found.turns_per_session,
        "little": None if found.little is None else asdict(found.little),
        "notes": list(found.notes),
    }


def workload_of(found: TraceSummary) -> dict[str, Any]:
    """Keys of a scenario's `workload` that draw requests like these: log-normal lengths, gamma gaps, one correlation.

    A copula of ranks that correlate by r has normal scores that correlate by 2 sin(pi r / 6).
    """
    work: dict[str, Any] = {"input_tokens": _lengths(found.input), "output_tokens": _lengths(found.output)}
    scores = 2 * math.sin(math.pi * found.correlation / 6) if math.isfinite(found.correlation) else 0.0
    if abs(scores) > LEAST_CORRELATION and all(isinstance(work[key], dict) for key in work):
        work["length_correlation"] = _short(scores)
    come = found.arrivals
    if come is not None and math.isfinite(come.requests_per_s):
        work |= {"request_rate": _short(come.requests_per_s), "arrivals": {"cv": min(_short(come.gap_cv), MOST_CV)}}
    reuse = found.reuse
    if reuse is not None and reuse.best_hit_rate > 0:
        work["prefix"] = {"cached_tokens": float(math.floor(reuse.best_hit_rate * found.input.mean))}
    return work


def _lengths(found: Lengths) -> Any:
    mean = max(_short(found.mean), 1.0)
    return {"mean": mean, "cv": _short(found.cv)} if found.cv > 0 else mean


def _short(value: float) -> float:
    """To three digits, which is as many as a trace knows of its source; whole tokens where there are more."""
    digits = DIGITS - 1 - math.floor(math.log10(abs(value))) if value else 0
    return round(value, max(digits, 0))
