"""Every kernel's time is one function of arrays: an element of a grid is the scalar's value; more work takes longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.find import chip, system
from costline.catalog.kernels import (
    decode_attention_kernel,
    engine_all_reduce,
    expert_kernel,
    gemm_kernel,
    latent_decode_kernel,
    latent_prefill_kernel,
    library_collective,
    low_latency_exchange,
    prefill_attention_kernel,
    scale_out,
    throughput_exchange,
)
from costline.forward.kernels.all_reduce import engine_all_reduce_time_s
from costline.forward.kernels.collectives import (
    library_all_reduce_time_s,
    library_gather_time_s,
    scale_out_time_s,
)
from costline.forward.kernels.corner import missed_share, rounded_corner_s
from costline.forward.kernels.decode_attention import decode_attention_time_s
from costline.forward.kernels.expert_exchange import low_latency_exchange_time_s, throughput_exchange_time_s
from costline.forward.kernels.experts import expert_traffic_bytes, experts_time_s, padded_rows
from costline.forward.kernels.gemm import gemm_time_s
from costline.forward.kernels.mla import EXPANDED_WIDTH, cache_passes, mla_decode_time_s, mla_prefill_time_s
from costline.forward.kernels.prefill_attention import attention_traffic_bytes, prefill_attention_time_s
from costline.forward.kernels.records import Device, device_of

H100 = chip("h100-sxm")
FAMILY = H100.family
DEVICE: Device = device_of(H100, "bf16", system(H100.system))
NETWORK = scale_out(FAMILY)[0]

Range = tuple[float, float]
CASES: dict[str, tuple[Callable[..., Any], tuple[Range, ...]]] = {
    "gemm": (
        lambda m, n, k: gemm_time_s(
            m, n, k, bytes_per_weight=1.0, bytes_per_activation=1.0, device=DEVICE,
            kernel=gemm_kernel(FAMILY, "fp8", "vllm")[0],
        ),
        ((1, 16384), (128, 65536), (128, 65536)),
    ),
    "decode attention": (
        lambda batch, length, kv_heads: decode_attention_time_s(
            batch, length, 64, kv_heads, head_dim=128, bytes_per_value=2, device=DEVICE,
            kernel=decode_attention_kernel(FAMILY, "bf16", "vllm")[0],
        ),
        ((1, 512), (1, 131072), (1, 8)),
    ),
    "attention traffic": (
        lambda prompts, tokens, heads: attention_traffic_bytes(
            prompts, tokens, heads, 8, head_dim=128, bytes_per_value=2
        ),
        ((1, 16), (1, 16384), (8, 64)),
    ),
    "prefill attention": (
        lambda prompts, tokens, heads: prefill_attention_time_s(
            prompts, tokens, heads, pair_width=256, traffic_bytes=1e8, device=DEVICE,
            kernel=prefill_attention_kernel(FAMILY, "bf16", "vllm")[0],
        ),
        ((1, 16), (1, 16384), (8, 64)),
    ),
    "latent decode": (
        lambda batch, length: mla_decode_time_s(
            batch, length, 128, bytes_per_value=2, device=DEVICE,
            kernel=latent_decode_kernel(FAMILY, "bf16", "sglang")[0],
        ),
        ((1, 512), (1, 131072)),
    ),
    "latent prefill": (
        lambda prompts, tokens, heads: mla_prefill_time_s(
            prompts, tokens, heads, pair_width=EXPANDED_WIDTH, device=DEVICE,
            kernel=latent_prefill_kernel(FAMILY, "bf16", "trtllm")[0],
        ),
        ((1, 16), (1, 16384), (16, 128)),
    ),
    "padded rows": (padded_rows, ((64, 65536), (1, 64))),
    "expert traffic": (
        lambda pairs, tokens: expert_traffic_bytes(pairs, tokens, 8, hidden=7168, width=2048, all_pairs=False),
        ((1, 65536), (1, 8192)),
    ),
    "experts": (
        lambda distinct, rows, tiles, traffic: experts_time_s(
            distinct, rows, tiles, hidden=4096, width=1536, bytes_per_weight=2, traffic_bytes=traffic, device=DEVICE,
            kernel=expert_kernel(FAMILY, "bf16", "triton", "vllm")[0],
        ),
        ((1, 128), (16, 65536), (1, 512), (1e4, 1e9)),
    ),
    "library all-reduce": (
        lambda size: library_all_reduce_time_s(
            size, np.array(8.0), device=DEVICE, kernel=library_collective(FAMILY, "all_reduce")[0]
        ),
        ((512, 1 << 29),),
    ),
    "library all-gather": (
        lambda size: library_gather_time_s(
            size, 8, ring_steps=True, device=DEVICE, kernel=library_collective(FAMILY, "gather")[0]
        ),
        ((512, 1 << 29),),
    ),
    "engine all-reduce": (
        lambda size, n: engine_all_reduce_time_s(
            size, n, device=DEVICE, kernel=engine_all_reduce(FAMILY, "vllm")[0]
        ),
        ((512, 1 << 26), (2, 8)),
    ),
    "scale-out": (lambda size, n: scale_out_time_s(size, n, device=DEVICE, kernel=NETWORK), ((1, 1e9), (2, 64))),
    "low-latency exchange": (
        lambda tokens, top_k: low_latency_exchange_time_s(
            tokens, top_k, 7168, experts=256, bytes_per_number=1.03, local_devices=8, domains=2, device=DEVICE,
            kernel=low_latency_exchange(FAMILY, "dispatch")[0], network=NETWORK,
        ),
        ((1, 1024), (1, 8)),
    ),
    "throughput exchange": (
        lambda tokens, copies: throughput_exchange_time_s(
            tokens, copies, 7168, domain_copies=1.9, bytes_per_number=2.0, devices=16, domains=2, compute_units=20,
            device=DEVICE, kernel=throughput_exchange(FAMILY, "combine")[0], network=NETWORK,
        ),
        ((1, 65536), (1, 8)),
    ),
    "corner": (lambda first, second: rounded_corner_s(first, second, 3.0), ((0, 1), (0, 1))),
    "missed": (lambda read: missed_share(read, 5e7, 8), ((1, 1e12),)),
}  # fmt: skip
WHOLE = {"corner"}
"""Cases whose ranges are shares rather than counts."""


def drawn(ranges: tuple[Range, ...], rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    return [np.exp(rng.uniform(np.log(max(low, 1e-3)), np.log(high), shape)) for low, high in ranges]


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_element_of_a_grid_is_the_scalars_value(name: str, seed: int):
    function, ranges = CASES[name]
    arrays = drawn(ranges, np.random.default_rng(seed), (4,))
    grid = np.asarray(function(*arrays))
    scalars = [float(function(*(float(array[place]) for array in arrays))) for place in range(4)]
    np.testing.assert_allclose(grid, scalars, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 2**32 - 1), which=st.integers(0, 3), factor=st.floats(1.0, 8.0))
def test_more_work_takes_longer(name: str, seed: int, which: int, factor: float):
    function, ranges = CASES[name]
    arrays = drawn(ranges, np.random.default_rng(seed), ())
    more = [array * factor if place == which % len(arrays) else array for place, array in enumerate(arrays)]
    assert float(function(*more)) >= float(function(*arrays)) * (1 - 1e-9)


def test_passes_of_an_array_are_those_of_its_elements():
    heads = np.array([1.0, 16.0, 32.0, 48.0, 64.0, 128.0])
    assert cache_passes(heads).tolist() == [float(cache_passes(one)) for one in heads] == [1, 1, 2, 3, 1, 1]
