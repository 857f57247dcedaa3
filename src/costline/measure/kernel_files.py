"""Reads kernel timings (matrix products, attention, collectives) and leaves out rows that measure something else.

Knows the columns of the files and which rows are traps. Knows no formula of a kernel (see `fit_*`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from costline.architecture.formats import bytes_per_weight
from costline.catalog.find import chip
from costline.catalog.records import Chip
from costline.quantities import KIB, MIB, MICRO, Array

Row = dict[str, str]
Names = NDArray[np.str_]

CHIPS = {
    "a100_sxm": "a100-80gb-sxm", "h100_sxm": "h100-sxm", "h200_sxm": "h200-sxm", "b200_sxm": "b200-sxm",
    "b300_sxm": "b300-sxm", "gb200": "gb200", "gb300": "gb300", "l40s": "l40s",
    "rtx_pro_6000_server": "rtx-pro-6000",
}  # fmt: skip
"""Accelerators of the files that are fitted, by the files' names."""
FORMATS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4", "sq": "int8"}
"""Formats of matrix products whose inputs are as narrow as the weights; weight-only kernels are left out."""
CUSTOM_LIMIT_BYTES = {"trtllm": 1 * MIB, "vllm": 8 * MIB, "sglang": 8 * MIB}
"""Size up to which an engine takes its own all-reduce; the library's takes over above."""
SMALLEST_MESSAGE_BYTES = 8 * KIB
BLACKWELL = ("b200_sxm", "b300_sxm", "gb200", "gb300")
CONSUMER = ("l40s", "rtx_pro_6000_server")


@dataclass(frozen=True)
class Gemms:
    """Timings of (m x k) (k x n), one element a row."""

    chip: Names
    framework: Names
    number_format: Names
    m: Array
    n: Array
    k: Array
    time_s: Array

    @property
    def shape(self) -> list[str]:
        """What is held out together: the product's three sides."""
        return [f"{m:.0f} {n:.0f} {k:.0f}" for m, n, k in zip(self.m, self.n, self.k, strict=True)]


@dataclass(frozen=True)
class Attentions:
    """Timings of attention: prefill of whole prompts, or one new token for each of `batch` sequences."""

    chip: Names
    framework: Names
    phase: Names
    kv_format: Names
    batch: Array
    length: Array
    heads: Array
    kv_heads: Array
    head_dim: Array
    time_s: Array

    @property
    def shape(self) -> list[str]:
        """What is held out together."""
        return [
            f"{b:.0f} {s:.0f} {h:.0f} {g:.0f}"
            for b, s, h, g in zip(self.batch, self.length, self.heads, self.kv_heads, strict=True)
        ]


@dataclass(frozen=True)
class AllReduces:
    """Timings of all-reduce inside one node: engines' own kernels at decode sizes, the library's at prefill sizes."""

    chip: Names
    implementation: Names
    devices: Array
    size_bytes: Array
    time_s: Array

    @property
    def shape(self) -> list[str]:
        """What is held out together."""
        return [f"{n:.0f} {size:.0f}" for n, size in zip(self.devices, self.size_bytes, strict=True)]


def read_gemms(path: Path) -> Gemms:
    """Matrix products of `gemm.csv`, without host-bound, fallback, copied and weight-only rows."""
    rows = [row for row in _rows(path) if row["dtype"] in FORMATS and not _gemm_trap(row)]
    rows = [row for row in rows if not _faster_than_memory(row, _gemm_bytes(row))]
    return Gemms(
        chip=_text(rows, lambda row: CHIPS[row["system"]]),
        framework=_text(rows, lambda row: row["framework"]),
        number_format=_text(rows, lambda row: FORMATS[row["dtype"]]),
        m=_numbers(rows, "m"),
        n=_numbers(rows, "n"),
        k=_numbers(rows, "k"),
        time_s=_numbers(rows, "latency_us") * MICRO,
    )


def read_attentions(path: Path) -> Attentions:
    """Attention of `attention.csv`, without kernels that do not split the cache and rows with shared pages."""
    rows = [row for row in _rows(path) if not _attention_trap(row)]
    return Attentions(
        chip=_text(rows, lambda row: CHIPS[row["system"]]),
        framework=_text(rows, lambda row: row["framework"]),
        phase=_text(rows, lambda row: row["phase"]),
        kv_format=_text(rows, _kv_format),
        batch=_numbers(rows, "batch_size"),
        length=_numbers(rows, "kv_len"),
        heads=_numbers(rows, "num_q_heads"),
        kv_heads=_numbers(rows, "num_kv_heads"),
        head_dim=_numbers(rows, "head_dim"),
        time_s=_numbers(rows, "latency_us") * MICRO,
    )


