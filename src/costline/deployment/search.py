"""Masks and fronts over columns of candidates. Knows columns, not physics and not money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from costline.quantities import as_array

Mask = NDArray[np.bool_]


def pareto_mask(smaller_is_better: Sequence[object]) -> Mask:
    """Which rows no other row beats in every column.

    Two columns take one sort; more take a sweep in which each row of the front strikes out all that it beats. Rows with
    a NaN or infinity are never on the front; of equal rows the first stays.

    >>> pareto_mask([[1.0, 2.0, 3.0, 2.0], [3.0, 2.0, 1.0, 2.5]]).tolist()
    [True, True, True, False]
    """
    columns = [as_array(column).ravel() for column in smaller_is_better]
    table = np.stack(columns, axis=1)
    finite = np.all(np.isfinite(table), axis=1)
    order = np.lexsort(table.T[::-1])
    order = order[finite[order]]
    kept = np.zeros(len(table), dtype=bool)
    if table.shape[1] <= 2:
        last = table[order, -1]
        best_before = np.concatenate(([np.inf], np.minimum.accumulate(last)[:-1])) if last.size else last
        kept[order[last < best_before]] = True
        return kept
    left = np.ascontiguousarray(table[order].T)
    while order.size:
        kept[order[0]] = True
        better = np.logical_or.reduce(left < left[:, :1], axis=0)
        order, left = order[better], left[:, better]
    return kept


def first_failure(masks: Mapping[str, object]) -> tuple[Mask, NDArray[np.object_]]:
    """Rows that pass every mask, and for the others the name of the first mask they fail ('' if none).

    >>> ok, why = first_failure({"memory": [True, False], "ttft": [False, False]})
    >>> ok.tolist(), why.tolist()
    ([False, False], ['ttft', 'memory'])
    """
    arrays = {name: np.asarray(mask, dtype=bool) for name, mask in masks.items()}
    shape = np.broadcast_shapes(*(mask.shape for mask in arrays.values()))
    passed = np.ones(shape, dtype=bool)
    why = np.full(shape, "", dtype=object)
    for name, mask in arrays.items():
        failed = passed & ~mask
        why[np.broadcast_to(failed, shape)] = name
        passed &= mask
    return passed, why
