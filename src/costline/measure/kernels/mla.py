"""Timed latent attention of `mla.csv`, decode and prefill, and their fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.catalog.kernel_records import LatentDecodeKernel, PrefillAttentionKernel
from costline.forward.kernels.mla import (
    ABSORBED_WIDTH,
    ABSORBS_PROMPTS,
    EXPANDED_WIDTH,
    mla_decode_time_s,
    mla_prefill_time_s,
)
from costline.measure.kernel_files import BLACKWELL, families_of
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

HOPPER = ("h100_sxm", "h200_sxm")


def _engine(row: Row) -> str:
    return row["framework"].lower()


def _version(row: Row) -> str:
    return f"{_engine(row)} {row['version']}"


def _kv_format(row: Row) -> str:
    return "fp8" if row["kv_cache_dtype"] == "fp8" else "bf16"


HOST_BOUND = Trap(
    "host-bound",
    "vLLM 0.14 times latent attention outside a graph: 130 to 330 us whatever the shape",
    lambda row: _engine(row) == "vllm",
)
DECODE_TRAPS = (
    HOST_BOUND,
    Trap(
        "dequantised",
        "SGLang on Hopper widens an fp8 cache before every step: five times the time of bf16",
        lambda row: (_engine(row), _kv_format(row)) == ("sglang", "fp8") and row["system"] in HOPPER,
    ),
    Trap(
        "no kernel",
        "no efficient latent decode kernel on A100, Ada and RTX: generic ones, 20 to 40 % from any form",
        lambda row: row["system"] not in (*HOPPER, *BLACKWELL),
    ),
)
PREFILL_TRAPS = (
    HOST_BOUND,
    Trap(
        "no kernel",
        "no efficient latent prefill kernel on Ada, nor in SGLang on RTX",
        lambda row: row["system"] == "l40s" or (row["system"], _engine(row)) == ("rtx_pro_6000_server", "sglang"),
    ),
)


def read_mla_decode(folder: Path) -> Timings:
    """Latent attention of one new token a sequence."""
    rows = rows_of(folder / "mla.csv", lambda row: row["table"] == "generation_mla_perf")
    formats, engines = names(rows, _kv_format), names(rows, _engine)
    heads, sequences = numbers(rows, "num_heads"), numbers(rows, "batch_size")
    context = numbers(rows, "isl") + numbers(rows, "step")
    return Timings(
        chip=chip_names(rows),
        labels={
            "format": formats,
            "version": names(rows, _version),
            "both": joined(formats, engines),
            "tiled": np.where(families_of(chip_names(rows)) == "hopper", "", "all"),
            "all": np.full(formats.shape, "all"),
        },
        counts={
            "sequences": sequences,
            "context_tokens": context,
            "heads": heads,
            "bytes_per_value": as_array([bytes_per_weight(str(name)) for name in formats]),
        },
        device=devices(chip_names(rows), formats),
        shape=shapes(heads, sequences, context),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, DECODE_TRAPS),
    )


def read_mla_prefill(folder: Path) -> Timings:
    """Latent attention over whole prompts, expanded or (SGLang on Hopper) absorbed."""
    rows = rows_of(folder / "mla.csv", lambda row: row["table"] == "context_mla_perf")
    formats, engines, chips = names(rows, _kv_format), names(rows, _engine), chip_names(rows)
    families = families_of(chips)
    absorbed = np.array([pair in ABSORBS_PROMPTS for pair in zip(families, engines, strict=True)])
    heads, prompts, tokens = (numbers(rows, name) for name in ("num_heads", "batch_size", "isl"))
    both = joined(formats, engines)
    return Timings(
        chip=chips,
        labels={
            "version": names(rows, _version),
            "both": both,
            "form": np.where(absorbed, engines, both),
            "traffic": np.where(absorbed, engines, formats),
            "all": np.full(formats.shape, "all"),
        },
        counts={
            "prompts": prompts,
            "tokens": tokens,
            "heads": heads,
            "pair_width": np.where(absorbed, float(ABSORBED_WIDTH), float(EXPANDED_WIDTH)),
        },
        device=devices(chips, np.where(absorbed, "bf16", formats)),
        shape=shapes(heads, prompts, tokens),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, PREFILL_TRAPS),
    )


def _decode_s(rows: Timings, kernel: LatentDecodeKernel) -> Array:
    return mla_decode_time_s(
        rows.counts["sequences"],
        rows.counts["context_tokens"],
        rows.counts["heads"],
        bytes_per_value=rows.counts["bytes_per_value"],
        device=rows.device,
        kernel=kernel,
    )


def _prefill_s(rows: Timings, kernel: PrefillAttentionKernel) -> Array:
    return mla_prefill_time_s(
        rows.counts["prompts"],
        rows.counts["tokens"],
        rows.counts["heads"],
        pair_width=rows.counts["pair_width"],
        device=rows.device,
        kernel=kernel,
    )


MLA_DECODE = KernelFit(
    "mla_decode",
    (
        Free("floor_us", "all", 10.0, 0.5, 60.0),
        Free("doubling_us", "all", 1.0, 0.01, 20.0),
        Free("item_us", "all", 3.0, 0.001, 60.0),
        Free("flop_fraction", "format", 0.8, 0.05, 1.0),
        Free("hbm_fraction", "format", 0.9, 0.3, 1.0),
        Free("resident_share", "all", 0.8, 0.05, 2.0),
        Free("reread_share", "tiled", 0.5, 0.01, 3.0),
    ),
    _decode_s,
)
MLA_PREFILL = KernelFit(
    "mla_prefill",
    (
        Free("floor_us", "all", 12.0, 0.5, 60.0),
        Free("flop_fraction", "form", 0.6, 0.05, 1.0),
        Free("unit_gb_per_s", "traffic", 15.0, 1.0, 200.0),
        Free("block_exposure", "all", 0.5, 0.01, 4.0),
    ),
    _prefill_s,
)
