"""Timed matrix products of `gemm.csv`, and their fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.catalog.find import chip
from costline.catalog.kernel_records import GemmKernel
from costline.forward.kernels.gemm import gemm_time_s
from costline.measure.kernel_files import BLACKWELL, CHIPS
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

FORMATS = {
    "bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4", "sq": "int8", "int4_wo": "w4a16",
    "int8_wo": "w8a16",
}  # fmt: skip
"""Formats of the file by the names of selectors."""
WEIGHTS = {"w4a16": "int4", "w8a16": "int8"}
ACTIVATIONS = {"w4a16": "bf16", "w8a16": "bf16"}
BLOCK_ACTIVATION_BYTES = 1.03
"""fp8 with a scale for every 128 numbers of the input."""


def _weight_bytes(name: str) -> float:
    return bytes_per_weight(WEIGHTS.get(name, name))


def _activation_bytes(name: str) -> float:
    return BLOCK_ACTIVATION_BYTES if name == "fp8_block" else bytes_per_weight(ACTIVATIONS.get(name, name))


def _resident(row: Row) -> bool:
    m, n, k = (float(row[side]) for side in "mnk")
    name = FORMATS[row["dtype"]]
    moved = _weight_bytes(name) * n * k + _activation_bytes(name) * m * k + 2 * m * n
    return moved / (float(row["latency_us"]) * MICRO) > chip(CHIPS[row["system"]]).hbm_bytes_per_s


TRAPS = (
    Trap(
        "host-bound",
        "vLLM launches block-scaled fp8 products one by one: 57 to 1000 us whatever the shape",
        lambda row: (row["dtype"], row["framework"]) == ("fp8_block", "vllm")
        and row["system"] != "rtx_pro_6000_server",
    ),
    Trap(
        "fallback",
        "vLLM takes another fp8 kernel on Blackwell for m <= 4: 10 to 15 us above m = 8",
        lambda row: (row["dtype"], row["framework"]) == ("fp8", "vllm")
        and row["system"] in BLACKWELL
        and int(row["m"]) <= 4,
    ),
    Trap(
        "copied",
        "SGLang's B300 rows name the device GB300 and equal the GB300 rows",
        lambda row: (row["system"], row["framework"]) == ("b300_sxm", "sglang"),
    ),
    Trap("resident", "weights stay in the last-level cache between repetitions: faster than the memory", _resident),
)
"""Rows that do not time a cold matrix product inside a captured graph."""


def read_gemms(folder: Path) -> Timings:
    """All matrix products of formats that engines serve in."""
    rows = rows_of(folder / "gemm.csv", lambda row: row["dtype"] in FORMATS)
    formats, engines = names(rows, lambda row: FORMATS[row["dtype"]]), names(rows, lambda row: row["framework"])
    sides = {side: numbers(rows, side) for side in "mnk"}
    activation = as_array([_activation_bytes(str(name)) for name in formats])
    math = np.array([ACTIVATIONS.get(str(name), str(name)) for name in formats], dtype=np.str_)
    return Timings(
        chip=chip_names(rows),
        labels={
            "format": formats,
            "engine": engines,
            "version": names(rows, lambda row: f"{row['framework']} {row['version']}"),
            "both": joined(formats, engines),
            "bandwidth": np.where(np.isin(formats, list(WEIGHTS)), formats, "all"),
            "floor": np.where(formats == "bf16", formats, joined(formats, engines)),
            "all": np.full(formats.shape, "all"),
            "quantised": np.where(activation < 2, "all", ""),
        },
        counts={
            **sides,
            "bytes_per_weight": as_array([_weight_bytes(str(name)) for name in formats]),
            "bytes_per_activation": activation,
        },
        device=devices(chip_names(rows), math),
        shape=shapes(*sides.values()),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, TRAPS),
    )


def _time_s(rows: Timings, kernel: GemmKernel) -> Array:
    return gemm_time_s(
        rows.counts["m"],
        rows.counts["n"],
        rows.counts["k"],
        bytes_per_weight=rows.counts["bytes_per_weight"],
        bytes_per_activation=rows.counts["bytes_per_activation"],
        device=rows.device,
        kernel=kernel,
    )


GEMM = KernelFit(
    "gemm",
    (
        Free("flop_fraction", "format", 0.7, 0.1, 1.0),
        Free("hbm_fraction", "bandwidth", 0.8, 0.2, 0.98),
        Free("floor_us", "floor", 5.0, 2.0, 40.0),
        Free("k_latency_ns", "all", 0.5, 0.01, 8.0),
        Free("quantise_passes", "quantised", 0.3, 0.001, 5.0),
    ),
    _time_s,
)
