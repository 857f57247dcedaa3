"""Erdil 2025's closed forms: limits, optima, and the numbers that the paper states for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_grid import grid
from costline.published.erdil_2025_printed import (
    all_reduce_bandwidth_s,
    all_reduce_latency_s,
    network_read_bytes,
    parameters_read,
    printed_latency_s,
)
from costline.published.erdil_2025_toy import (
    critical_batch,
    infinite_bandwidth_latency_s,
    least_sharded_latency_s,
    optimal_gpus,
    sharded_latency_s,
    single_device_gpu_s_per_token,
    single_device_latency_s,
    square_root_law_tokens_per_s,
)

H100 = {"weight_bytes": 2.0, "hbm_bytes_per_s": 3.3e12, "flop_per_s": 1e15}
SIZES = st.floats(1e8, 1e13)


@given(SIZES, st.floats(1e-3, 1e5))
def test_reading_and_arithmetic_meet_at_the_critical_batch(parameters: float, batch: float):
    # Section 2.1: 303 sequences for 16-bit weights on an undiscounted H100.
    star = critical_batch(2.0, 3.3e12, 1e15)
    assert star == pytest.approx(303.03, abs=5e-3)
    read_s = 2 * parameters / 3.3e12
    assert single_device_latency_s(parameters, star, **H100) == pytest.approx(read_s)
    latency_s = single_device_latency_s(parameters, batch, **H100)
    assert latency_s == pytest.approx(read_s * max(1, batch / star))
    assert single_device_gpu_s_per_token(parameters, batch, **H100) == pytest.approx(latency_s / batch)


@given(SIZES, st.integers(1, 200), st.floats(0.02, 50))
def test_no_instance_beats_the_closed_form(parameters: float, layers: int, ratio: float):
    spec = (2 * parameters, layers, 3.3e12)
    best, least_s = optimal_gpus(*spec), least_sharded_latency_s(*spec)
    assert sharded_latency_s(parameters, layers, best, 1, **H100) == pytest.approx(least_s, rel=1e-9)
    other = max(1.0, best * ratio)
    assert sharded_latency_s(parameters, layers, other, 1, **H100) >= least_s * (1 - 1e-9)


def test_a_model_too_small_to_shard_stays_on_one_device():
    assert optimal_gpus(1e3, 100, 3.3e12) == 1
    assert least_sharded_latency_s(1e3, 100, 3.3e12) == 1e3 / 3.3e12


def test_equations_take_arrays_as_loops_of_scalars():
    parameters, layers = np.array([8e9, 70e9, 175e9]), np.array([32, 80, 96])
    sizes = optimal_gpus(2 * parameters, layers, 3.3e12)
    assert sizes.tolist() == [float(optimal_gpus(2 * p, n, 3.3e12)) for p, n in zip(parameters, layers, strict=True)]
    table = sharded_latency_s(parameters[:, None], layers[:, None], np.array([1.0, 8.0])[None, :], 4, **H100)
    assert table.shape == (3, 2)
    assert table[2, 1] == sharded_latency_s(175e9, 96, 8.0, 4, **H100)


@pytest.mark.parametrize(("name", "tokens_per_s", "n_gpu"), [
    ("Llama_3_8B", 966, 11), ("Llama_3_70B", 234, 26), ("GPT_3", 148, 42), ("PaLM_540B", 86, 79), ("GPT_4", 56, 173),
])  # fmt: skip
def test_table_1_as_printed(name: str, tokens_per_s: float, n_gpu: float):
    model = find_model(name)
    spec = (model.weights_bytes, model.layers, 3.3e12)
    assert (round(1 / float(least_sharded_latency_s(*spec))), round(float(optimal_gpus(*spec)))) == (
        tokens_per_s,
        n_gpu,
    )


def test_parallel_attention_would_have_halved_the_reduces_of_palm():
    # Two all-reduces a layer instead of Table 1's four: 134 token/s on 125 GPUs.
    palm = find_model("PaLM_540B")
    spec = (palm.weights_bytes, palm.layers, 3.3e12)
    assert round(1 / float(least_sharded_latency_s(*spec, reduces_per_layer=2))) == 134
    assert round(float(optimal_gpus(*spec, reduces_per_layer=2))) == 125
    halved = infinite_bandwidth_latency_s("PaLM_540B", "H100", 1e4, 1)
    assert halved > 118 * 2 * 2e-6 * 99


def test_the_square_root_law_as_printed():
    # Section 2.2.3: 8B at 400 token/s makes 135 for 70B and 56 for 405B.
    assert np.round(square_root_law_tokens_per_s(400, 8, [70, 405])).tolist() == [135, 56]


def test_all_reduce_times_as_the_equations_give_them():
    # Eq. 40 for 8 GPUs in one node and 64 in eight; Eq. 24's 16 µs.
    np.testing.assert_allclose(all_reduce_latency_s([8, 64], [1, 8]), [8.994e-6, 23.994e-6], rtol=1e-4)
    assert all_reduce_latency_s(1, 1) == pytest.approx(6.8e-6)
    assert all_reduce_bandwidth_s(2e6, 8, 112e9) == pytest.approx(15.625e-6)
    assert all_reduce_bandwidth_s(2e6, 1, 112e9) == 0


def test_nothing_is_read_over_a_network_of_one():
    intra, inter = network_read_bytes(1e6, [1, 8, 64], [1, 1, 8])
    assert (intra[0], inter[0], inter[1]) == (0, 0, 0)
    assert intra[2] == pytest.approx(2e6 * (np.sqrt(8) - 1) * np.sqrt(8))


def test_experts_are_all_read_by_a_large_batch():
    model = find_model("Mixtral_8x22B")
    kept = model.parameters - model.unembedding_parameters
    assert parameters_read(model, 1e4) == pytest.approx(kept)
    assert parameters_read(model, 1) == pytest.approx(kept - model.feedforward_parameters * (1 - 1 / 4))


@pytest.mark.parametrize(("gpu", "tokens_per_s", "n_gpu"), [("H100", 132, 15.6), ("A100", 114, 23.6), ("V100", 94, 40)])
def test_the_printed_equations_do_not_give_table_4(gpu: str, tokens_per_s: float, n_gpu: float):
    # The printed equations' own fastest points; Table 4 prints 152 at 24, 132 at 32 and 105 at 102.
    model = find_model("Llama_3_70B_8_bit")
    sizes, batches = grid(model, find_gpu(gpu))
    latency_s = printed_latency_s(model.name, gpu, sizes, batches)
    row, _ = np.unravel_index(int(np.argmin(latency_s)), latency_s.shape)
    assert round(1 / latency_s.min()) == tokens_per_s
    assert sizes[row, 0] == pytest.approx(n_gpu, abs=0.06)


def test_the_printed_equations_know_what_does_not_fit():
    assert printed_latency_s("Llama_3_70B", "H100", 1, 8) == np.inf
    assert printed_latency_s("Llama_3_8B", "H100", 0.5, 8) == np.inf
    assert infinite_bandwidth_latency_s("Llama_3_70B", "H100", 1, 8) == np.inf
    assert np.isfinite(printed_latency_s("Llama_3_8B", "H100", [1, 2], [[8], [16]])).all()
