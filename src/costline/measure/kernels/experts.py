"""Timed routed experts of `moe.csv`, and their fit."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.catalog.kernel_records import ExpertKernel
from costline.forward.kernels.experts import ALL_PAIRS, expert_traffic_bytes, experts_time_s, padded_sides
from costline.measure.kernel_files import BLACKWELL, Names
from costline.measure.kernels.fitting import Free, KernelFit
from costline.measure.kernels.routing import Routed, routed
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
    "bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4", "w4a8_mxfp4_mxfp8": "mxfp4",
    "int4_wo": "w4a16", "w4a16_mxfp4": "w4a16",
}  # fmt: skip
MATH = {"w4a16": "bf16", "mxfp4": "fp8"}
"""Format of the arithmetic where it is not the weights'."""
WEIGHTS = {"int4_wo": "int4", "w4a16_mxfp4": "mxfp4", "w4a8_mxfp4_mxfp8": "mxfp4"}
GROUP_LIMITED_EXPERTS = 256
"""DeepSeek-V3's count of experts: engines pick its router, which admits half the groups of experts."""
OLD_VERSIONS = (("trtllm", "1.0.0"), ("vllm", "0.14.0"))
"""Engines whose benchmark still dealt the few experts of a small step to the first device."""
EVENLY = "balanced"


def _engine(row: Row) -> str:
    return row["framework"].lower()


def _class(row: Row) -> str:
    source = row["kernel_source"]
    if "marlin" in source:
        return "marlin"
    if "triton" in source or source == "vllm_fused_moe":
        return "triton"
    return "trtllm_gen" if "trtllm" in source else "cutlass"


def _old(row: Row) -> bool:
    return (_engine(row), row["version"]) in OLD_VERSIONS


def _grouped(row: Row) -> bool:
    few = int(row["num_experts"]) == GROUP_LIMITED_EXPERTS and _engine(row) != "trtllm"
    spread = int(row["moe_ep_size"]) > 1 or row["distribution"] == EVENLY
    return few and spread and not _old(row)


def _ignores_devices(row: Row) -> bool:
    who = (row["system"], _engine(row), _class(row), row["moe_dtype"])
    return who in (
        ("rtx_pro_6000_server", "trtllm", "triton", "fp8_block"),
        ("rtx_pro_6000_server", "sglang", "marlin", "w4a16_mxfp4"),
    )


TRAPS = (
    Trap(
        "untuned cutlass",
        "vLLM's FlashInfer CUTLASS fp8 experts on Hopper are 4 to 5 times slower than TensorRT-LLM's",
        lambda row: _engine(row) == "vllm"
        and _class(row) == "cutlass"
        and row["moe_dtype"].startswith("fp8")
        and row["system"] in ("h100_sxm", "h200_sxm"),
    ),
    Trap(
        "untuned triton",
        "SGLang's Triton experts on Blackwell are a fallback without tuned tiles",
        lambda row: _class(row) == "triton" and row["system"] in BLACKWELL,
    ),
    Trap(
        "group-limited router",
        "vLLM and SGLang route 256 experts by DeepSeek-V3's groups, so the stated distribution is not the one timed",
        _grouped,
    ),
    Trap(
        "ignores expert parallelism",
        "TensorRT-LLM's Triton and SGLang's 4-bit Marlin experts on RTX take one time whatever the number of devices",
        _ignores_devices,
    ),
)


@lru_cache(maxsize=4096)
def _routed(tokens: int, top_k: int, experts: int, devices: int, how: str) -> Routed:
    exponent = 0.0 if how.startswith(EVENLY) else float(how.split(maxsplit=1)[0].removeprefix("power_law_"))
    return routed(tokens, top_k, experts, devices=devices, exponent=exponent, in_order=how.endswith("in order"))


def _route(row: Row) -> Routed:
    tokens, top_k, experts, ranks = (
        int(row[name]) for name in ("num_tokens", "topk", "num_experts", "moe_ep_size")
    )
    old = " in order" if _old(row) else ""
    return _routed(tokens, top_k, experts, ranks, row["distribution"] + old)


