"""Pools in closed form: arrays as scalars, the limits, the chapter's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.serving.disaggregation import (
    exposed_transfer_s,
    kv_transfer_time_s,
    pool_replicas,
    prefill_per_decode,
    ring_prefill_s,
)
from costline.serving.offload import break_even_host_bytes_per_s, pcie_bytes_per_s, reload_time_s

SECONDS = st.floats(1e-4, 100.0)


def test_the_slower_side_sets_the_pace_of_a_transfer():
    links = {"sender_bytes_per_s": 50e9, "receiver_bytes_per_s": 25e9, "latency_s": 1e-5}
    assert float(kv_transfer_time_s(1e9, 1e9, **links)) == pytest.approx(0.04 + 1e-5)
    assert float(kv_transfer_time_s(4e9, 1e9, **links)) == pytest.approx(0.08 + 1e-5)
    grid = kv_transfer_time_s(np.array([1e9, 4e9]), 1e9, **links)
    assert grid.tolist() == pytest.approx([0.04 + 1e-5, 0.08 + 1e-5])


def line_of_two_machines(first: float, second: float, jobs: int) -> float:
    """When the last job leaves the second machine."""
    done = 0.0
    for job in range(jobs):
        done = max(done, (job + 1) * first) + second
    return done


@given(transfer=SECONDS, prefill=SECONDS, layers=st.integers(1, 80))
def test_what_is_seen_of_a_transfer_is_a_line_of_two_machines(transfer: float, prefill: float, layers: int):
    exact = line_of_two_machines(prefill / layers, transfer / layers, layers) - prefill
    assert float(exposed_transfer_s(transfer, prefill, layers)) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@given(transfer=SECONDS, prefill=SECONDS)
def test_overlap_never_lengthens(transfer: float, prefill: float):
    seen = exposed_transfer_s(transfer, prefill, np.array([1, 2, 8, 80]))
    assert float(seen[0]) == transfer
    assert np.all(np.diff(seen) <= 1e-12)
    assert np.all(seen >= transfer / 80)


@given(prefill=SECONDS, step=SECONDS, output=st.integers(1, 4096), batch=st.integers(1, 512))
def test_the_ratio_keeps_both_pools_busy(prefill: float, step: float, output: int, batch: int):
    x = float(prefill_per_decode(prefill, step, output, batch))
    assert x / prefill == pytest.approx(batch / (step * output))


def test_replicas_are_whole_and_enough():
    counts = pool_replicas(np.array([0.0, 1.0, 10.0, 10.1]), 2.0, 4.0, 0.5)
    assert counts.tolist() == [0.0, 1.0, 10.0, 11.0]


@given(compute=SECONDS, size=st.floats(1e6, 1e12), degree=st.integers(1, 64))
def test_a_ring_is_bound_by_compute_or_by_its_links(compute: float, size: float, degree: int):
    took = float(ring_prefill_s(compute, size, degree, 50e9))
    assert took >= compute / degree * (1 - 1e-12)
    assert took <= max(compute / degree, size / 50e9) * (1 + 1e-12)
    assert float(ring_prefill_s(compute, size, 1, 50e9)) == compute


# The numbers of the TPU serving chapter, LLaMA 70B on 16 v5e


def test_cap_4_8_prefill_replicas_for_each_decode_replica():
    prefill_s = 2 * 70e9 * 8192 / (16 * 1.97e14 * 0.4)  # as the chapter: 40 % of the peak
    ratios = prefill_per_decode(prefill_s, np.array([8.61e-3, 20.2e-3]), 512, np.array([32, 138]))
    assert ratios.tolist() == pytest.approx([6.6, 12.1], abs=0.06)


def test_cap_4_9_transfer_of_a_prompts_cache():
    cache = 8192 * 163_840
    links = {"sender_bytes_per_s": 50e9, "receiver_bytes_per_s": 50e9, "latency_s": 0.0}
    assert cache == pytest.approx(1.34e9, rel=2e-3)
    assert float(kv_transfer_time_s(cache, cache, **links)) == pytest.approx(26.8e-3, abs=5e-5)


def test_cap_4_10_replicas_of_both_pools():
    prefill_s = 2 * 70e9 * 8192 / (16 * 1.97e14 * 0.4)
    assert float(pool_replicas(10_000, 512 * 11.88e-3, 64)) == 951
    assert float(pool_replicas(10_000, prefill_s)) == pytest.approx(9_097, abs=2)
    assert float(pool_replicas(10_000, 512 * 11.88e-3, 64)) * 16 == 15_216
    headroom = pool_replicas(10_000, 512 * 11.88e-3, 64, 0.7)
    assert float(headroom) == np.ceil(950.4 / 0.7)


# Host memory


def test_a_link_doubles_with_its_generation_and_its_lanes():
    assert pcie_bytes_per_s(np.array([4, 5])).tolist() == pytest.approx([31.5e9, 63.0e9], rel=1e-3)
    assert float(pcie_bytes_per_s(5, 8)) == pytest.approx(float(pcie_bytes_per_s(4, 16)))


@given(size=st.floats(1e3, 1e12), rate=st.floats(1e6, 1e12), speed=st.floats(1.0, 1e6))
def test_reloading_breaks_even_where_it_takes_as_long_as_computing(size: float, rate: float, speed: float):
    per_token = 1e5
    least = float(break_even_host_bytes_per_s(per_token, speed))
    assert float(reload_time_s(per_token * 1000, least)) == pytest.approx(1000 / speed)
    assert float(reload_time_s(size, rate, 1e-3)) == pytest.approx(1e-3 + size / rate)
