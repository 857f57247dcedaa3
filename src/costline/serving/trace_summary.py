"""What a trace is: how many requests when, how bursty, how long, how much of it came before, and whether it adds up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.quantities import HOUR_S, MINUTE_S, Array, as_array
from costline.serving.prefixes import prefix_reuse
from costline.serving.queueing_little import in_flight
from costline.serving.traces.trace import Trace

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
MOST_WINDOWS = 10_000_000


@dataclass(frozen=True)
class Arrivals:
    """When requests come. NaN where one request or one moment shows no rate."""

    span_s: float
    requests_per_s: float
    peak_requests_per_s: float
    """In the busiest minute."""
    gap_cv: float
    """Coefficient of variation of the gaps: 1 as Poisson's, more in bursts."""
    dispersion: dict[str, float]
    """Variance over mean of the requests in windows of a second, a minute and an hour: 1 as Poisson's."""


@dataclass(frozen=True)
class Lengths:
    """Lengths in tokens."""

    mean: float
    cv: float
    least: float
    most: float
    quantiles: dict[str, float]


@dataclass(frozen=True)
class Reuse:
    """What prompts repeat, by a cache that never forgets."""

    distinct_share: float
    """Tokens that are new when they come, of the tokens in blocks that can be told apart."""
    seen_share: float
    """Tokens of blocks that an earlier prompt had."""
    best_hit_rate: float
    """Prompt tokens that a prefix cache could find, over all prompt tokens."""
    requests_with_a_hit: float
    """Share of them."""


@dataclass(frozen=True)
class LittleCheck:
    """Requests in flight, counted and as rate times time, in the middle half of the trace.

    Over all of a trace the two agree by definition; in its middle they do where the run is steady.
    """

    requests_per_s: float
    mean_e2e_s: float
    counted: float
    """Mean over time of the requests that have come and are not answered."""
    rate_times_time: float
    peak: float
    """Most in flight at once, over all of the trace."""
    violations: tuple[str, ...]
    """What does not fit, a sentence each."""


@dataclass(frozen=True)
class TraceSummary:
    """A trace in numbers."""

    path: str
    format: str
    requests: int
    arrivals: Arrivals | None
    """None where the file has no times."""
    input: Lengths
    output: Lengths
    correlation: float
    """Of the ranks of prompt and answer lengths (Spearman); NaN where one of them never varies."""
    reuse: Reuse | None
    """None where the file does not say what prompts are."""
    sessions: int | None
    turns_per_session: float | None
    little: LittleCheck | None
    notes: tuple[str, ...]


def summary_of(trace: Trace) -> TraceSummary:
    """What a trace is."""
    sessions = None if trace.session is None else int(np.unique(trace.session).size)
    return TraceSummary(
        path=trace.path,
        format=trace.format,
        requests=trace.requests,
        arrivals=arrivals_summary(trace.arrival_s) if trace.timed else None,
        input=lengths_summary(trace.input_tokens),
        output=lengths_summary(trace.output_tokens),
        correlation=rank_correlation(trace.input_tokens, trace.output_tokens),
        reuse=_reuse(trace),
        sessions=sessions,
        turns_per_session=None if sessions is None else trace.requests / sessions,
        little=little_check(trace),
        notes=trace.notes,
    )


def arrivals_summary(arrival_s: Array) -> Arrivals:
    """Rates and burstiness of times in order."""
    span = float(arrival_s[-1] - arrival_s[0])
    gaps = np.diff(arrival_s)
    some = span > 0
    return Arrivals(
        span_s=span,
        requests_per_s=(arrival_s.size - 1) / span if some else np.nan,
        peak_requests_per_s=float(np.max(_counts(arrival_s, MINUTE_S))) / min(MINUTE_S, span) if some else np.nan,
        gap_cv=float(np.std(gaps) / np.mean(gaps)) if some else np.nan,
        dispersion={
            name: _dispersion(arrival_s, window_s)
            for name, window_s in (("second", 1.0), ("minute", float(MINUTE_S)), ("hour", float(HOUR_S)))
        },
    )


