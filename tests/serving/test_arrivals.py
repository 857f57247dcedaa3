"""Arrivals: their rates, their spread, and that a change of rate leaves the burstiness."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.serving.arrivals import (
    Load,
    Process,
    arrival_times_s,
    arrivals_under_s,
    diurnal_load,
    hourly_load,
    staged_load,
    unit_gaps,
    weibull_shape,
)

COUNT = 200_000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("process", "cv"), [
    ("constant", 0.0), ("poisson", 1.0), ("gamma", 0.5), ("gamma", 2.0), ("weibull", 0.5), ("weibull", 2.0),
    ("gamma", 0.0), ("weibull", 0.0),
])  # fmt: skip
def test_gaps_have_mean_one_and_the_spread_asked_for(process: Process, cv: float):
    gaps = unit_gaps(process, COUNT, rng(), cv=cv)
    assert np.all(gaps >= 0)
    assert float(np.mean(gaps)) == pytest.approx(1, abs=5 * cv / math.sqrt(COUNT))
    assert float(np.std(gaps)) == pytest.approx(cv, rel=0.03)


def test_poisson_is_gamma_and_weibull_of_cv_one():
    shares = np.array([0.1, 0.5, 0.9, 0.99])
    expected = -np.log1p(-shares)
    for process in ("poisson", "gamma", "weibull"):
        found = np.quantile(unit_gaps(process, COUNT, rng(), cv=1.0), shares)
        np.testing.assert_allclose(found, expected, rtol=0.03)


@given(st.floats(0.3, 15))
def test_weibull_shape_has_its_spread(shape: float):
    first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
    cv = math.sqrt(second / first**2 - 1)
    assert float(weibull_shape(cv)) == pytest.approx(shape, rel=1e-6)


def test_weibull_shape_at_known_points_and_on_a_grid():
    # exponential; the Rayleigh distribution has shape 2 and cv sqrt(4 / pi - 1)
    assert float(weibull_shape(1.0)) == pytest.approx(1)
    assert float(weibull_shape(math.sqrt(4 / math.pi - 1))) == pytest.approx(2)
    grid = np.array([[0.2, 0.7], [1.0, 5.0]])
    np.testing.assert_array_equal(weibull_shape(grid), np.vectorize(lambda cv: float(weibull_shape(cv)))(grid))


def test_constant_arrivals_are_a_metronome():
    assert arrival_times_s("constant", 4.0, 3, rng()).tolist() == [0.25, 0.5, 0.75]
    assert arrival_times_s("at_once", 4.0, 3, rng()).tolist() == [0, 0, 0]
    assert arrival_times_s("poisson", 4.0, 0, rng()).size == 0


def test_stages_send_as_many_as_they_promise():
    load = staged_load([(8, 600), (0, 100), (20, 600)])
    times = arrivals_under_s(load, "constant", rng())
    assert np.bincount(load.stage(times), minlength=3).tolist() == [4800, 0, 12_000]
    assert (times[4799], times[4800]) == (pytest.approx(600), pytest.approx(700.05))


@pytest.mark.parametrize("cv", [0.5, 1.0, 3.0])
def test_stages_keep_the_burstiness(cv: float):
    load = staged_load([(5, 4000), (50, 400)])
    times = arrivals_under_s(load, "gamma", rng(), cv=cv)
    for stage, rate in ((0, 5), (1, 50)):
        gaps = np.diff(times[load.stage(times) == stage])
        assert 1 / float(np.mean(gaps)) == pytest.approx(rate, rel=5 * cv / math.sqrt(20_000))
        assert float(np.std(gaps) / np.mean(gaps)) == pytest.approx(cv, rel=0.1)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 50)), min_size=1, max_size=5), st.integers(0, 99))
def test_arrivals_stay_in_their_stages(stages: list[tuple[float, float]], seed: int):
    if not any(rate for rate, _ in stages):
        return
    load = staged_load(stages)
    times = arrivals_under_s(load, "poisson", rng(seed))
    assert np.all(np.diff(times) >= 0)
    assert times.size == 0 or (times[0] >= 0 and times[-1] <= load.times_s[-1])
    silent = [number for number, (rate, _) in enumerate(stages) if rate == 0]
    assert not np.any(np.isin(load.stage(times), silent))


def test_poisson_in_stages_has_poisson_counts():
    load = staged_load([(2, 10), (7, 10)])
    counts = np.array([arrivals_under_s(load, "poisson", rng(seed)).size for seed in range(2000)])
    assert float(np.mean(counts)) == pytest.approx(90, abs=5 * math.sqrt(90 / 2000))
    assert float(np.var(counts)) == pytest.approx(90, rel=0.15)


def test_hours_follow_their_weights():
    load = hourly_load(2.0, [1] * 12 + [3] * 12, 2 * 86_400.0, start_s=1800.0)
    assert load.requests == pytest.approx(2 * 2 * 86_400)
    per_s = np.diff(load.expected) / np.diff(load.times_s)
    # the first of them is half an hour of midnight to one; noon comes 11.5 hours later
    assert (per_s[0], np.diff(load.times_s)[0]) == (pytest.approx(1.0), 1800)
    assert load.times_s[np.argmax(per_s > 2)] == pytest.approx(11.5 * 3600)
    assert np.unique(per_s.round(9)).tolist() == [1.0, 3.0]


def test_a_day_swings_about_its_mean():
    load = diurnal_load(10.0, 1.8, 86_400.0, peak_s=14 * 3600.0)
    assert load.requests == pytest.approx(864_000)
    per_s = np.diff(load.expected) / np.diff(load.times_s)
    middle = (load.times_s[1:] + load.times_s[:-1]) / 2
    np.testing.assert_allclose(per_s, 10 * (1 + 0.8 * np.cos(2 * np.pi * (middle / 86_400 - 14 / 24))), rtol=1e-3)
    later = diurnal_load(10.0, 1.8, 3600.0, peak_s=14 * 3600.0, start_s=13.5 * 3600.0)
    assert later.requests == pytest.approx(18 * 3600, rel=5e-3)


def test_a_load_without_swing_is_the_steady_rate():
    load = diurnal_load(3.0, 1.0, 1000.0)
    steady = staged_load([(3.0, 1000.0)])
    np.testing.assert_allclose(
        arrivals_under_s(load, "poisson", rng(5)), arrivals_under_s(steady, "poisson", rng(5)), rtol=1e-9
    )


def test_the_same_seed_sends_the_same():
    load = staged_load([(9.0, 100.0)])
    assert (
        arrivals_under_s(load, "gamma", rng(3), cv=2.0).tolist()
        == arrivals_under_s(load, "gamma", rng(3), cv=2.0).tolist()
    )


@pytest.mark.parametrize("peak", [1.0, 1.5, 2.0, 2.001, 3.0, 10.0, 24.0])
def test_a_day_has_its_mean_and_its_peak(peak: float):
    load = diurnal_load(5.0, peak, 7200.0, peak_s=2400.0, period_s=7200.0)
    assert load.requests == pytest.approx(5.0 * 7200.0, rel=1e-9)
    rates = load.mean_rates(load.times_s)
    assert float(np.max(rates)) == pytest.approx(5.0 * peak, rel=0.02)
    assert float(np.min(rates)) >= 0
    if peak > 1:
        busiest = load.times_s[int(np.argmax(rates))]
        assert float(busiest) == pytest.approx(2400.0, abs=30.0)


def test_the_shape_of_a_day_does_not_jump_where_the_sine_ends():
    sine, power = (diurnal_load(5.0, peak, 86_400.0) for peak in (2.0, 2.0 + 1e-9))
    np.testing.assert_allclose(sine.expected, power.expected, rtol=1e-4, atol=5.0)


def test_mean_rates_are_what_is_expected_between():
    load = staged_load([(2.0, 10.0), (6.0, 10.0)])
    assert load.mean_rates(np.array([0.0, 10.0, 20.0])).tolist() == [2.0, 6.0]
    assert load.mean_rates(np.array([5.0, 15.0])).tolist() == [4.0]


def test_a_flat_stretch_is_jumped():
    load = Load(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 2.0]))
    assert load.when_s(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist() == [0, 0.5, 1.0, 2.5, 3.0]


def test_loads_that_make_no_sense():
    with pytest.raises(DomainError, match="request_rate=0 must be above 0"):
        arrival_times_s("poisson", 0.0, 3, rng())
    for stages in ([], [(0, 1)], [(1, 0)], [(-1, 1)], [(math.nan, 1)]):
        with pytest.raises(DomainError, match="must be pairs of a rate >= 0 and seconds > 0"):
            staged_load(stages)
    for weights in ([], [0, 0], [-1, 2]):
        with pytest.raises(DomainError, match="one number >= 0 an hour"):
            hourly_load(1.0, weights, 10.0)
    with pytest.raises(DomainError, match=r"peak_over_mean=24.5 must be in \[1, 24\]"):
        diurnal_load(1.0, 24.5, 10.0)
    with pytest.raises(DomainError, match="at most 4,000 times period_s=1"):
        diurnal_load(1.0, 2.0, 10_000.0, period_s=1.0)
