"""Queues: against exact theory and against a queue played customer by customer."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.serving.queueing import (
    allen_cunneen_wait_s,
    erlang_c,
    sakasegawa_wait_s,
    sakasegawa_wait_share,
    schweitzer_response_s,
    tail_wait_s,
)

LOAD = st.floats(0.01, 0.99)


def played_waits(servers: int, gaps: np.ndarray, services: np.ndarray) -> np.ndarray:
    """Waits of customers served in order of arrival by the first free of `servers`."""
    free = [0.0] * servers
    arrivals, waits = np.cumsum(gaps), np.empty(gaps.size)
    for i, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        start = max(arrival, heapq.heappop(free))
        waits[i] = start - arrival
        heapq.heappush(free, start + service)
    return waits


def erlang_c_by_sum(servers: int, load: float) -> float:
    """The series as Erlang wrote it."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize(("servers", "load", "share"), [
    # published tables of Erlang C
    (10, 8.0, 0.4092), (100, 80.0, 0.0196), (1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 3.0, 0.2362),
])  # fmt: skip
def test_erlang_c(servers: int, load: float, share: float):
    assert float(erlang_c(servers, load)) == pytest.approx(share, abs=5e-5)


@given(st.integers(1, 60), LOAD)
def test_erlang_c_is_its_series(servers: int, utilization: float):
    load = utilization * servers
    assert float(erlang_c(servers, load)) == pytest.approx(erlang_c_by_sum(servers, load), rel=1e-9)


def test_erlang_c_at_the_limits():
    assert erlang_c(8, 0.0) == 0
    assert erlang_c(8, 8.0) == erlang_c(8, 80.0) == 1
    assert erlang_c(8, np.array([0.0, 4.0, 8.0])).shape == (3,)


@given(st.integers(1, 512), LOAD)
def test_sakasegawa_is_near_erlang_c_and_errs_high(servers: int, utilization: float):
    share = float(sakasegawa_wait_share(servers, utilization))
    exact = float(erlang_c(servers, utilization * servers))
    assert share == pytest.approx(exact, abs=1e-12 if servers == 1 else 0.052)
    assert share >= 0.979 * exact


@pytest.mark.parametrize(
    ("utilization", "error"), [(0.7, 1.1), (0.8, 0.28), (0.9, 0.031), (0.95, 0.005), (0.99, 0.004)]
)
def test_sakasegawa_waits_are_close_under_load(utilization: float, error: float):
    servers = np.array([1, 2, 4, 8, 16, 32])
    exact = [float(erlang_c(int(c), c * utilization)) / (c * (1 - utilization)) for c in servers]
    assert np.abs(sakasegawa_wait_s(servers, utilization, 1.0) / exact - 1).max() < error


def test_waits_of_one_server_in_closed_form():
    # M/M/1: rho / (1 - rho) services; M/D/1: half of it; regular arrivals of regular services: none.
    rho = np.array([0.0, 0.2, 0.5, 0.9])
    exponential = rho / (1 - rho) * 3.0
    assert allen_cunneen_wait_s(rho, 3.0, 1.0, 1.0).tolist() == pytest.approx(exponential.tolist())
    assert sakasegawa_wait_s(1, rho, 3.0).tolist() == pytest.approx(exponential.tolist())
    assert allen_cunneen_wait_s(rho, 3.0).tolist() == pytest.approx((exponential / 2).tolist())
    assert allen_cunneen_wait_s(rho, 3.0, 0.0, 0.0).tolist() == [0, 0, 0, 0]


def test_a_wait_by_the_moments_of_token_lengths():
    # Pollaczek-Khinchine, lambda E[S²] / 2 (1 - rho): 0.1 requests/s of mean 256 tokens at 20 ms, CV 2.
    mean = 256 * 0.020
    by_moments = 0.1 * mean**2 * (1 + 4) / (2 * (1 - 0.1 * mean))
    assert by_moments == pytest.approx(13.43, abs=0.005)
    assert float(allen_cunneen_wait_s(0.1 * mean, mean, 1.0, 4.0)) == pytest.approx(by_moments)


@pytest.mark.parametrize("equation", [allen_cunneen_wait_s, lambda rho, s: sakasegawa_wait_s(4, rho, s)])
def test_an_overloaded_queue_waits_for_ever(equation):
    assert np.isinf(equation(np.array([1.0, 1.5, 10.0]), 1.0)).all()
    assert equation(0.0, 1.0) == 0


