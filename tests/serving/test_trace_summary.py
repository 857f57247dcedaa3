"""What a trace is, in numbers that a person can check."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from costline.serving.prefixes import block_prefixes
from costline.serving.trace_summary import (
    arrivals_summary,
    lengths_summary,
    little_check,
    rank_correlation,
    summary_of,
)
from costline.serving.traces import read_trace
from costline.serving.traces.trace import Measured, Trace


def trace(arrival_s: list[float] | np.ndarray, **more: object) -> Trace:
    times = np.asarray(arrival_s, dtype=np.float64)
    tokens = np.arange(1.0, times.size + 1)
    return replace(Trace("t", "azure", 0.0, times, tokens, 2 * tokens), **more)  # type: ignore[arg-type]


def test_arrivals_of_a_metronome():
    found = arrivals_summary(np.arange(0.0, 7200.5, 0.5))
    assert (found.requests_per_s, found.gap_cv) == (2.0, 0.0)
    assert found.peak_requests_per_s == 2.0
    assert found.dispersion == {"second": 0.0, "minute": 0.0, "hour": 0.0}


def test_arrivals_at_random_have_dispersion_one():
    found = arrivals_summary(np.cumsum(np.random.default_rng(1).exponential(0.05, 400_000)))
    assert found.requests_per_s == pytest.approx(20, rel=0.01)
    assert found.gap_cv == pytest.approx(1, rel=0.01)
    assert found.dispersion["second"] == pytest.approx(1, rel=0.03)
    assert found.dispersion["minute"] == pytest.approx(1, rel=0.25)
    assert math.isnan(found.dispersion["hour"]) is False


def test_the_busiest_minute():
    times = np.concatenate([np.arange(0, 600, 10.0), np.arange(600, 660, 0.5), np.arange(660, 1200, 10.0)])
    found = arrivals_summary(times)
    assert found.peak_requests_per_s == pytest.approx(2.0)
    assert found.dispersion["minute"] > 50


@pytest.mark.parametrize("times", [[5.0], [5.0, 5.0]])
def test_one_moment_shows_no_rate(times: list[float]):
    found = arrivals_summary(np.array(times))
    assert found.span_s == 0
    assert all(
        map(math.isnan, (found.requests_per_s, found.peak_requests_per_s, found.gap_cv, *found.dispersion.values()))
    )


def test_lengths_in_quantiles():
    found = lengths_summary(np.arange(101.0))
    assert (found.mean, found.least, found.most) == (50, 0, 100)
    assert found.quantiles == {"p5": 5, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95, "p99": 99}
    assert found.cv == pytest.approx(math.sqrt((101**2 - 1) / 12) / 50)
    assert math.isnan(lengths_summary(np.zeros(3)).cv)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]):
    one, other = np.array(pairs, dtype=np.float64).T
    found = rank_correlation(one, other)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-12)


def test_reuse_of_blocks():
    prefixes = block_prefixes(
        np.array([0, 2, 4, 4]), np.array([7, 8, 7, 9]), np.array([32.0, 32.0, 36.0]), hash_tokens=16
    )
    found = summary_of(trace([0, 1, 2], input_tokens=np.array([32.0, 32.0, 36.0]), prefixes=prefixes))
    assert found.reuse is not None
    assert found.reuse.seen_share == found.reuse.distinct_share / 3 == 0.25
    assert found.reuse.best_hit_rate == pytest.approx(16 / 100)
    assert found.reuse.requests_with_a_hit == pytest.approx(1 / 3)


def test_reuse_of_conversations():
    more = {"session": np.array([0, 0, 1]), "timed": False, "input_tokens": np.array([10.0, 40.0, 50.0])}
    found = summary_of(trace([0, 0, 0], output_tokens=np.array([20.0, 5.0, 5.0]), **more))
    assert (found.sessions, found.turns_per_session, found.arrivals) == (2, 1.5, None)
    assert found.reuse is not None
    assert found.reuse.best_hit_rate == pytest.approx(30 / 100)
    assert summary_of(trace([0, 1])).reuse is None


def served(rate: float, e2e_s: float, count: int = 4000) -> Trace:
    times = np.arange(count) / rate
    return trace(times, measured=Measured(np.full(count, 0.1), np.full(count, e2e_s)))


def test_littles_law_in_a_steady_run():
    found = little_check(served(5.0, 3.0))
    assert found is not None
    assert found.counted == pytest.approx(15, rel=1e-2)
    assert found.rate_times_time == pytest.approx(15, rel=1e-2)
    assert (found.peak, found.violations) == (15, ())


def test_littles_law_where_a_queue_grows():
    run = served(5.0, 3.0)
    found = little_check(replace(run, measured=Measured(run.arrival_s, run.arrival_s)))
    assert found is not None
    assert len(found.violations) == 1
    assert "the run is not steady" in found.violations[0]


def test_more_in_flight_than_stated():
    found = little_check(replace(served(5.0, 3.0), concurrency=8.0))
    assert found is not None
    assert found.violations == ("15 requests are in flight at once, more than the concurrency=8 stated",)


def test_littles_law_needs_answers():
    assert little_check(trace([0, 1])) is None
    assert little_check(replace(served(5.0, 3.0), timed=False)) is None
    nothing = Measured(np.full(2, np.nan), np.full(2, np.nan))
    assert little_check(trace([0, 1], measured=nothing)) is None


@pytest.mark.measured
def test_measured_traces_are_what_their_catalogue_says(shared: Path):
    # rates over the span and quantiles: workloads of the catalogue
    code = summary_of(read_trace(shared / "measured/traces/AzureLLMInferenceTrace_code_2023.csv"))
    assert code.arrivals is not None
    assert code.arrivals.requests_per_s == pytest.approx(2.567, abs=0.001)
    assert (code.input.quantiles["p50"], code.output.quantiles["p95"]) == (1469, 90)
    assert code.arrivals.gap_cv > 10
    mooncake = summary_of(read_trace(shared / "measured/traces/mooncake_fast25_conversation_trace.jsonl.gz"))
    assert mooncake.reuse is not None
    assert mooncake.reuse.best_hit_rate == pytest.approx(0.3736, abs=1e-4)
    assert mooncake.reuse.requests_with_a_hit > 0.999  # the first block is one and the same
    assert mooncake.output.quantiles["p95"] == 698
