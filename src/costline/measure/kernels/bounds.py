"""Rows that beat the lower bound: the datasheet's roofline with cold data, and why they can.

The bound counts only what no kernel can avoid. Every row that is faster must have a reason; one without is a fault of
the bound, of the catalogue or of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from costline.forward.kernels.collectives import SWITCH_FROM
from costline.forward.kernels.mla import ABSORBED_WIDTH, EXPANDED_WIDTH, LATENT_WIDTH
from costline.measure.fit import Mask
from costline.measure.kernel_files import Names
from costline.measure.kernels.suite import Tables
from costline.measure.kernels.timings import Timings
from costline.quantities import Array, as_array

RESIDENT = "data stay in the last-level cache between repetitions"
PAGES = "shared pages: the engine's benchmark gives several sequences one cache"
IN_SWITCH = "the switch adds up: each device sends its data once"
UNEXPLAINED = "no reason known"
WIDE_BYTES = 2
CACHES = 2
"""Data up to so many last-level caches may come from there in part."""


@dataclass(frozen=True)
class Breach:
    """Rows of one kernel on one chip that beat the bound for one reason."""

    kernel: str
    chip: str
    reason: str
    rows: int
    least_share_of_bound: float
    """Time of the fastest row over its bound."""


def lower_bounds_s(tables: Tables) -> Mapping[str, Array]:
    """Least time that the datasheet allows every row of every kernel of `tables` that has a bound."""
    return {kernel: bound(tables[kernel]) for kernel, bound in _BOUNDS.items() if kernel in tables}


def breaches(tables: Tables) -> list[Breach]:
    """Every group of rows that beats the bound, with its reason."""
    found: list[Breach] = []
    for kernel, bound in lower_bounds_s(tables).items():
        rows = tables[kernel]
        share = rows.time_s / bound
        reasons = _reasons(kernel, rows)
        for name in np.unique(rows.chip):
            for reason in np.unique(reasons):
                mine: Mask = (share < 1) & (rows.chip == name) & (reasons == reason)
                if np.any(mine):
                    found.append(Breach(kernel, str(name), str(reason), int(mine.sum()), float(share[mine].min())))
    return found


def _reasons(kernel: str, rows: Timings) -> Names:
    """Why each row may beat the bound."""
    if kernel in ("library_collective", "engine_all_reduce"):
        return np.where(rows.counts["devices"] >= SWITCH_FROM, IN_SWITCH, UNEXPLAINED)
    resident = _BYTES[kernel](rows) <= CACHES * as_array(rows.device.l2_bytes)
    found = np.where(resident, RESIDENT, UNEXPLAINED)
    return np.where(rows.trap == "shared pages", PAGES, found)


def _roofline_s(rows: Timings, *, flop: Array, read: Array) -> Array:
    return np.maximum(flop / rows.device.flop_per_s, read / rows.device.hbm_bytes_per_s)


def _gemm_bytes(rows: Timings) -> Array:
    m, n, k = (rows.counts[side] for side in "mnk")
    weights, inputs = rows.counts["bytes_per_weight"] * n * k, rows.counts["bytes_per_activation"] * m * k
    return weights + inputs + WIDE_BYTES * m * n


def _decode_bytes(rows: Timings) -> Array:
    counts = rows.counts
    cached = 2 * counts["sequences"] * counts["context_tokens"] * counts["kv_heads"] * counts["head_dim"]
    return cached * counts["bytes_per_value"]


def _latent_bytes(rows: Timings) -> Array:
    counts = rows.counts
    return LATENT_WIDTH * counts["sequences"] * counts["context_tokens"] * counts["bytes_per_value"]


def _latent_flop(rows: Timings) -> Array:
    counts = rows.counts
    return 2 * ABSORBED_WIDTH * counts["sequences"] * counts["heads"] * counts["context_tokens"]


def _prefill_flop(rows: Timings, width: float | None = None) -> Array:
    counts = rows.counts
    pairs = counts["tokens"] * (counts["tokens"] + 1) / 2
    return 2 * counts["prompts"] * counts["heads"] * (width or counts["pair_width"]) * pairs


def _expert_bytes(rows: Timings) -> Array:
    """Weights that some token must hit: each token has `top_k` experts, spread over the devices."""
    counts = rows.counts
    hit = np.ceil(counts["top_k"] / counts["devices"])
    return hit * 3 * counts["model_hidden"] * counts["model_width"] * counts["bytes_per_weight"]


def _expert_flop(rows: Timings) -> Array:
    counts = rows.counts
    return 6 * counts["model_hidden"] * counts["model_width"] * counts["tokens"] * counts["top_k"] / counts["devices"]


def _gemm_flop(rows: Timings) -> Array:
    return 2 * rows.counts["m"] * rows.counts["n"] * rows.counts["k"]


def _nothing(rows: Timings) -> Array:
    return np.zeros(rows.time_s.shape)


def _reduce_s(rows: Timings, *, reduces: bool) -> Array:
    n = rows.counts["devices"]
    factor = np.where((rows.counts["reduces"] > 0) | reduces, 2.0, 1.0)
    return factor * (n - 1) / n * rows.counts["size_bytes"] / rows.device.link_bytes_per_s


def _of(flop: Callable[[Timings], Array], read: Callable[[Timings], Array], rows: Timings) -> Array:
    return _roofline_s(rows, flop=flop(rows), read=read(rows))


_BYTES: Mapping[str, Callable[[Timings], Array]] = {
    "gemm": _gemm_bytes,
    "decode_attention": _decode_bytes,
    "prefill_attention": _nothing,
    "mla_decode": _latent_bytes,
    "mla_prefill": _nothing,
    "experts": _expert_bytes,
}
_BOUNDS: Mapping[str, Callable[[Timings], Array]] = {
    "gemm": partial(_of, _gemm_flop, _gemm_bytes),
    "decode_attention": partial(_of, _nothing, _decode_bytes),
    "prefill_attention": partial(_of, _prefill_flop, _nothing),
    "mla_decode": partial(_of, _latent_flop, _latent_bytes),
    "mla_prefill": partial(_of, partial(_prefill_flop, width=float(EXPANDED_WIDTH)), _nothing),
    "experts": partial(_of, _expert_flop, _expert_bytes),
    "library_collective": partial(_reduce_s, reduces=False),
    "engine_all_reduce": partial(_reduce_s, reduces=True),
}
