"""Pools, token lengths, batches and Little's law: against exact theory and against queues that are played."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from costline.errors import DomainError
from costline.serving.lengths import fixed, lognormal
from costline.serving.paging import capacity_gain, paging_waste, reservation_waste
from costline.serving.queueing import allen_cunneen_wait_s, erlang_b, erlang_c, kingman_wait_s
from costline.serving.queueing_batches import batch_times, bulk_queue, elastic_batch_s, padded_batch_s
from costline.serving.queueing_lengths import (
    cap_of_clipped_share,
    capped_lognormal_moment,
    capped_wait_s,
    clipped_share,
    largest_cap_tokens,
    pollaczek_khinchine_wait_s,
)
from costline.serving.queueing_little import disagreements, in_flight, step_tokens_per_s
from costline.serving.queueing_pools import (
    erlang_share_beyond,
    erlang_wait_quantile_s,
    erlang_wait_s,
    least_servers,
    pooling,
)

INF = math.inf
LOADS = {"requests_per_s": (0.1, 9), "mean": (5, 300), "token_s": (0.02,)}

GRIDS: tuple[tuple[Callable[..., Any], dict[str, tuple[float, ...]]], ...] = (
    (erlang_wait_s, {"servers": (1, 7), "offered_load": (0, 0.9, 6, 9), "service_s": (0, 2), "cv2_sum": (0, 3)}),
    (erlang_share_beyond, {"servers": (1, 7), "offered_load": (0, 0.9, 6, 9), "patience": (0, 2)}),
    (erlang_wait_quantile_s,
     {"servers": (1, 7), "offered_load": (0, 0.9, 6, 9), "service_s": (2,), "quantile": (0.5, 0.99)}),
    (least_servers, {"offered_load": (0, 0.9, 6), "share": (0.01, 0.5), "patience": (0, 1)}),
    (pollaczek_khinchine_wait_s, {"requests_per_s": (0, 0.3, 0.9), "service_s": (1, 2), "service_s2": (1, 9)}),
    (capped_lognormal_moment, {"mean": (5, 300), "sigma": (0, 1.2), "cap": (1, 200, INF), "order": (1, 2)}),
    (clipped_share, {"mean": (5, 300), "sigma": (0, 1.2), "cap": (1, 200, INF)}),
    (cap_of_clipped_share, {"mean": (5, 300), "sigma": (0, 1.2), "share": (0.01, 0.9)}),
    (capped_wait_s, {**LOADS, "sigma": (0, 1.2), "cap": (9, INF), "servers": (1, 5), "arrival_cv2": (1, 4)}),
    (largest_cap_tokens, {**LOADS, "sigma": (1.2,), "wait_s": (0, 3), "servers": (1, 5)}),
    (padded_batch_s, {"token_s": (0, 1), "sequence_s": (0, 2), "longest": (1, 9), "batch": (1, 8)}),
    (elastic_batch_s, {"token_s": (0, 1), "sequence_s": (0, 2), "longest": (1, 9), "tokens": (9, 30)}),
    (in_flight, {"requests_per_s": (0, 2), "e2e_s": (0, 3)}),
    (step_tokens_per_s, {"batch": (1, 8), "step_s": (0.1, 1)}),
    (reservation_waste, {"held_tokens": (1, 9), "reserved_tokens": (9, 20)}),
    (paging_waste, {"held_tokens": (1, 9), "block_tokens": (1, 16)}),
    (capacity_gain, {"waste_before": (0, 0.9), "waste_after": (0, 0.5)}),
)  # fmt: skip


@pytest.mark.parametrize(("function", "ranges"), GRIDS, ids=[function.__name__ for function, _ in GRIDS])
def test_an_element_of_a_grid_is_the_scalars_value(function: Callable[..., Any], ranges: dict[str, tuple[float, ...]]):
    axes = np.meshgrid(*(np.array(values, dtype=np.float64) for values in ranges.values()), indexing="ij", sparse=True)
    grid = function(**dict(zip(ranges, axes, strict=True)))
    whole = np.broadcast_arrays(*axes)
    assert grid.shape == whole[0].shape
    for place in np.ndindex(grid.shape):
        one = function(**{name: float(axis[place]) for name, axis in zip(ranges, whole, strict=True)})
        assert np.ndim(one) == 0
        np.testing.assert_allclose(grid[place], one, rtol=1e-12)


def played_waits(servers: int, gaps: np.ndarray, services: np.ndarray) -> np.ndarray:
    """Waits of customers served in order of arrival by the first free of `servers`."""
    free = [0.0] * servers
    arrivals, waits = np.cumsum(gaps), np.empty(gaps.size)
    for i, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        start = max(arrival, heapq.heappop(free))
        waits[i] = start - arrival
        heapq.heappush(free, start + service)
    return waits[gaps.size // 10 :]


# Pools


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (5, 3.0), (10, 8.0), (40, 60.0)])
def test_erlang_b_is_its_series(servers: int, load: float):
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    assert float(erlang_b(servers, load)) == pytest.approx(terms[-1] / sum(terms), rel=1e-12)


def test_erlang_takes_arrays_of_servers():
    servers = np.array([[1], [5], [9]])
    load = np.array([0.5, 4.0])
    expected = [[float(erlang_c(int(c), a)) for a in load] for (c,) in servers]
    np.testing.assert_allclose(erlang_c(servers, load), expected)


def test_a_pool_that_is_played():
    rng = np.random.default_rng(1)
    waits = played_waits(6, rng.exponential(1 / 4.8, 400_000), rng.exponential(1.0, 400_000))
    assert float(np.mean(waits)) == pytest.approx(float(erlang_wait_s(6, 4.8, 1.0)), rel=0.05)
    assert float(np.mean(waits > 1.5)) == pytest.approx(float(erlang_share_beyond(6, 4.8, 1.5)), rel=0.08)
    quantile = float(erlang_wait_quantile_s(6, 4.8, 1.0, 0.95))
    assert float(np.quantile(waits, 0.95)) == pytest.approx(quantile, rel=0.06)


def test_a_pool_of_constant_services_waits_half():
    rng = np.random.default_rng(2)
    waits = played_waits(4, rng.exponential(1 / 3.4, 300_000), np.ones(300_000))
    assert float(np.mean(waits)) == pytest.approx(float(erlang_wait_s(4, 3.4, 1.0, 1.0)), rel=0.06)


def test_one_server_is_pollaczek_khinchine():
    for cv2 in (0.0, 1.0, 4.0):
        pool = float(erlang_wait_s(1, 0.6, 2.0, 1 + cv2))
        assert pool == pytest.approx(float(pollaczek_khinchine_wait_s(0.3, 2.0, 4.0 * (1 + cv2))))
        assert pool == pytest.approx(float(allen_cunneen_wait_s(0.6, 2.0, 1.0, cv2)))


@given(st.floats(0, 200), st.floats(0.001, 1), st.floats(0, 3))
def test_least_servers_is_enough_and_least(load: float, share: float, patience: float):
    servers = float(least_servers(load, share, patience))
    assert servers >= 1
    assert servers > load
    assert float(erlang_share_beyond(servers, load, patience)) <= share
    if servers > 1:
        fewer = servers - 1
        assert fewer <= load or float(erlang_share_beyond(fewer, load, patience)) > share


def test_pools_at_the_limits():
    assert float(erlang_wait_s(4, 4.0, 1.0)) == INF
    assert float(erlang_wait_quantile_s(4, 5.0, 1.0, 0.5)) == INF
    assert float(erlang_share_beyond(4, 5.0, 9.0)) == 1
    assert float(least_servers(0.0, 0.1)) == 1
    assert float(erlang_wait_s(4, 0.0, 1.0)) == 0
    for load, share in ((-1, 0.1), (1e7, 0.1), (math.nan, 0.1), (1, 0.0), (1, 1.5)):
        with pytest.raises(DomainError, match="offered_load must be in"):
            least_servers(load, share)


def test_pooling_saves_more_the_smaller_the_pools():
    found = pooling(np.array([1.0, 5.0, 50.0]), 10, 0.1)
    assert found.apart.tolist() == [10 * float(least_servers(a, 0.1)) for a in (1, 5, 50)]
    assert found.together.tolist() == [float(least_servers(10 * a, 0.1)) for a in (1, 5, 50)]
    assert np.all(np.diff(found.together / found.apart) > 0)
    assert np.all(found.together_utilization > found.apart_utilization)
    alone = pooling(3.0, 1, 0.1)
    assert float(alone.together) == float(alone.apart)


def test_kingman_bounds_what_is_played():
    rng = np.random.default_rng(3)
    for shape in (0.5, 1.0, 4.0):
        gaps = rng.gamma(shape, 1 / shape / 0.8, 200_000)
        waits = played_waits(1, gaps, rng.exponential(1.0, 200_000))
        assert float(np.mean(waits)) < float(kingman_wait_s(0.8, 1.0, 1 / shape, 1.0))
    assert float(kingman_wait_s(0.999, 1.0, 1.0, 1.0)) == pytest.approx(
        float(allen_cunneen_wait_s(0.999, 1.0, 1, 1)), rel=2e-3
    )
    assert (float(kingman_wait_s(0.0, 1.0, 0.0)), float(kingman_wait_s(0.0, 1.0)), float(kingman_wait_s(1.0, 1.0))) == (
        0,
        INF,
        INF,
    )


# Token lengths


@pytest.mark.parametrize(
    ("sigma", "cap", "order"), [(0.3, 300.0, 1), (1.27, 2000.0, 2), (1.27, 100.0, 2), (0.8, 1e7, 1)]
)
def test_capped_moments_are_their_integrals(sigma: float, cap: float, order: int):
    lengths = stats.lognorm(sigma, scale=256 * math.exp(-(sigma**2) / 2))
    below = integrate.quad(lambda z: math.exp(order * (math.log(256) - sigma**2 / 2 + sigma * z)) * stats.norm.pdf(z),
                           -12, (math.log(cap) - math.log(256) + sigma**2 / 2) / sigma, limit=200)[0]  # fmt: skip
    expected = below + cap**order * lengths.sf(cap)
    assert float(capped_lognormal_moment(256.0, sigma, cap, order)) == pytest.approx(expected, rel=1e-7)
    assert float(clipped_share(256.0, sigma, cap)) == pytest.approx(lengths.sf(cap), rel=1e-9, abs=1e-15)
    assert float(cap_of_clipped_share(256.0, sigma, 0.01)) == pytest.approx(lengths.isf(0.01))


def test_a_capped_queue_that_is_played():
    rng = np.random.default_rng(4)
    tokens = lognormal(256, cv=1.0).draw(400_000, rng)
    services = 0.5 + 0.02 * np.minimum(tokens, 900)
    waits = played_waits(1, rng.exponential(1 / 0.1, 400_000), services)
    sigma = math.sqrt(math.log(2))
    expected = float(capped_wait_s(0.1, 256.0, sigma, 900.0, 0.02, fixed_s=0.5))
    assert float(np.mean(waits)) == pytest.approx(expected, rel=0.04)


def test_a_capped_pool_that_is_played():
    rng = np.random.default_rng(8)
    services = 0.5 + 0.02 * np.minimum(lognormal(256, cv=1.0).draw(400_000, rng), 900)
    waits = played_waits(4, rng.exponential(1 / 0.6, 400_000), services)
    expected = float(capped_wait_s(0.6, 256.0, math.sqrt(math.log(2)), 900.0, 0.02, fixed_s=0.5, servers=4))
    assert float(np.mean(waits)) == pytest.approx(expected, rel=0.06)


@given(st.floats(0.01, 0.18), st.floats(0.0, 2.0), st.floats(0.0, 3.0))
def test_one_server_is_exactly_pollaczek_khinchine(rate: float, sigma: float, fixed_s: float):
    mean, token = 200.0, 0.01
    first, second = (float(capped_lognormal_moment(mean, sigma, 500.0, order)) for order in (1, 2))
    service, square = fixed_s + token * first, fixed_s**2 + 2 * fixed_s * token * first + token**2 * second
    found = float(capped_wait_s(rate, mean, sigma, 500.0, token, fixed_s=fixed_s))
    assert found == pytest.approx(float(pollaczek_khinchine_wait_s(rate, service, square)), rel=1e-9)


@given(st.floats(0.1, 1.5), st.floats(0.05, 0.5))
def test_the_largest_cap_meets_its_target(sigma: float, share: float):
    free = float(capped_wait_s(0.1, 256.0, sigma, INF, 0.02))
    cap = float(largest_cap_tokens(0.1, 256.0, sigma, share * free, 0.02))
    assert float(capped_wait_s(0.1, 256.0, sigma, cap, 0.02)) == pytest.approx(share * free, rel=1e-6)


def test_caps_at_the_limits():
    assert float(largest_cap_tokens(0.1, 256.0, 1.0, 1e9, 0.02)) == INF
    assert math.isnan(float(largest_cap_tokens(0.1, 256.0, 1.0, 1.0, 0.02, fixed_s=20.0)))
    assert float(capped_wait_s(0.3, 256.0, 1.0, INF, 0.02)) == INF  # a cap makes it stable
    assert float(capped_wait_s(0.3, 256.0, 1.0, 150.0, 0.02)) < INF
    assert float(capped_wait_s(0.1, 256.0, 0.0, INF, 0.02)) == pytest.approx(0.1 * 5.12**2 / 2 / 0.488)


# Batches


def played_batches(rate: float, times: np.ndarray, count: int, *, fixed_batch: bool) -> tuple[float, float]:
    rng = np.random.default_rng(105)
    arrivals, most = np.cumsum(rng.exponential(1 / rate, count)), times.shape[0]
    now, first, waits, responses = 0.0, 0, [], []
    while first < count - most:
        if fixed_batch:
            batch, now = most, max(now, arrivals[first + most - 1])
        else:
            now = max(now, arrivals[first])
            batch = min(int(np.searchsorted(arrivals, now, side="right")) - first, most)
        waits.append(now - arrivals[first : first + batch])
        now += times[batch - 1, rng.integers(times.shape[1])]
        responses.append(now - arrivals[first : first + batch])
        first += batch
    return float(np.mean(np.concatenate(waits))), float(np.mean(np.concatenate(responses)))


TIMES = batch_times(lognormal(256, cv=1.0), 12, np.random.default_rng(6), token_s=0.02, sequence_s=0.0005)


@pytest.mark.parametrize("fixed_batch", [False, True])
@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_batches_that_are_played(rate: float, fixed_batch: bool):
    found = bulk_queue(rate, TIMES.padded_s, fixed=fixed_batch)
    wait, response = played_batches(rate, TIMES.padded_s, 250_000, fixed_batch=fixed_batch)
    assert wait == pytest.approx(found.wait_s, rel=0.06)
    assert response == pytest.approx(found.response_s, rel=0.06)
    assert found.busy_share <= 1
    assert found.mean_batch == pytest.approx(12 if fixed_batch else found.mean_batch)


@given(st.floats(0.05, 0.9), st.floats(0, 4))
@settings(max_examples=20)
def test_a_batch_of_one_is_mg1(load: float, cv2: float):
    sigma = math.sqrt(math.log1p(cv2))
    times = np.exp(sigma * stats.norm.ppf((np.arange(500) + 0.5) / 500) - sigma**2 / 2)[None]
    mean, square = float(np.mean(times)), float(np.mean(times**2))
    expected = float(pollaczek_khinchine_wait_s(load / mean, mean, square))
    assert bulk_queue(load / mean, times).wait_s == pytest.approx(expected, rel=1e-4)


@given(st.floats(0.02, 0.85))
@settings(max_examples=12)
def test_elastic_then_dynamic_then_fixed(load: float):
    rate = load * 12 / float(np.mean(TIMES.padded_s[-1]))
    elastic, dynamic = (bulk_queue(rate, times) for times in (TIMES.elastic_s, TIMES.padded_s))
    assert elastic.response_s <= dynamic.response_s
    assert dynamic.response_s <= bulk_queue(rate, TIMES.padded_s, fixed=True).response_s * (1 + 1e-9)


def test_answers_that_are_alike_make_elastic_batches_padded():
    times = batch_times(fixed(100), 4, np.random.default_rng(0), token_s=0.02, sequence_s=0.001)
    np.testing.assert_allclose(times.elastic_s, times.padded_s)
    np.testing.assert_allclose(times.padded_s[:, 0], [2.1, 2.2, 2.3, 2.4])


def test_batches_at_the_limits():
    over = bulk_queue(100.0, np.ones((4, 1)))
    assert (over.wait_s, over.response_s, over.busy_share) == (INF, INF, 1)
    quiet = bulk_queue(1e-6, np.ones((4, 1)))
    assert quiet.wait_s == pytest.approx(0.0, abs=1e-5)
    assert quiet.response_s == pytest.approx(1.0, abs=1e-5)
    # four at a time, one a second: the first waits for three others
    gathered = bulk_queue(1.0, np.full((4, 1), 1e-9), fixed=True)
    assert gathered.wait_s == pytest.approx(1.5)
    for rate, times in ((0.0, 1.0), (1.0, -1.0), (1.0, INF)):
        with pytest.raises(DomainError, match="must be above 0 and batch times finite"):
            bulk_queue(rate, np.full((2, 1), times))


# Little's law and paging


def test_numbers_that_contradict_each_other():
    found = disagreements(batch=8, step_s=0.150, tokens_per_s=89)
    assert [one.name for one in found] == ["tokens_per_s"]
    assert found[0].implied == pytest.approx(53.33, abs=0.01)
    assert found[0].words == "tokens_per_s=89 is 1.67 times the 53.3 that batch over step time gives"
    assert disagreements(batch=8, step_s=0.150, tokens_per_s=53) == ()
    assert disagreements() == ()
    laws = {one.law for one in disagreements(
        requests_per_s=2, e2e_s=5, in_flight_requests=20, tokens_per_s=10, output_tokens=100, ttft_s=1, tpot_s=0.1
    )}  # fmt: skip
    assert laws == {"rate times time (Little)", "rate times answer length", "TTFT and TPOT of all other tokens"}


def test_numbers_that_fit():
    assert disagreements(
        requests_per_s=2, e2e_s=10.9, in_flight_requests=22, tokens_per_s=205, output_tokens=100, ttft_s=1, tpot_s=0.1
    ) == ()  # fmt: skip
    assert float(in_flight(2.0, 10.9)) == pytest.approx(21.8)
    assert float(step_tokens_per_s(8, 0.15)) == pytest.approx(8 / 0.15)


def test_paging_waste_is_half_a_page():
    held = np.arange(1, 16 * 200 + 1)
    pages = np.ceil(held / 16) * 16
    assert float(paging_waste(float(np.mean(held)), 16)) == pytest.approx(1 - np.sum(held) / np.sum(pages), rel=1e-3)
    assert float(reservation_waste(512, 2048)) == 0.75
    assert float(capacity_gain(0.5, 0.5)) == 1