@pytest.mark.parametrize(("servers", "utilization"), [(1, 0.7), (4, 0.75), (16, 0.8)])
def test_waits_against_a_queue_played_out(servers: int, utilization: float):
    rng = np.random.default_rng(7)
    customers = 300_000
    gaps = rng.exponential(1 / (utilization * servers), customers)
    waits = played_waits(servers, gaps, rng.exponential(1.0, customers))[1000:]
    share = float(erlang_c(servers, utilization * servers))
    mean = share / (servers * (1 - utilization))
    assert (waits > 0).mean() == pytest.approx(share, rel=0.03)
    assert waits.mean() == pytest.approx(mean, rel=0.06)
    # Exponential in M/M/c too: the mean of those that wait is mean / share.
    assert np.quantile(waits, 0.99) == pytest.approx(float(tail_wait_s(mean, share, 0.99)), rel=0.1)


@pytest.mark.parametrize(("gap_cv2", "service_cv2"), [(1.0, 0.0), (1.0, 4.0), (0.0, 1.0), (0.25, 0.25)])
def test_waits_of_other_spreads_against_a_queue_played_out(gap_cv2: float, service_cv2: float):
    rng, customers, rho = np.random.default_rng(3), 60_000, 0.8

    def spread(cv2: float) -> np.ndarray:
        return np.ones(customers) if cv2 == 0 else rng.gamma(1 / cv2, cv2, customers)

    waits = played_waits(1, spread(gap_cv2) / rho, spread(service_cv2))[1000:]
    exact = gap_cv2 == 1.0
    assert waits.mean() == pytest.approx(
        float(allen_cunneen_wait_s(rho, 1.0, gap_cv2, service_cv2)), rel=0.12 if exact else 0.25
    )


@given(LOAD, st.floats(0.5, 0.999))
def test_the_tail_of_one_server_is_exact(rho: float, quantile: float):
    # M/M/1: P(wait > t) = rho exp(-(1 - rho) t) in units of a service.
    t = float(tail_wait_s(rho / (1 - rho), rho, quantile))
    if t > 0:
        assert rho * math.exp(-(1 - rho) * t) == pytest.approx(1 - quantile)
    else:
        assert rho <= 1 - quantile + 1e-12


def test_tails_at_the_limits():
    assert tail_wait_s(1.0, 0.0, 0.99) == 0
    assert tail_wait_s(0.0, 0.5, 0.99) == 0
    assert tail_wait_s(np.inf, 1.0, 0.99) == np.inf


@given(st.integers(1, 100), LOAD, LOAD, st.floats(0, 8), st.floats(0, 8))
def test_more_load_or_spread_never_shortens_a_wait(servers: int, one: float, two: float, narrow: float, wide: float):
    low, high = sorted((one, two))
    calm, wild = sorted((narrow, wide))
    assert sakasegawa_wait_s(servers, low, 1.0, calm) <= sakasegawa_wait_s(servers, high, 1.0, wild)
    assert allen_cunneen_wait_s(low, 1.0, calm) <= allen_cunneen_wait_s(high, 1.0, wild)
    assert sakasegawa_wait_s(servers + 1, high, 1.0, wild) <= sakasegawa_wait_s(servers, high, 1.0, wild)


def mean_value_response_s(customers: int, think_s: float, service_s: float) -> float:
    """Exact mean value analysis of one exponential queue and a think time, customer by customer."""
    queue = response = 0.0
    for count in range(1, customers + 1):
        response = service_s * (1 + queue)
        queue = count * response / (response + think_s)
    return response


@pytest.mark.parametrize("customers", [1, 2, 8, 64, 512])
@pytest.mark.parametrize("think_s", [0.0, 0.1, 1.0, 10.0, 1e3])
def test_schweitzer_is_near_mean_value_analysis(customers: int, think_s: float):
    exact = mean_value_response_s(customers, think_s, 0.1)
    close = float(schweitzer_response_s(customers, think_s, 0.1))
    assert close == pytest.approx(exact, rel=0.12)
    assert close >= exact * (1 - 1e-12)


def test_schweitzer_keeps_littles_law_at_its_limits():
    assert float(schweitzer_response_s(1, 3.0, 0.5)) == pytest.approx(0.5)
    assert float(schweitzer_response_s(20, 0.0, 0.5)) == pytest.approx(10.0)
    busy = float(schweitzer_response_s(1e6, 1.0, 0.5))
    assert 1e6 / (busy + 1.0) == pytest.approx(1 / 0.5, rel=1e-5)
