"""Robust fits of a few numbers on many timings, hold-out of whole shapes, and errors as ratios.

Knows numbers only: no kernel, no chip.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.quantities import PERCENT, Array, as_array

Mask = NDArray[np.bool_]

SOFT_ERROR = 0.1
"""Log error beyond which a row counts linearly instead of squared."""
HOLD_OUT_EVERY = 3


@dataclass(frozen=True)
class Errors:
    """Size of the relative errors of a set of rows."""

    median: float
    p90: float
    bias: float
    """Median of predicted / measured - 1, with its sign."""
    rows: int

    def __str__(self) -> str:
        """As people print it: median / p90 in percent."""
        return f"{self.median * PERCENT:.1f}/{self.p90 * PERCENT:.0f} %"


def errors_of(predicted: Array, measured: Array) -> Errors:
    """Errors of predictions, rows without either left out; NaN where nothing is left.

    >>> errors_of(as_array([1.1, 0.8, 1.0]), as_array([1.0, 1.0, 1.0])).rows
    3
    """
    ratio = predicted / measured
    ratio = ratio[np.isfinite(ratio)]
    if not ratio.size:
        return Errors(float("nan"), float("nan"), float("nan"), 0)
    size = np.abs(ratio - 1)
    return Errors(float(np.median(size)), float(np.quantile(size, 0.9)), float(np.median(ratio) - 1), ratio.size)


def held_out(shapes: Sequence[str]) -> Mask:
    """Rows of every third shape, the same on every machine: a shape is held out wherever it occurs.

    >>> held_out(["8 4096 4096", "8 4096 4096"]).tolist() in ([True, True], [False, False])
    True
    """
    return np.array([zlib.crc32(shape.encode()) % HOLD_OUT_EVERY == 0 for shape in shapes], dtype=np.bool_)


def robust_fit(
    log_errors: Callable[[Array], Array], start: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> Array:
    """Parameters within bounds that make the log errors small, outliers counted linearly.

    >>> robust_fit(lambda p: np.log(p / as_array([2.0, 2.0, 2.0, 90.0])), [1.0], [0.1], [99.0]).round(1).tolist()
    [2.1]
    """
    from scipy.optimize import least_squares

    found = least_squares(log_errors, start, bounds=(low, high), loss="soft_l1", f_scale=SOFT_ERROR)
    return as_array(found.x)


def by_label(labels: Sequence[str] | NDArray[np.str_], predicted: Array, measured: Array) -> Mapping[str, Errors]:
    """Errors of the rows of each label, sorted by label."""
    names = np.asarray(labels, dtype=np.str_)
    return {
        str(name): errors_of(predicted[names == name], measured[names == name]) for name in np.unique(names)
    }


def band(values: Array, edges: Sequence[float], unit: str = "") -> list[str]:
    """The size band of each value, named so that text sorts as numbers do.

    >>> band(as_array([3.0, 40.0, 400.0]), [16, 128])
    ['1. up to 16', '2. up to 128', '3. above 128']
    """
    names = [f"{i + 1}. up to {edge:g}{unit}" for i, edge in enumerate(edges)]
    names.append(f"{len(edges) + 1}. above {edges[-1]:g}{unit}")
    return [names[i] for i in np.searchsorted(as_array(edges), values)]
