"""Fits what matrix products sustain on a family: shares of peak compute by format and of memory bandwidth, and a floor.

The form is the one that `forward.steps` uses for linear layers: a floor plus the smooth corner of compute and memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.forward.peaks import peak_flop_per_s
from costline.forward.roofline import corner_time_s
from costline.measure.fit import Errors, Mask, band, by_label, errors_of, held_out, robust_fit
from costline.measure.kernel_files import Gemms, chips_of, families_of
from costline.quantities import MICRO, Array, as_array

FORMATS = ("bf16", "fp8", "fp8_block", "nvfp4")
"""Formats that engines serve in; int8 was timed in one engine's plug-in, whose floor is its own."""
FLOOR_US = (3.0, 40.0)
"""Bounds of the floor: a kernel of a captured graph does not start and drain in less."""
FRACTION = (0.1, 1.2)
BANDWIDTH = (0.3, 0.95)
M_EDGES = (16, 128, 2048)
RESULT_BYTES = 2


@dataclass(frozen=True)
class GemmFit:
    """What matrix products of one family sustain, and how well shapes that the fit never saw are predicted."""

    flop_fraction: Mapping[str, float]
    hbm_fraction: float
    floor_s: float
    held_out: Errors
    by_chip: Mapping[str, Errors]
    by_format: Mapping[str, Errors]
    by_rows: Mapping[str, Errors]


def fit_gemm(rows: Gemms, family: str, formats: Sequence[str] = FORMATS) -> GemmFit:
    """Fractions and floor of one family: the formats share the bandwidth and the floor, as in the physics."""
    mine = (families_of(rows.chip) == family) & np.isin(rows.number_format, formats)
    names = np.unique(rows.number_format[mine])
    which = np.searchsorted(names, rows.number_format[mine])
    compute_s, memory_s = (part[mine] for part in _ideal_s(rows))
    measured = rows.time_s[mine]
    out = held_out(rows.shape)[mine]

    def predict(p: Array) -> Array:
        return p[-1] * MICRO + corner_time_s(compute_s / p[which], memory_s / p[-2])

    def log_errors(p: Array) -> Array:
        return np.log(predict(p) / measured)[~out]

    low, high = zip(*[FRACTION] * len(names), BANDWIDTH, FLOOR_US, strict=True)
    best = robust_fit(log_errors, [0.6] * len(names) + [0.8, 4.0], low, high)
    return _result(rows, mine & held_out(rows.shape), mine, best=best, predicted=predict(best))


def _ideal_s(rows: Gemms) -> tuple[Array, Array]:
    """Time of each product at the datasheet's compute rate, and at its memory rate."""
    chips = chips_of(rows.chip)
    peaks = as_array([peak_flop_per_s(one, name) for one, name in zip(chips, rows.number_format, strict=True)])
    width = as_array([bytes_per_weight(str(name)) for name in rows.number_format])
    moved = width * (rows.n * rows.k + rows.m * rows.k) + RESULT_BYTES * rows.m * rows.n
    return 2 * rows.m * rows.n * rows.k / peaks, moved / as_array([one.hbm_bytes_per_s for one in chips])


def _result(rows: Gemms, out: Mask, mine: Mask, *, best: Array, predicted: Array) -> GemmFit:
    everywhere = np.full(rows.time_s.shape, np.nan)
    everywhere[mine] = predicted
    guess, truth = everywhere[out], rows.time_s[out]
    names = np.unique(rows.number_format[mine])
    return GemmFit(
        flop_fraction={str(name): float(value) for name, value in zip(names, best, strict=False)},
        hbm_fraction=float(best[-2]),
        floor_s=float(best[-1] * MICRO),
        held_out=errors_of(guess, truth),
        by_chip=by_label(rows.chip[out], guess, truth),
        by_format=by_label(rows.number_format[out], guess, truth),
        by_rows=by_label(band(rows.m[out], M_EDGES, " rows"), guess, truth),
    )
