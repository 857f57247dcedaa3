"""Utilisation in training: Megatron's published point, bubbles, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.lifecycle.parallel_efficiency import (
    achieved_mfu,
    hardware_to_model_share,
    idle_share,
    mixed_kernel_share,
    pipeline_bubble,
    tensor_parallel_bytes,
    training_mfu,
)
from costline.lifecycle.training import training_device_hours

SHARE = st.floats(0.01, 1.0)


def test_megatron_at_a_trillion_parameters():
    # Narayanan et al. 2021: 502 petaFLOP/s on 3072 A100, every activation recomputed and counted
    rate = 502e15 / 3072
    assert rate == pytest.approx(163.4e12, rel=1e-3)
    share = achieved_mfu(502e15, 3072, 312e12)
    assert float(share) == pytest.approx(0.524, abs=5e-4)
    assert float(hardware_to_model_share(share, 1 / 3)) == pytest.approx(0.393, abs=5e-4)


def test_strong_scaling_from_47_to_42_per_cent_raises_the_price_of_a_flop_by_12_per_cent():
    # Megatron-LM's readme through claim mfu-strong-scaling: 96 to 4608 H100
    hours = training_device_hours(1e24, 989e12, np.array([0.47, 0.42]))
    assert hours[1] / hours[0] - 1 == pytest.approx(0.12, abs=0.002)


@given(p=st.integers(1, 64), m=st.integers(1, 512), v=st.integers(1, 16))
def test_a_bubble_shrinks_with_micro_batches_and_chunks(p: int, m: int, v: int):
    bubble = float(pipeline_bubble(p, m, v))
    assert float(pipeline_bubble(p, 2 * m, v)) == pytest.approx(bubble / 2)
    assert float(pipeline_bubble(p, m, 2 * v)) == pytest.approx(bubble / 2)
    assert float(idle_share(pipeline_bubble(p, m))) == pytest.approx((p - 1) / (m + p - 1))


def test_tensor_parallelism_sends_what_megatron_says():
    # Narayanan et al. 2021, section 3.2: 8 b s h (t - 1) / t elements a layer and micro-batch, 16 bit each
    b, s, h, t = 2, 2048, 12288, 8
    assert float(tensor_parallel_bytes(b * s, h, 1, t)) == 2 * 8 * b * s * h * (t - 1) / t
    assert float(tensor_parallel_bytes(b * s, h, 1, 1)) == 0.0
    assert float(tensor_parallel_bytes(b * s, h, 1, t, passes=6)) == 2 * 12 * b * s * h * (t - 1) / t


@given(kernel=SHARE, bubble=st.floats(0, 5), exposed=st.floats(0, 5), again=st.floats(0, 1 / 3))
def test_nothing_raises_utilisation_above_its_kernels(kernel: float, bubble: float, exposed: float, again: float):
    found = float(training_mfu(kernel, bubble=bubble, exposed=exposed, recomputed=again))
    assert 0 < found <= kernel * (1 + 1e-12)


@given(matrix=SHARE, attention=SHARE, work=st.floats(0, 1))
def test_mixed_kernels_lie_between_their_parts(matrix: float, attention: float, work: float):
    low, high = sorted((matrix, attention))
    assert low * (1 - 1e-9) <= float(mixed_kernel_share(matrix, attention, work)) <= high * (1 + 1e-9)


def test_ideal_hardware_has_no_loss():
    assert float(training_mfu(1.0)) == 1.0
    assert np.isclose(float(training_mfu(1.0, bubble=float(pipeline_bubble(64, 1)))), 1 / 64)


def test_values_outside_their_domain_are_refused():
    with pytest.raises(DomainError, match="kernel_share=0"):
        training_mfu(0.0)
    with pytest.raises(DomainError, match="stages=0"):
        pipeline_bubble(0, 1)
