"""Kernels that read weights or caches: worked by hand, at their limits, and never below the datasheet's roofline."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.find import chip
from costline.catalog.kernel_records import (
    DecodeAttentionKernel,
    ExpertKernel,
    GemmKernel,
    LatentDecodeKernel,
    PrefillAttentionKernel,
)
from costline.catalog.kernels import decode_attention_kernel, expert_kernel, gemm_kernel
from costline.forward.kernels.corner import missed_share, rounded_corner_s
from costline.forward.kernels.decode_attention import decode_attention_time_s
from costline.forward.kernels.experts import expert_class, expert_traffic_bytes, experts_time_s, padded_rows
from costline.forward.kernels.gemm import gemm_time_s
from costline.forward.kernels.mla import ABSORBED_WIDTH, EXPANDED_WIDTH, mla_decode_time_s, mla_prefill_time_s
from costline.forward.kernels.prefill_attention import attention_traffic_bytes, prefill_attention_time_s
from costline.forward.kernels.records import Device, device_of, kernel_flop_per_s

IDEAL = Device(flop_per_s=1e15, hbm_bytes_per_s=4e12, compute_units=100, l2_bytes=5e7)
GEMM = GemmKernel(0.8, 0.85, 4e-6, 5e-10, 0.5)
DECODE = DecodeAttentionKernel(9e-6, 1e-6, 2e-6, 0.9, 50e9, 0.6)
PREFILL = PrefillAttentionKernel(13e-6, 0.7, 14e9, 0.25)
LATENT = LatentDecodeKernel(11e-6, 1.5e-6, 8e-6, 0.8, 0.9, 0.6, 0.4)
EXPERTS = ExpertKernel(27e-6, 0.9, 0.86, 3.0, 0.6, 0.05)


def test_gemm_by_hand():
    m, n, k = 64, 8192, 4096
    compute = 2 * m * n * k / 0.8e15
    memory = (n * k + m * k + 2 * m * n) / (0.85 * 4e12)
    passes = 0.5 * 3 * m * k / 4e12
    due = 4e-6 + (compute**3 + memory**3 + (5e-10 * k) ** 3) ** (1 / 3) + passes
    found = gemm_time_s(m, n, k, bytes_per_weight=1, bytes_per_activation=1, device=IDEAL, kernel=GEMM)
    assert float(found) == pytest.approx(due, rel=1e-12)
    wide = gemm_time_s(m, n, k, bytes_per_weight=0.5, bytes_per_activation=2, device=IDEAL, kernel=GEMM)
    unquantised = gemm_time_s(
        m, n, k, bytes_per_weight=0.5, bytes_per_activation=2, device=IDEAL, kernel=replace(GEMM, quantise_passes=0.0)
    )
    assert float(wide) == float(unquantised)


def test_a_large_gemm_runs_at_its_share_of_the_peak():
    m = n = k = 65536
    found = gemm_time_s(m, n, k, bytes_per_weight=2, bytes_per_activation=2, device=IDEAL, kernel=GEMM)
    assert 2 * m * n * k / float(found) / 1e15 == pytest.approx(0.8, rel=2e-3)


@given(m=st.integers(1, 32768), n=st.integers(128, 65536), k=st.integers(128, 65536))
def test_no_gemm_beats_the_roofline(m: int, n: int, k: int):
    h100 = chip("h100-sxm")
    for number_format, width in (("bf16", 2.0), ("fp8", 1.0)):
        device = device_of(h100, number_format)
        kernel = gemm_kernel("hopper", number_format)[0]
        found = gemm_time_s(m, n, k, bytes_per_weight=width, bytes_per_activation=width, device=device, kernel=kernel)
        least = max(2 * m * n * k / h100.dense_flop_per_s[number_format], width * n * k / h100.hbm_bytes_per_s)
        assert float(found) > least


def test_decode_attention_by_hand():
    batch, length, heads, kv_heads = 32, 4096, 64, 8
    read = 2 * batch * length * kv_heads * 128 * 2 + 4 * batch * heads * 128
    units = read / (50e9 * 100) + 2e-6 * batch * kv_heads / 100
    due = 9e-6 + 1e-6 * math.log2(1 + length / 128) + math.hypot(read / (0.9 * 4e12), units)
    found = decode_attention_time_s(
        batch, length, heads, kv_heads, head_dim=128, bytes_per_value=2, device=IDEAL, kernel=DECODE
    )
    assert float(found) == pytest.approx(due, rel=1e-12)


def test_a_warm_cache_is_faster_only_while_it_fits():
    def time_s(length: float, warm: float) -> float:
        device = replace(IDEAL, warm=warm)
        return float(
            decode_attention_time_s(1, length, 64, 8, head_dim=128, bytes_per_value=2, device=device, kernel=DECODE)
        )

    assert time_s(4096, 1.0) < time_s(4096, 0.0)
    assert time_s(4_000_000, 1.0) == pytest.approx(time_s(4_000_000, 0.0), rel=1e-6)


@given(batch=st.integers(1, 512), length=st.integers(1, 1_000_000))
def test_no_decode_attention_beats_the_memory(batch: int, length: int):
    h200 = chip("h200-sxm")
    kernel = decode_attention_kernel("hopper", "bf16", "vllm")[0]
    found = decode_attention_time_s(
        batch, length, 64, 8, head_dim=128, bytes_per_value=2, device=device_of(h200, "bf16"), kernel=kernel
    )
    assert float(found) > 2 * batch * length * 8 * 128 * 2 / h200.hbm_bytes_per_s


def test_prefill_attention_by_hand():
    traffic = attention_traffic_bytes(2, 1024, 64, 8, head_dim=128, bytes_per_value=1)
    assert float(traffic) == 2 * 1024 * 128 * (4 * 64 + 2 * 8)
    flop = 2 * 64 * 256 * 1024 * (1024 + 128) + 0.25 * 256 * 256 * 1024 * 100
    due = 13e-6 + flop / 0.7e15 + float(traffic) / (14e9 * 100)
    found = prefill_attention_time_s(2, 1024, 64, pair_width=256, traffic_bytes=traffic, device=IDEAL, kernel=PREFILL)
    assert float(found) == pytest.approx(due, rel=1e-12)


def test_units_not_memory_move_what_prefill_reads_and_writes():
    def time_s(traffic: float, hbm_bytes_per_s: float) -> float:
        device = replace(IDEAL, hbm_bytes_per_s=hbm_bytes_per_s)
        return float(
            prefill_attention_time_s(1, 1024, 8, pair_width=256, traffic_bytes=traffic, device=device, kernel=PREFILL)
        )

    assert time_s(1e9, 4e12) == time_s(1e9, 8e12)
    beyond_the_cache_s = (1e9 - IDEAL.l2_bytes) / 1e12
    assert time_s(1e9, 1e12) == pytest.approx(time_s(0.0, 1e12) + beyond_the_cache_s, rel=1e-12)
    assert time_s(IDEAL.l2_bytes, 1e12) == time_s(IDEAL.l2_bytes, 8e12)


def test_chunks_of_a_prompt_do_the_work_of_the_prompt():
    bare = PrefillAttentionKernel(0.0, 1.0, np.inf, 0.0)

    def time_s(tokens: int, prefix: int) -> float:
        return float(
            prefill_attention_time_s(
                1, tokens, 64, pair_width=256, traffic_bytes=0.0, device=IDEAL, kernel=bare, prefix_tokens=prefix
            )
        )

    assert sum(time_s(4096, before) for before in range(0, 16384, 4096)) == pytest.approx(time_s(16384, 0), rel=1e-9)


def test_latent_decode_by_hand():
    batch, length, heads = 16, 8192, 32
    read = 576 * batch * length * 2 * (1 + 0.4) + 2176 * batch * heads
    compute = 2176 * batch * heads * length / 0.8e15 + 8e-6 * batch / 100
    memory = read / (0.9 * 4e12)
    due = 11e-6 + 1.5e-6 * math.log2(1 + length / 128) + (compute**3 + memory**3) ** (1 / 3)
    found = mla_decode_time_s(batch, length, heads, bytes_per_value=2, device=IDEAL, kernel=LATENT)
    assert float(found) == pytest.approx(due, rel=1e-12)


def test_absorbed_prompts_cost_three_times_the_arithmetic():
    bare, endless = PrefillAttentionKernel(0.0, 1.0, np.inf, 0.0), replace(IDEAL, hbm_bytes_per_s=np.inf)
    expanded, absorbed = (
        float(mla_prefill_time_s(1, 8192, 128, pair_width=width, device=endless, kernel=bare))
        for width in (EXPANDED_WIDTH, ABSORBED_WIDTH)
    )
    assert absorbed / expanded == pytest.approx(3.4)


def test_experts_by_hand():
    hidden, width, distinct, rows, tiles = 4096, 1536, 8, 128, 8
    one = 3 * hidden * width * 2
    compute, memory = 2 * 3 * hidden * width * rows / 0.9e15, distinct * one / (0.86 * 4e12)
    again = 0.05 * tiles * one / (1 + (2 * 5e7 / one) ** 4)
    due = 27e-6 + math.hypot(compute, memory) + (3.0 * 1e6 + again) / 4e12
    found = experts_time_s(
        distinct, rows, tiles, hidden=hidden, width=width, bytes_per_weight=2, traffic_bytes=1e6, device=IDEAL,
        kernel=EXPERTS,
    )  # fmt: skip
    assert float(found) == pytest.approx(due, rel=1e-9)


def test_rows_of_experts_fill_whole_tiles():
    pairs = np.array([1, 8, 64, 100_000])
    found = padded_rows(pairs, np.minimum(pairs, 8))
    assert np.all(found >= pairs)
    assert np.all(found >= 16 * np.minimum(pairs, 8))
    assert float(found[-1]) / 100_000 == pytest.approx(1.0, rel=1e-3)


def test_traffic_of_experts_counts_pairs_here_or_everywhere():
    here = expert_traffic_bytes(64, 128, 8, hidden=1000, width=100, all_pairs=False)
    assert float(here) == 64 * (4 * 1000 + 600) + 4 * 128 * 1000
    assert float(expert_traffic_bytes(64, 128, 8, hidden=1000, width=100, all_pairs=True)) == 4 * 128 * 8 * 1000


@pytest.mark.parametrize("family", ["ampere", "hopper", "blackwell", "blackwell-ultra", "ada", "rtx-blackwell", "tpu"])
@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm", ""])
@pytest.mark.parametrize("number_format", ["bf16", "fp8", "fp8_block", "nvfp4", "w4a16"])
def test_each_engine_has_experts(family: str, engine: str, number_format: str):
    record, basis = expert_kernel(family, number_format, expert_class(family, number_format, engine), engine)
    assert 0 < record.flop_fraction <= 1
    assert 0 < record.hbm_fraction <= 1
    assert basis.interval.p10 < 1.1
    assert basis.interval.p90 > 0.9


def test_formats_of_four_bits_are_held_to_four_times_bf16():
    ultra = chip("gb300")
    assert ultra.dense_flop_per_s["fp4"] > kernel_flop_per_s(ultra, "nvfp4") == 4 * ultra.dense_flop_per_s["bf16"]


def test_corners_lie_between_their_limit_and_the_sum():
    assert float(rounded_corner_s(1.0, 1.0, 1.0)) == 2.0
    assert float(rounded_corner_s(1.0, 1.0, 60.0)) == pytest.approx(1.0, rel=0.02)
    assert float(rounded_corner_s(0.0, 0.0, 3.0)) == 0.0
    assert float(missed_share(1e9, 0.0, 8)) == 1.0
    assert float(missed_share(1.0, 1e30, 8)) == pytest.approx(0.0, abs=1e-12)
