"""Errors of predictions on whole systems, each group of like rows one vote: weights, quantiles, medians.

A sweep of one system has dozens of rows whose errors go together; counted by row, a few large groups decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.quantities import Array, as_array


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
