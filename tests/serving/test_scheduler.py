"""The decisions of the scheduler, each alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from costline.serving import scheduler
from costline.serving.fleet import Engine, replicas
from costline.serving.requests import Requests
from costline.serving.simulate import simulate
from costline.serving.step_table import affine_table


def callable_from_here(function: Any) -> Any:
    """Functions of the loop can be called from compiled code only."""
    return njit(lambda *given: function(*given))  # noqa: PLW0108  # a function that is compiled already is no argument of njit


boundary_at = callable_from_here(scheduler.boundary_at)
run_time_s = callable_from_here(scheduler.run_time_s)
steps_below = callable_from_here(scheduler.steps_below)
chunk_tokens = callable_from_here(scheduler.chunk_tokens)
has_come = callable_from_here(scheduler.has_come)
batch_may_start = callable_from_here(scheduler.batch_may_start)
wanted_replicas = callable_from_here(scheduler.wanted_replicas)


@given(st.floats(0, 1e4), st.floats(1e-4, 1.0), st.floats(0, 1e-3), st.integers(1, 100_000))
def test_the_boundary_is_the_first_at_or_after(elapsed_s: float, first_s: float, growth_s: float, most: int):
    found = boundary_at(elapsed_s, first_s, growth_s, most)
    assert 1 <= found <= most
    assert found == most or run_time_s(first_s, growth_s, found) >= elapsed_s
    assert found == 1 or run_time_s(first_s, growth_s, found - 1) < elapsed_s


@given(st.floats(1e-3, 1.0), st.floats(0, 1e-2), st.integers(1, 200))
def test_a_run_is_the_sum_of_its_steps(first_s: float, growth_s: float, steps: int):
    singly_s = math.fsum(first_s + growth_s * k for k in range(steps))
    assert math.isclose(run_time_s(first_s, growth_s, steps), singly_s, rel_tol=1e-12)


@given(st.integers(0, 5000), st.integers(1, 64), st.integers(0, 5000))
def test_the_last_step_below_an_end(tokens: int, growth: int, end: int):
    steps = steps_below(float(tokens), float(growth), float(end))
    assert steps == 1 or tokens + growth * (steps - 1) <= end < tokens + growth * steps


def test_a_slope_without_end_goes_on():
    assert steps_below(10.0, 1.0, math.inf) > 1 << 30
    assert steps_below(10.0, 0.0, 20.0) > 1 << 30


def test_chunks():
    assert chunk_tokens(1000, 512, 0, True, True) == 512
    assert chunk_tokens(1000, 512, 128, True, True) == 128
    assert chunk_tokens(100, 512, 128, True, False) == 100
    assert chunk_tokens(100, -5, 0, True, False) == 0
    assert chunk_tokens(1000, 512, 0, False, False) == 0
    assert chunk_tokens(1000, 512, 0, False, True) == 1000


def test_who_has_come():
    assert has_come(1.0, 1.0, 0.5, False, False)
    assert not has_come(1.0, 1.0, 0.5, False, True)
    assert has_come(0.5, 1.0, 0.5, False, True)
    assert has_come(1.0, 1.0, 0.5, True, True)


def test_batches_and_replicas():
    assert not batch_may_start(scheduler.FIXED, 7, 8, False)
    assert batch_may_start(scheduler.FIXED, 7, 8, True)
    assert batch_may_start(scheduler.DYNAMIC, 1, 8, False)
    assert not batch_may_start(scheduler.DYNAMIC, 0, 8, False)
    assert [wanted_replicas(load, 10.0, 2, 5) for load in (0.0, 20.0, 21.0, 99.0)] == [2, 2, 3, 5]


def test_a_fixed_batch_waits_no_longer_than_it_may():
    requests = Requests(np.array([0.0, 1.0, 50.0]), np.full(3, 5), np.full(3, 4))
    engine = Engine(max_sequences=3, batching="fixed", batch_wait_s=2.0)
    found = simulate(requests, replicas(affine_table(step_s=0.01), engine))
    assert found.admitted_s.tolist() == [2.0, 2.0, 52.0]


@given(st.integers(0, 2**32))
def test_a_long_queue_keeps_its_order(seed: int):
    rng = np.random.default_rng(seed)
    outputs, tiers = rng.integers(1, 40, 300), rng.integers(0, 4, 300)
    requests = Requests(np.zeros(300), np.full(300, 3), outputs, tier=tiers)
    found = simulate(requests, replicas(affine_table(step_s=0.01), Engine(max_sequences=1, order="sjf")))
    assert np.argsort(found.admitted_s).tolist() == np.lexsort((np.arange(300), outputs, tiers)).tolist()
