"""The two limits of an operation, and where they meet: known numbers, edges, and what always holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.forward.closed_forms import attention_crossover_tokens, prefill_time_s, tiered_read_time_s
from costline.forward.roofline import (
    additive_decode_step_s,
    attention_intensity,
    corner_time_s,
    critical_batch,
    ridge_flop_per_byte,
    roofline_time_s,
    serial_time_s,
)

WORK = st.floats(0, 1e18)
RATE = st.floats(1e6, 1e16)
TIME = st.just(0.0) | st.floats(1e-9, 1e3)
V5E_FLOP, V5E_BYTES = 1.97e14, 8.2e11
H100_FLOP, H100_BYTES = 9.89e14, 3.35e12

# equation, arguments, value; each beside where the value comes from
KNOWN = [
    # v5e: an 8 GB model is read in 8 / 0.82 ms; 1e12 FLOP on H100 take 1 / 989 s at its data sheet's peak
    (roofline_time_s, (0, 8e9, V5E_FLOP, V5E_BYTES), 9.756e-3),
    (roofline_time_s, (1e12, 0, H100_FLOP, H100_BYTES), 1.0111e-3),
    (serial_time_s, (1e12, 3.35e9, H100_FLOP, H100_BYTES), 2.0111e-3),
    (corner_time_s, (np.asarray(3.0), np.asarray(3.0)), 3 * 2 ** (1 / 3)),
    # ridge: 295 FLOP a byte on H100 SXM in bf16, 240 on v5e, 153 on A100 80 GB (data sheets)
    (ridge_flop_per_byte, (H100_FLOP, H100_BYTES), 295.2),
    (ridge_flop_per_byte, (V5E_FLOP, V5E_BYTES), 240.2),
    (ridge_flop_per_byte, (3.12e14, 2.039e12), 153.0),
    # scaling-book ch. 7: 240 sequences on v5e with bf16 weights, 120 with int8 weights and bf16 arithmetic
    (critical_batch, (2, V5E_FLOP, V5E_BYTES), 240.2),
    (critical_batch, (1, V5E_FLOP, V5E_BYTES), 120.1),
    # Erdil 2025, section 4.3: 1 FLOP a byte for MHA in 16 bits; 8 query heads to a KV head in 8 bits: 16
    (attention_intensity, (1, 2), 1.0),
    (attention_intensity, (8, 1), 16.0),
    # Chapter 6 of the TPU serving chapter at 40 % of the peak, linear work alone: 2 x 70e9 x 8192 FLOP
    (prefill_time_s, (70e9, 8192, 16 * V5E_FLOP * 0.4), 0.9097),
    # 3 x 8192 x 28672 parameters over 8192: Llama 70B attends as much as it multiplies from 86,016 tokens on
    (attention_crossover_tokens, (3 * 8192 * 28672, 8192), 86016.0),
    (tiered_read_time_s, ([32.4e9, 3.6e9], [3.3e12, 64e9]), 56.25e-3),
]


@pytest.mark.parametrize(("equation", "arguments", "value"), KNOWN)
def test_known_numbers(equation: Callable[..., object], arguments: tuple[object, ...], value: float):
    assert float(equation(*arguments)) == pytest.approx(value, rel=5e-4)  # type: ignore[arg-type]


def test_decode_step_of_the_serving_chapter():
    # 70B in int8 on 4x4 v5e, 8K: the larger of weights and matrices, then the cache.
    steps = additive_decode_step_s(
        70e9,
        np.array([1, 32, 120]) * 8192 * 163_840,
        2 * 70e9 * np.array([1, 32, 120]),
        peak_flop_per_s=16 * V5E_FLOP,
        hbm_bytes_per_s=16 * V5E_BYTES,
    )
    assert steps.tolist() == pytest.approx([5.438e-3, 8.609e-3, 17.61e-3], rel=5e-4)


@pytest.mark.parametrize(("equation", "arguments", "value"), [
    (roofline_time_s, (0, 0, 1, 1), 0),
    (roofline_time_s, (1e12, 1e12, np.inf, 1e12), 1),
    (roofline_time_s, (1e12, 1e12, 1e12, np.inf), 1),
    (serial_time_s, (1e12, 1e12, np.inf, np.inf), 0),
    (corner_time_s, (np.asarray(0.0), np.asarray(2.0)), 2),
    (ridge_flop_per_byte, (1e12, np.inf), 0),
    (critical_batch, (1e-12, 1e12, 1e12), 5e-13),
    (attention_intensity, (0, 2), 0),
    (prefill_time_s, (70e9, 0, 1e15), 0),
    (prefill_time_s, (70e9, 8192, np.inf), 0),
    (attention_crossover_tokens, (0, 8192), 0),
    (tiered_read_time_s, ([1e9, 0], [1e9, 1e-3]), 1),
])  # fmt: skip
def test_edges(equation: Callable[..., object], arguments: tuple[object, ...], value: float):
    assert float(equation(*arguments)) == pytest.approx(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("equation", [roofline_time_s, serial_time_s])
@pytest.mark.parametrize("rate", [0.0, -1.0, np.array([1.0, 0.0])])
def test_a_rate_that_is_not_positive_is_refused(equation: Callable[..., object], rate: float):
    with pytest.raises(DomainError, match=r"peak_flop_per_s=.* must be positive"):
        equation(1.0, 1.0, rate, 1.0)
    with pytest.raises(DomainError, match=r"hbm_bytes_per_s=.* must be positive"):
        equation(1.0, 1.0, 1.0, rate)


def test_widths_and_rates_of_the_others_are_checked_too():
    for call in (
        lambda: ridge_flop_per_byte(1, 0),
        lambda: critical_batch(1, 1, -1),
        lambda: attention_intensity(1, 0),
        lambda: additive_decode_step_s(1, 1, 1, peak_flop_per_s=0, hbm_bytes_per_s=1),
    ):
        with pytest.raises(DomainError, match="must be positive; give the rate of a real device"):
            call()


@given(WORK, WORK, RATE, RATE)
def test_least_and_most_time_are_at_most_a_factor_of_two_apart(
    flop: float, moved: float, peak: float, bandwidth: float
):
    least, most = roofline_time_s(flop, moved, peak, bandwidth), serial_time_s(flop, moved, peak, bandwidth)
    assert least <= most <= 2 * least


@given(WORK, WORK, RATE, RATE, st.floats(1, 1e3))
def test_faster_devices_are_never_slower(flop: float, moved: float, peak: float, bandwidth: float, factor: float):
    base = roofline_time_s(flop, moved, peak, bandwidth)
    assert roofline_time_s(flop, moved, factor * peak, bandwidth) <= base
    assert roofline_time_s(flop, moved, peak, factor * bandwidth) <= base
    assert roofline_time_s(factor * flop, factor * moved, peak, bandwidth) >= base


@given(TIME, TIME)
def test_a_real_kernel_lies_between_overlap_and_none(compute: float, memory: float):
    time = float(corner_time_s(np.asarray(compute), np.asarray(memory)))
    assert max(compute, memory) * (1 - 1e-12) <= time <= (compute + memory) * (1 + 1e-12)
    assert time <= max(compute, memory) * 2 ** (1 / 3) * (1 + 1e-12)


@given(RATE, RATE, st.floats(0.25, 4))
def test_at_the_critical_batch_both_limits_are_equal(peak: float, bandwidth: float, width: float):
    batch, parameters = float(critical_batch(width, peak, bandwidth)), 1e9
    assert 2 * parameters * batch / peak == pytest.approx(width * parameters / bandwidth)
    assert batch == pytest.approx(float(ridge_flop_per_byte(peak, bandwidth)) * width / 2)


@given(st.floats(1, 1e12), st.integers(1, 200_000), st.floats(1e9, 1e18), st.integers(0, 200), st.integers(0, 16384))
def test_a_prompt_takes_at_least_its_linear_part(parameters, tokens, rate, layers, width):
    linear = prefill_time_s(parameters, tokens, rate)
    assert prefill_time_s(parameters, tokens, rate, layers=layers, attention_width=width) >= linear
    # Attention of one layer equals an MLP that it crosses at this length.
    if width:
        crossing = float(attention_crossover_tokens(tokens * width, width))
        assert crossing == pytest.approx(tokens)
