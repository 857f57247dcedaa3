"""Fits what attention sustains on a family: prefill's share of peak compute, decode's share of memory bandwidth.

The forms are those of `forward.steps`: a few kernels' floor plus the corner of compute and memory. The fractions
therefore also stand for what the physics leaves out: rotations, cache writes, the combine step, uneven blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.forward.roofline import corner_time_s
from costline.measure.fit import Errors, Mask, band, by_label, errors_of, held_out, robust_fit
from costline.measure.kernel_files import Attentions, chips_of, families_of
from costline.quantities import MIB, Array, as_array

KERNELS = 2
"""Kernels that the physics counts for one attention."""
COLD_CACHES = 1.5
"""Caches larger than so many last-level caches of the chip are read from device memory, as in serving."""
LONG_PROMPT_TOKENS = 2048
"""From here on attention matters beside the matrices; shorter prompts are dominated by what the form leaves out."""
FRACTION = (0.05, 1.4)
LENGTH_EDGES = (2048, 4096, 8192)
CACHE_EDGES = (128, 512, 2048)
VALUE_BYTES = 2


@dataclass(frozen=True)
class FractionFit:
    """One fitted fraction, and how well shapes that the fit never saw are predicted."""

    fraction: float
    rows: int
    held_out: Errors
    by_chip: Mapping[str, Errors]
    by_format: Mapping[str, Errors]
    by_size: Mapping[str, Errors]


def fit_decode_attention(rows: Attentions, family: str, floor_s: float) -> FractionFit:
    """Share of the memory bandwidth at which decode attention reads a cold cache."""
    chips = chips_of(rows.chip)
    cache = 2 * rows.batch * rows.length * rows.kv_heads * rows.head_dim * _width(rows)
    moved = cache + 2 * VALUE_BYTES * rows.batch * rows.heads * rows.head_dim
    ideal_s = moved / as_array([one.hbm_bytes_per_s for one in chips])
    cold = cache > COLD_CACHES * as_array([one.l2_bytes or np.inf for one in chips])
    mine = (families_of(rows.chip) == family) & (rows.phase == "decode") & cold

    def predict(p: Array) -> Array:
        return KERNELS * floor_s + ideal_s / p[0]

    return _fit(rows, mine, predict, band(cache / MIB, CACHE_EDGES, " MiB"))


def fit_prefill_attention(rows: Attentions, family: str, floor_s: float, *, hbm_fraction: float) -> FractionFit:
    """Share of the bf16 peak at which attention over long prompts computes."""
    chips = chips_of(rows.chip)
    pairs = rows.length * (rows.length + 1) / 2
    flop = 4 * rows.batch * rows.heads * rows.head_dim * pairs
    tokens = rows.batch * rows.length * rows.head_dim
    moved = tokens * (2 * rows.kv_heads * _width(rows) + 2 * VALUE_BYTES * rows.heads)
    compute_s = flop / as_array([one.dense_flop_per_s["bf16"] for one in chips])
    memory_s = moved / as_array([one.hbm_bytes_per_s * hbm_fraction for one in chips])
    mine = (families_of(rows.chip) == family) & (rows.phase == "prefill") & (rows.length >= LONG_PROMPT_TOKENS)

    def predict(p: Array) -> Array:
        return KERNELS * floor_s + corner_time_s(compute_s / p[0], memory_s)

    return _fit(rows, mine, predict, band(rows.length, LENGTH_EDGES, " tokens"))


def _width(rows: Attentions) -> Array:
    return as_array([bytes_per_weight(str(name)) for name in rows.kv_format])


def _fit(rows: Attentions, mine: Mask, predict: Callable[[Array], Array], sizes: list[str]) -> FractionFit:
    out = held_out(rows.shape) & mine
    fitted = mine & ~out

    def log_errors(p: Array) -> Array:
        return np.log(predict(p) / rows.time_s)[fitted]

    best = robust_fit(log_errors, [0.6], [FRACTION[0]], [FRACTION[1]])
    guess, truth = predict(best)[out], rows.time_s[out]
    return FractionFit(
        fraction=float(best[0]),
        rows=int(mine.sum()),
        held_out=errors_of(guess, truth),
        by_chip=by_label(rows.chip[out], guess, truth),
        by_format=by_label(rows.kv_format[out], guess, truth),
        by_size=by_label(np.array(sizes, dtype=np.str_)[out], guess, truth),
    )