def _floor(classes: Names, formats: Names) -> Names:
    """Classes have one floor, but for formats with kernels of their own around the products."""
    apart = np.isin(formats, ["w4a16", "nvfp4", "mxfp4", "fp8", "fp8_block"])
    apart &= ~((classes == "cutlass") & np.isin(formats, ["fp8", "fp8_block"])) & (classes != "marlin")
    apart &= ~((classes == "triton") & (formats == "fp8_block"))
    apart &= ~((classes == "trtllm_gen") & np.isin(formats, ["fp8", "nvfp4", "mxfp4"]))
    return np.where(apart, joined(classes, formats), classes)


def read_experts(folder: Path) -> Timings:
    """All routed experts; where the same shape was timed twice, both rows."""
    rows = rows_of(folder / "moe.csv")
    formats, engines = names(rows, lambda row: FORMATS[row["moe_dtype"]]), names(rows, _engine)
    classes = names(rows, _class)
    found = [_route(row) for row in rows]
    load = {name: as_array([getattr(one, name) for one in found]) for name in Routed.__annotations__}
    tokens, top_k, hidden = numbers(rows, "num_tokens"), numbers(rows, "topk"), numbers(rows, "hidden_size")
    width = numbers(rows, "inter_size") / numbers(rows, "moe_tp_size")
    weights = names(rows, lambda row: WEIGHTS.get(row["moe_dtype"], FORMATS[row["moe_dtype"]]))
    sides = [padded_sides(*one) for one in zip(hidden, width, classes, weights, strict=True)]
    across, along = (as_array([one[i] for one in sides]) for i in range(2))
    traffic = [
        expert_traffic_bytes(load["pairs"], tokens, top_k, hidden=across, width=along, all_pairs=everywhere)
        for everywhere in (False, True)
    ]
    math = np.array([MATH.get(str(name), str(name)) for name in formats], dtype=np.str_)
    both = joined(classes, formats)
    narrow = formats == "w4a16"
    by_engine = (classes == "triton") & (narrow | (formats == "bf16"))
    one_share = (classes == "marlin") | ((classes == "cutlass") & np.isin(formats, ["bf16", "fp8"]))
    compute = np.where(by_engine, joined(both, engines), np.where(one_share, classes, both))
    streaming = narrow & np.isin(classes, ["triton", "trtllm_gen"])
    return Timings(
        chip=chip_names(rows),
        labels={
            "class": classes,
            "version": names(rows, lambda row: f"{_engine(row)} {row['version']}"),
            "errors": joined(formats, engines, classes),
            "floor": _floor(classes, formats),
            "compute": compute,
            "bandwidth": np.where(streaming, compute, "all"),
            "all": np.full(formats.shape, "all"),
        },
        counts={
            **load,
            "tokens": tokens,
            "hidden": across,
            "width": along,
            "model_hidden": hidden,
            "model_width": width,
            "traffic_bytes": np.where(np.isin(classes, ALL_PAIRS), traffic[1], traffic[0]),
            "bytes_per_weight": as_array([_weight_bytes(row) for row in rows]),
            "top_k": top_k,
            "devices": numbers(rows, "moe_ep_size"),
        },
        device=devices(chip_names(rows), math),
        shape=_shapes(rows),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, TRAPS),
    )


def _weight_bytes(row: Row) -> float:
    name = row["moe_dtype"]
    return bytes_per_weight(WEIGHTS.get(name, FORMATS[name]))


def _shapes(rows: list[Row]) -> list[str]:
    sides = ("num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size")
    columns = shapes(*(numbers(rows, side) for side in sides))
    return [f"{text} {row['distribution']}" for text, row in zip(columns, rows, strict=True)]


def _time_s(rows: Timings, kernel: ExpertKernel) -> Array:
    counts = rows.counts
    return experts_time_s(
        counts["distinct"],
        counts["rows"],
        counts["large_tiles"],
        hidden=counts["hidden"],
        width=counts["width"],
        bytes_per_weight=counts["bytes_per_weight"],
        traffic_bytes=counts["traffic_bytes"],
        device=rows.device,
        kernel=kernel,
    )


EXPERTS = KernelFit(
    "experts",
    (
        Free("floor_us", "floor", 20.0, 0.5, 200.0),
        Free("flop_fraction", "compute", 0.5, 0.02, 1.0),
        Free("hbm_fraction", "bandwidth", 0.8, 0.05, 1.0),
        Free("traffic_passes", "class", 1.0, 0.001, 50.0),
        Free("resident_share", "all", 0.8, 0.05, 3.0),
        Free("reread_share", "all", 0.1, 0.0005, 3.0),
    ),
    _time_s,
)