def lengths_summary(tokens: Array) -> Lengths:
    """Mean, spread and quantiles; the quantiles interpolate linearly between order statistics."""
    mean = float(np.mean(tokens))
    found = np.quantile(tokens, QUANTILES)
    return Lengths(
        mean=mean,
        cv=float(np.std(tokens)) / mean if mean > 0 else np.nan,
        least=float(np.min(tokens)),
        most=float(np.max(tokens)),
        quantiles={f"p{share * 100:g}": float(value) for share, value in zip(QUANTILES, found, strict=True)},
    )


def rank_correlation(one: Array, other: Array) -> float:
    """Spearman's correlation, equal values at their mean rank; NaN where one of the two never varies."""
    ranks = [_ranks(values) for values in (one, other)]
    centred = [values - np.mean(values) for values in ranks]
    scale = float(np.sqrt(np.sum(centred[0] ** 2) * np.sum(centred[1] ** 2)))
    return float(np.sum(centred[0] * centred[1])) / scale if scale > 0 else np.nan


def little_check(trace: Trace, *, tolerance: float = 0.1) -> LittleCheck | None:
    """Whether rates, times and requests in flight fit together; None where the file lacks times or answers."""
    if trace.measured is None or not trace.timed:
        return None
    known = np.isfinite(trace.measured.e2e_s)
    times, e2e = trace.arrival_s[known], trace.measured.e2e_s[known]
    if not times.size or not times[-1] > times[0] or not np.max(e2e) > 0:
        return None
    start, end = times[0] + (times[-1] - times[0]) * np.array([0.25, 0.75])
    middle = (times >= start) & (times < end)
    rate = float(np.count_nonzero(middle) / (end - start))
    mean = float(np.mean(e2e[middle])) if np.any(middle) else 0.0
    counted = float(np.sum(np.clip(times + e2e, start, end) - np.clip(times, start, end)) / (end - start))
    order = np.argsort(np.concatenate([times + e2e, times]), kind="stable")  # an end makes room for who comes then
    peak = float(np.max(np.cumsum(np.where(order < times.size, -1.0, 1.0))))
    implied = float(in_flight(rate, mean))
    found: list[str] = []
    if abs(implied - counted) > tolerance * max(counted, 1.0):
        found.append(f"{counted:.3g} requests are in flight, rate times time is {implied:.3g}: the run is not steady")
    if trace.concurrency is not None and peak > trace.concurrency:
        found.append(f"{peak:g} requests are in flight at once, more than the concurrency={trace.concurrency:g} stated")
    return LittleCheck(rate, mean, counted, implied, peak, tuple(found))


def _reuse(trace: Trace) -> Reuse | None:
    prompts = float(np.sum(trace.input_tokens))
    if trace.prefixes is not None:
        found = prefix_reuse(trace.prefixes)
        cached, seen = np.minimum(found.cached_tokens, trace.input_tokens), found.seen_share
    elif trace.session is not None and not trace.timed:
        new = trace.input_tokens - _said(trace)
        cached = trace.input_tokens - new
        seen = float(np.sum(cached)) / prompts if prompts else 0.0
    else:
        return None
    best = float(np.sum(cached)) / prompts if prompts else 0.0
    return Reuse(1 - seen, seen, best, float(np.mean(cached > 0)))


def _said(trace: Trace) -> Array:
    """Tokens of each prompt that its conversation had before: the prompt and the answer of the turn above it."""
    session = np.asarray(trace.session)
    held = np.concatenate([[0.0], (trace.input_tokens + trace.output_tokens)[:-1]])
    return as_array(np.where(np.diff(session, prepend=-1) == 0, held, 0.0))


def _counts(arrival_s: Array, window_s: float) -> Array:
    windows = ((arrival_s - arrival_s[0]) // window_s).astype(np.int64)
    return np.unique(windows, return_counts=True)[1].astype(np.float64)


def _dispersion(arrival_s: Array, window_s: float) -> float:
    """Of whole windows; NaN where there are fewer than two or too many to be worth it."""
    windows = int((arrival_s[-1] - arrival_s[0]) // window_s)
    if not 2 <= windows <= MOST_WINDOWS:
        return np.nan
    places = ((arrival_s - arrival_s[0]) // window_s).astype(np.int64)
    counts = np.bincount(places[places < windows], minlength=windows)
    return float(np.var(counts) / np.mean(counts))


def _ranks(values: Array) -> Array:
    inverse, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    last = np.cumsum(counts)
    return as_array((last - (counts - 1) / 2)[inverse])
