"""Residuals of predictions on whole systems, each group of like rows one vote: medians, quantiles, coverage.

A sweep of one system has dozens of rows whose errors go together; counted by row, a few large groups decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.catalog.records import Residuals
from costline.measure.fit import Mask
from costline.quantities import Array, as_array

LOW, HIGH = 0.1, 0.9
DIGITS = 3


def vote_weights(groups: Sequence[str]) -> Array:
    """Weight of each row such that every group weighs 1.

    >>> vote_weights(["a", "b", "b"]).tolist()
    [1.0, 0.5, 0.5]
    """
    _, which, counts = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True, return_counts=True)
    return 1.0 / as_array(counts)[which]


def weighted_quantile(values: Array, weights: Array, share: float) -> float:
    """Value below which `share` of the weight lies, half of a value's own weight counted below it.

    >>> weighted_quantile(as_array([1.0, 2.0, 3.0]), as_array([1.0, 1.0, 1.0]), 0.5)
    2.0
    """
    order = np.argsort(values, kind="stable")
    heights = weights[order]
    below = (np.cumsum(heights) - heights / 2) / np.sum(heights)
    return float(np.interp(share, below, values[order]))


def group_medians(sizes: Array, groups: Sequence[str]) -> dict[str, float]:
    """Median of each group's rows, by group."""
    names = np.asarray(groups, dtype=np.str_)
    return {str(name): float(np.median(sizes[names == name])) for name in np.unique(names)}


def residuals(ratio: Array, groups: Sequence[str]) -> Residuals:
    """Quantiles of measured over predicted by group vote."""
    weights = vote_weights(groups)
    low, middle, high = (round(weighted_quantile(ratio, weights, q), DIGITS) for q in (LOW, 0.5, HIGH))
    return Residuals(p10=low, p50=middle, p90=high, rows=int(ratio.size))


def inside(ratio: Array, interval: Residuals) -> Mask:
    """Rows whose measurement lies between the two quantiles."""
    return (ratio >= interval.p10) & (ratio <= interval.p90)


def coverage_out_of_group(ratio: Array, groups: Sequence[str]) -> tuple[float, float]:
    """Share of rows inside the interval that the other groups give: by group vote, and by row; NaN for one group."""
    names = np.asarray(groups, dtype=np.str_)
    hit = np.full(ratio.shape, np.nan)
    for name in np.unique(names):
        mine = names == name
        if np.all(mine):
            continue
        others = residuals(ratio[~mine], list(names[~mine]))
        hit[mine] = inside(ratio[mine], others)
    weights = vote_weights(groups)
    return float(np.sum(hit * weights) / np.sum(weights)), float(np.mean(hit))
