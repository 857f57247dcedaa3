"""Timed attention of `attention.csv`, decode and prefill, and their fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.catalog.find import chip
from costline.catalog.kernel_records import DecodeAttentionKernel, PrefillAttentionKernel
from costline.forward.kernels.decode_attention import decode_attention_time_s
from costline.forward.kernels.prefill_attention import attention_traffic_bytes, prefill_attention_time_s
from costline.measure.kernel_files import BLACKWELL, CHIPS, CONSUMER, Names
from costline.measure.kernels.fitting import Free, KernelFit
from costline.measure.kernels.timings import (
    Row,
    Timings,
    Trap,
    chip_names,
    devices,
    joined,
    names,
    numbers,
    rows_of,
    shapes,
    trapped,
)
from costline.quantities import MICRO, Array, as_array

COLD_CACHES = 2
"""Caches larger than so many last-level caches come from device memory."""
HOPPER = ("h100_sxm", "h200_sxm")
FP8_UNITS = (*HOPPER, *BLACKWELL)
"""Systems on which TensorRT-LLM computes in fp8 whenever the cache is fp8."""


def _version(row: Row) -> str:
    return f"{row['framework']} {row['version']}"


def _kv_format(row: Row) -> str:
    return "fp8" if row["kv_dtype"] == "fp8" else "bf16"


def _math_format(row: Row) -> str:
    """Format that prefill computes in."""
    if _kv_format(row) == "bf16" or row["attn_dtype"] == "fp8":
        return row["attn_dtype"].replace("bfloat16", "bf16")
    return "fp8" if row["framework"] == "vllm" or row["system"] in FP8_UNITS else "bf16"


def _shared_pages(row: Row) -> bool:
    sizes = [float(row[name]) for name in ("batch_size", "kv_len", "num_kv_heads", "head_dim")]
    read = 2 * float(np.prod(sizes)) * bytes_per_weight(_kv_format(row))
    record = chip(CHIPS[row["system"]])
    cold = read > COLD_CACHES * (record.l2_bytes or 0.0)
    return cold and read / (float(row["latency_us"]) * MICRO) > record.hbm_bytes_per_s


DECODE_TRAPS = (
    Trap("shared pages", "TensorRT-LLM 1.0 on A100 reads a cold cache faster than the memory delivers", _shared_pages),
    Trap(
        "unsplit fp8",
        "TensorRT-LLM does not split an fp8 cache on Ada and RTX: one time for 1 to 8 sequences",
        lambda row: row["framework"] == "trtllm" and _kv_format(row) == "fp8" and row["system"] in CONSUMER,
    ),
    Trap(
        "ungrouped fp8",
        "TensorRT-LLM on Hopper leaves an fp8 cache with one query head a KV head to its older kernel: the 11 us "
        "launch of bf16 where grouped heads take 6, and 2.8 TB/s at most on either chip",
        lambda row: (
            row["framework"] == "trtllm"
            and _kv_format(row) == "fp8"
            and row["system"] in HOPPER
            and row["num_q_heads"] == row["num_kv_heads"]
        ),
    ),
    Trap(
        "unsplit heads",
        "vLLM 0.14 on A100 does not split a cache with one query head a KV head: 1.5 ms for one long sequence",
        lambda row: (
            (row["system"], row["framework"]) == ("a100_sxm", "vllm") and row["num_q_heads"] == row["num_kv_heads"]
        ),
    ),
)
"""Rows that do not time decode attention over a cache of its own, split over the compute units."""


def _unit_labels(formats: Names, engines: Names) -> Names:
    """What the rate of a compute unit differs by: TensorRT-LLM's is the same in both formats, vLLM's is not."""
    return joined(np.where(engines == "trtllm", "", formats), engines)


def _columns(folder: Path, phase: str) -> list[Row]:
    return rows_of(folder / "attention.csv", lambda row: row["phase"] == phase)


def read_decode_attention(folder: Path) -> Timings:
    """Attention of one new token a sequence."""
    rows = _columns(folder, "decode")
    formats, engines = names(rows, _kv_format), names(rows, lambda row: row["framework"])
    counts = {
        "sequences": numbers(rows, "batch_size"),
        "context_tokens": numbers(rows, "kv_len"),
        "heads": numbers(rows, "num_q_heads"),
        "kv_heads": numbers(rows, "num_kv_heads"),
        "head_dim": numbers(rows, "head_dim"),
        "bytes_per_value": as_array([bytes_per_weight(str(name)) for name in formats]),
    }
    return Timings(
        chip=chip_names(rows),
        labels={
            "engine": engines,
            "version": names(rows, _version),
            "both": joined(formats, engines),
            "unit": _unit_labels(formats, engines),
            "all": np.full(formats.shape, "all"),
        },
        counts=counts,
        device=devices(chip_names(rows), np.full(formats.shape, "bf16")),
        shape=shapes(*(counts[name] for name in ("sequences", "context_tokens", "heads", "kv_heads"))),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, DECODE_TRAPS),
    )


def read_prefill_attention(folder: Path) -> Timings:
    """Attention over whole prompts."""
    rows = _columns(folder, "prefill")
    math, engines = names(rows, _math_format), names(rows, lambda row: row["framework"])
    bytes_per_value = as_array([bytes_per_weight(_kv_format(row)) for row in rows])
    prompts, tokens, heads, kv_heads, head_dim = (
        numbers(rows, name) for name in ("batch_size", "q_len", "num_q_heads", "num_kv_heads", "head_dim")
    )
    traffic = attention_traffic_bytes(
        prompts, tokens, heads, kv_heads, head_dim=head_dim, bytes_per_value=bytes_per_value
    )
    return Timings(
        chip=chip_names(rows),
        labels={
            "engine": engines,
            "version": names(rows, _version),
            "both": joined(math, engines),
            "unit": _unit_labels(math, engines),
            "all": np.full(math.shape, "all"),
        },
        counts={
            "prompts": prompts,
            "tokens": tokens,
            "heads": heads,
            "kv_heads": kv_heads,
            "pair_width": 2 * head_dim,
            "traffic_bytes": traffic,
        },
        device=devices(chip_names(rows), math),
        shape=shapes(prompts, tokens, heads, kv_heads),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=np.full(math.shape, ""),
    )


def _decode_s(rows: Timings, kernel: DecodeAttentionKernel) -> Array:
    counts = rows.counts
    return decode_attention_time_s(
        counts["sequences"],
        counts["context_tokens"],
        counts["heads"],
        counts["kv_heads"],
        head_dim=counts["head_dim"],
        bytes_per_value=counts["bytes_per_value"],
        device=rows.device,
        kernel=kernel,
    )


def _prefill_s(rows: Timings, kernel: PrefillAttentionKernel) -> Array:
    counts = rows.counts
    return prefill_attention_time_s(
        counts["prompts"],
        counts["tokens"],
        counts["heads"],
        pair_width=counts["pair_width"],
        traffic_bytes=counts["traffic_bytes"],
        device=rows.device,
        kernel=kernel,
    )


DECODE_ATTENTION = KernelFit(
    "decode_attention",
    (
        Free("floor_us", "both", 9.0, 0.5, 60.0),
        Free("doubling_us", "all", 1.0, 0.01, 20.0),
        Free("item_us", "engine", 1.0, 0.001, 30.0),
        Free("hbm_fraction", "all", 0.9, 0.3, 1.0),
        Free("unit_gb_per_s", "unit", 40.0, 5.0, 400.0),
        Free("resident_share", "all", 0.8, 0.05, 2.0),
    ),
    _decode_s,
)
PREFILL_ATTENTION = KernelFit(
    "prefill_attention",
    (
        Free("floor_us", "engine", 12.0, 0.5, 60.0),
        Free("flop_fraction", "both", 0.6, 0.05, 1.0),
        Free("unit_gb_per_s", "unit", 10.0, 1.0, 100.0),
        Free("block_exposure", "all", 0.5, 0.01, 4.0),
    ),
    _prefill_s,
)
