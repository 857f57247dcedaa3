"""Fits the parameters of one kernel on the timings of one family, and predicts with them.

A parameter has one number for each label that its rows carry. Fits are in the logarithm of the parameters, least
squares of log errors with outliers counted linearly. Knows no particular kernel.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.catalog.kernel_parameters import KERNELS, PARAMETERS
from costline.measure.fit import SOFT_ERROR, robust_fit
from costline.measure.kernels.timings import Timings
from costline.quantities import Array, as_array

FOLDS = 3
"""Parts of the shapes; each is held out in turn."""
STARTS = (1.0, 0.5, 2.0)
"""Factors on the starting point: fits end in different valleys where a cache fills; the deepest counts."""
SLACK = 1e-3

Values = Mapping[str, Mapping[str, float]]
"""Numbers in the files' units, by parameter and label."""
Columns = dict[str, tuple[list[str], NDArray[np.int_]]]


@dataclass(frozen=True)
class Free:
    """A parameter to fit: its key, the label it differs by, where to start and how far it may go (files' units)."""

    key: str
    by: str
    start: float
    low: float
    high: float


@dataclass(frozen=True)
class KernelFit:
    """How one kernel is fitted: its name among the parameters, what is free, and its time from rows and a record."""

    kernel: str
    free: tuple[Free, ...]
    time_s: Callable[[Timings, Any], Array]


def fold(rows: Timings) -> NDArray[np.int_]:
    """Which of the `FOLDS` random parts of the shapes a row belongs to; the same on every machine."""
    return np.array([zlib.crc32(text.encode()) % FOLDS for text in rows.shape], dtype=np.int_)


def fit(one: KernelFit, rows: Timings, fixed: Values | None = None) -> Values:
    """Numbers that fit `rows` best; what `fixed` has stays as it is."""
    known = fixed or {}
    slots = [
        (free, str(label))
        for free in one.free
        for label in np.unique(rows.labels[free.by])
        if label and label not in known.get(free.key, {})
    ]
    start, low, high = (np.log([getattr(free, end) for free, _ in slots]) for end in ("start", "low", "high"))
    inside = SLACK * (high - low)

    def values(logs: Array) -> Values:
        found: dict[str, dict[str, float]] = {key: dict(table) for key, table in known.items()}
        for (free, label), number in zip(slots, np.exp(logs), strict=True):
            found.setdefault(free.key, {})[label] = float(number)
        return found

    columns = _columns(one, rows)

    def log_errors(logs: Array) -> Array:
        predicted = one.time_s(rows, _record(one, columns, values(logs)))
        return np.log(np.maximum(predicted, np.finfo(np.float64).tiny) / rows.time_s)

    def loss(logs: Array) -> float:
        return float(np.sum(np.sqrt(1 + (log_errors(logs) / SOFT_ERROR) ** 2)))

    starts = [np.clip(start + np.log(factor), low + inside, high - inside) for factor in STARTS]
    found = [robust_fit(log_errors, list(one_start), list(low), list(high)) for one_start in starts]
    return values(min(found, key=loss))


def predict(one: KernelFit, rows: Timings, values: Values) -> Array:
    """Time of each row; NaN where a row's label was not fitted and nothing may stand for it."""
    return as_array(one.time_s(rows, record_of(one, rows, values)))


def record_of(one: KernelFit, rows: Timings, values: Values) -> Any:
    """The record of each row: its fields are arrays with one element a row."""
    return _record(one, _columns(one, rows), values)


def _columns(one: KernelFit, rows: Timings) -> Columns:
    """For each parameter its labels, and which one each row has."""
    by = {free.key: free.by for free in one.free}
    nothing = np.full(rows.chip.shape, "")
    found: Columns = {}
    for key in KERNELS[one.kernel][1]:
        labels, which = np.unique(rows.labels[by[key]] if key in by else nothing, return_inverse=True)
        found[key] = [str(label) for label in labels], which
    return found


def _record(one: KernelFit, columns: Columns, values: Values) -> Any:
    """The record with one element a row."""
    found: dict[str, Array] = {}
    for key, (labels, which) in columns.items():
        parameter, table = PARAMETERS[key], values.get(key, {})
        absent = np.nan if parameter.absent is None else parameter.absent
        each = [table[label] * parameter.factor if label in table else absent for label in labels]
        found[parameter.field] = as_array(each)[which]
    return KERNELS[one.kernel][0](**found)


def merged(parts: Sequence[Values]) -> Values:
    """Values of several fits together."""
    found: dict[str, dict[str, float]] = {}
    for part in parts:
        for key, table in part.items():
            found.setdefault(key, {}).update(table)
    return found