def read_all_reduces(path: Path) -> AllReduces:
    """All-reduces of `collectives.csv` that engines would run: their own kernel or the library's, by size."""
    return _all_reduces(path, _runs_in_engines)


def read_scale_out(path: Path) -> AllReduces:
    """All-reduces forced onto the network between nodes, the same columns."""
    return _all_reduces(path, lambda row: "InfiniBand-forced" in row["impl"])


def _all_reduces(path: Path, wanted: Callable[[Row], bool]) -> AllReduces:
    rows = [row for row in _rows(path) if row["op"] == "all_reduce" and wanted(row)]
    return AllReduces(
        chip=_text(rows, lambda row: CHIPS[row["system"]]),
        implementation=_text(rows, lambda row: row["impl"].split()[0].lower()),
        devices=_numbers(rows, "num_gpus"),
        size_bytes=_numbers(rows, "message_bytes"),
        time_s=_numbers(rows, "latency_us") * MICRO,
    )


def chips_of(names: Names) -> list[Chip]:
    """The catalogue's record of each row's accelerator."""
    known = {name: chip(name) for name in np.unique(names)}
    return [known[name] for name in names]


def families_of(names: Names) -> Names:
    """The family of each row's accelerator."""
    return np.array([record.family for record in chips_of(names)], dtype=np.str_)


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["system"] in CHIPS]


def _numbers(rows: Iterable[Row], column: str) -> Array:
    return np.array([float(row[column]) for row in rows], dtype=np.float64)


def _text(rows: Iterable[Row], value: Callable[[Row], str]) -> Names:
    return np.array([value(row) for row in rows], dtype=np.str_)


def _gemm_trap(row: Row) -> bool:
    system, framework, dtype = row["system"], row["framework"], row["dtype"]
    host_bound = dtype == "fp8_block" and framework == "vllm" and system != "rtx_pro_6000_server"
    fallback = dtype == "fp8" and framework == "vllm" and system in BLACKWELL and int(row["m"]) <= 4
    copied = system == "b300_sxm" and framework == "sglang"
    return host_bound or fallback or copied


def _gemm_bytes(row: Row) -> float:
    m, n, k = (float(row[side]) for side in "mnk")
    width = bytes_per_weight(FORMATS[row["dtype"]])
    return width * (n * k + m * k) + 2 * m * n


def _faster_than_memory(row: Row, moved_bytes: float) -> bool:
    """Rows whose data cannot have come from device memory in the time: resident in the cache of the chip."""
    return moved_bytes / (float(row["latency_us"]) * MICRO) > chip(CHIPS[row["system"]]).hbm_bytes_per_s


def _kv_format(row: Row) -> str:
    return "fp8" if row["kv_dtype"] == "fp8" else "bf16"


def _attention_trap(row: Row) -> bool:
    if row["phase"] != "decode":
        return False
    unsplit = row["framework"] == "trtllm" and row["kv_dtype"] == "fp8" and row["system"] in CONSUMER
    sizes = [float(row[name]) for name in ("batch_size", "kv_len", "num_kv_heads", "head_dim")]
    cache = 2 * float(np.prod(sizes)) * bytes_per_weight(_kv_format(row))
    large = cache > 2 * (chip(CHIPS[row["system"]]).l2_bytes or 0.0)
    return unsplit or (large and _faster_than_memory(row, cache))


def _runs_in_engines(row: Row) -> bool:
    system, count, size = row["system"], int(row["num_gpus"]), float(row["message_bytes"])
    maker = row["impl"].split()[0].lower()
    custom, library = "custom" in row["impl"], maker == "nccl"
    if size < SMALLEST_MESSAGE_BYTES or (system == "l40s" and count > 2):
        return False
    if system in CONSUMER and count > 2:
        return library
    if custom:
        slow_pair = system == "gb200" and maker == "vllm" and count == 2 and size > 4 * MIB
        return size <= CUSTOM_LIMIT_BYTES[maker] and not slow_pair
    return library and size > max(CUSTOM_LIMIT_BYTES.values())
