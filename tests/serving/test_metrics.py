"""Latency metrics: what they are, their limits, and that the intervals of percentiles cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.serving.metrics import (
    e2e_s,
    goodput_per_s,
    independent_samples,
    meets,
    percentile_interval,
    queue_s,
    time_mean,
    tpot_s,
    ttft_s,
)

TIMES = st.lists(st.floats(0, 1e6), min_size=2, max_size=5)


@given(TIMES)
def test_latencies_are_differences_of_timestamps(times: list[float]):
    arrival, scheduled, first, end = np.sort(np.array([*times, *times])[:4])
    assert ttft_s(arrival, first) == first - arrival
    assert queue_s(arrival, scheduled) == scheduled - arrival
    assert e2e_s(arrival, end) == end - arrival
    assert ttft_s(arrival, first) <= e2e_s(arrival, end)


def test_a_request_spends_its_time_on_the_first_token_and_the_gaps_after_it():
    tpot = tpot_s(np.array([4.0, 2.0]), np.array([1.0, 1.0]), np.array([301.0, 11.0]))
    assert np.allclose(tpot * np.array([300, 10]), [3.0, 1.0])


def test_one_token_has_no_gap():
    assert np.isnan(tpot_s(1.0, 1.0, 1.0))


def test_a_grid_of_latencies_is_its_scalars():
    e2e, ttft, tokens = np.array([[4.0], [2.0]]), np.array([1.0, 0.5]), np.array([[3.0, 1.0], [5.0, 7.0]])
    grid = tpot_s(e2e, ttft, tokens)
    alone = [[tpot_s(e2e[i, 0], ttft[j], tokens[i, j]) for j in (0, 1)] for i in (0, 1)]
    assert np.array_equal(grid, np.array(alone), equal_nan=True)


def test_an_unknown_time_meets_no_target_and_any_time_meets_none():
    times = np.array([0.1, 0.3, np.nan])
    assert meets(times, 0.2).tolist() == [True, False, False]
    assert meets(times, None).all()


def test_goodput_counts_what_met_every_target():
    assert goodput_per_s(np.array([True, False, True, True]), 6.0) == 0.5
    with pytest.raises(DomainError, match=r"duration_s=0\.0 must be above 0"):
        goodput_per_s(np.array([True]), 0.0)


def test_a_mean_over_time_weighs_by_time():
    assert time_mean(np.array([0.0, 10.0]), np.array([9.0, 1.0])) == 1.0
    assert np.isnan(time_mean(np.array([]), np.array([])))


def test_independent_values_count_fully_and_repeated_ones_once():
    rng = np.random.default_rng(7)
    drawn = rng.normal(size=20_000)
    assert independent_samples(drawn) == pytest.approx(drawn.size, rel=0.1)
    assert independent_samples(np.repeat(drawn[:2_000], 10)) == pytest.approx(2_000, rel=0.2)


def test_an_autoregressive_series_knows_as_much_as_its_formula_says():
    """AR(1) with coefficient 0.9: n (1 - 0.9) / (1 + 0.9)."""
    rng = np.random.default_rng(1)
    series = rng.normal(size=20_000)
    for i in range(1, series.size):
        series[i] += 0.9 * series[i - 1]
    assert independent_samples(series) == pytest.approx(20_000 * 0.1 / 1.9, rel=0.15)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_intervals_of_percentiles_cover_the_truth_19_times_in_20(share: float):
    rng = np.random.default_rng(3)
    truth = -np.log(1 - share)
    inside = 0
    for _ in range(400):
        low, high = percentile_interval(np.sort(rng.exponential(size=2_000)), share)
        inside += low <= truth <= high
    assert 0.92 <= inside / 400 <= 0.99


def test_an_interval_is_open_above_where_too_few_lie_beyond():
    low, high = percentile_interval(np.arange(50.0), 0.99)
    assert low < 49
    assert high == np.inf


def test_fewer_independent_values_widen_an_interval():
    values = np.arange(10_000.0)
    narrow, wide = percentile_interval(values, 0.9), percentile_interval(values, 0.9, samples=100)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_nothing_has_no_percentile():
    assert np.isnan(percentile_interval(np.array([]), 0.5)).all()
    with pytest.raises(DomainError, match="share=1 must lie between 0 and 1"):
        percentile_interval(np.array([1.0]), 1)
