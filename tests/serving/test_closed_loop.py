"""Clients in a closed loop: what follows without a loop, the same compiled, and what the settings do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.quantities import as_array
from costline.serving.closed_loop import (
    ClosedLoop,
    StepTables,
    closed_loop_latencies,
    compiled,
    lengths,
)

AXIS = as_array([1.0, 10_000.0])
CONTEXT = as_array([0.0, 100_000.0])


def tables(token_s=1e-6, sequence_s=0.0, context_s=0.0, prompt_s=0.0, step_s=0.01, mixed_s=0.0, request_s=0.0):
    """A step in which everything is proportional."""
    grid = AXIS[:, None] * CONTEXT[None, :]
    flat = np.zeros((2, 2))
    return StepTables(AXIS, token_s * AXIS, AXIS, sequence_s * AXIS, CONTEXT, context_s * grid, AXIS,
                      flat + prompt_s, step_s, mixed_s, request_s)  # fmt: skip


def test_one_client_is_arithmetic():
    load = ClosedLoop(1, 1000, 100, length_spread=0.0)
    found = closed_loop_latencies(load, tables(request_s=0.005, mixed_s=0.002))
    assert found.ttft_s == pytest.approx(0.005 + 0.01 + 0.002 + 1000e-6)
    assert found.tpot_s == pytest.approx(0.01 + 1e-6)


def test_context_grows_by_a_token_a_step():
    load = ClosedLoop(1, 1000, 101, length_spread=0.0)
    found = closed_loop_latencies(load, tables(context_s=1e-6))
    assert found.tpot_s == pytest.approx(0.01 + 1e-6 + 1e-6 * (1001 + 99 / 2), rel=1e-6)


def test_a_convoy_waits_for_the_prompts_ahead():
    load = ClosedLoop(8, 1000, 1000, length_spread=0.0, requests_per_client=1, max_batched_tokens=1000)
    found = closed_loop_latencies(load, tables(token_s=1e-4, step_s=1e-6))
    alone = 0.1 * np.mean(np.arange(1, 9))
    assert alone < found.ttft_s < alone + 0.1  # decoding tokens take a little of each step's room


def test_prompts_first_keep_the_convoy_together():
    load = ClosedLoop(16, 2000, 200, length_spread=0.0, max_batched_tokens=2000)
    shape = tables(token_s=1e-5)
    mixed, first = (closed_loop_latencies(replace(load, prompts_first=one), shape) for one in (False, True))
    assert first.ttft_s > 2 * mixed.ttft_s
    assert first.tpot_s < mixed.tpot_s


def test_a_full_engine_makes_others_wait():
    load = ClosedLoop(8, 100, 100, length_spread=0.0)
    free, full = (closed_loop_latencies(replace(load, max_sequences=most), tables()) for most in (8, 4))
    assert full.ttft_s > free.ttft_s + 0.3
    assert full.tpot_s == pytest.approx(free.tpot_s, rel=0.05)


def test_a_stream_interval_holds_the_first_token_back():
    load = ClosedLoop(1, 100, 100, length_spread=0.0)
    one, ten = (closed_loop_latencies(replace(load, stream_interval=i), tables()) for i in (1, 10))
    assert ten.ttft_s - one.ttft_s == pytest.approx(9 * one.tpot_s)


def test_lengths_lie_within_the_spread():
    prompts, answers = lengths(ClosedLoop(20, 1000, 500, length_spread=0.1))
    assert prompts.size == answers.size == 200
    assert 900 <= prompts.min() < prompts.max() <= 1100
    assert answers.mean() == pytest.approx(500, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(
    clients=st.integers(1, 40),
    prompt=st.integers(2, 3000),
    answer=st.integers(1, 300),
    chunk=st.sampled_from([256.0, 2048.0, 8192.0]),
    first=st.booleans(),
    most=st.sampled_from([3.0, 64.0]),
)
def test_compiled_and_plain_agree(clients, prompt, answer, chunk, first, most):
    load = ClosedLoop(clients, prompt, answer, max_batched_tokens=chunk, prompts_first=first, max_sequences=most,
                      requests_per_client=3)  # fmt: skip
    shape = tables(sequence_s=1e-5, context_s=1e-9, prompt_s=1e-4, mixed_s=1e-3, request_s=2e-3)
    plain, fast = closed_loop_latencies(load, shape), closed_loop_latencies(load, shape, compiled())
    assert (plain.ttft_s, plain.tpot_s) == pytest.approx((fast.ttft_s, fast.tpot_s), rel=1e-9)
    assert plain.ttft_s > 0.01
