"""Pools of replicas that split a request's work: a pool's shape, and the exact choice of partners between two pools.

Knows columns and what may be compared. Knows neither what a column means nor how it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.deployment.search import Mask, pareto_mask
from costline.quantities import Array, as_array

DIGITS = 9
"""Significant digits to which costs are compared: pairs that differ in less cost the same."""


@dataclass(frozen=True)
class Pool:
    """Replicas of one kind that do one part of each request."""

    accelerator: str
    replicas: int
    tp: int
    pp: int
    dp: int
    ep: int
    batch: int
    """Prompts that a prefill replica takes in at once, sequences that a decode replica holds."""
    cp: int = 1

    @property
    def accelerators(self) -> int:
        """Accelerators of the pool."""
        return self.replicas * self.tp * self.pp * self.dp * self.cp

    @property
    def label(self) -> str:
        """How engineers write it."""
        parts = [f"{self.replicas}× " if self.replicas > 1 else "", f"TP{self.tp}"]
        degrees = (("PP", self.pp), ("DP", self.dp), ("EP", self.ep), ("CP", self.cp))
        parts += [f" {name}{degree}" for name, degree in degrees if degree > 1]
        return "".join(parts)

    def as_row(self) -> dict[str, Any]:
        """Keys as published."""
        names = ("accelerator", "accelerators", "replicas", "tp", "pp", "dp", "ep", "cp", "batch")
        return {name: getattr(self, name) for name in names}


def contenders(smaller_is_better: Sequence[object]) -> NDArray[np.intp]:
    """Rows of one pool that may be part of a best pair.

    If every measure of a pair grows with each column of either pool, a row that another beats in all columns can be
    replaced in any pair without loss: only rows on the front are left. Of equal rows the first stays.

    >>> contenders([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]).tolist()
    [0, 1]
    """
    return np.flatnonzero(pareto_mask(smaller_is_better))


def best_partners(allowed: Mask, *smaller_is_better: Array) -> NDArray[np.intp]:
    """For each column of a table of pairs the best row: allowed before not, then by each table in turn.

    >>> cost, wait = np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[5.0, 1.0], [4.0, 1.0]])
    >>> best_partners(np.array([[True, False], [True, True]]), cost, wait).tolist()
    [1, 1]
    """
    left = allowed | ~np.any(allowed, axis=0)
    for table in smaller_is_better:
        values = np.where(left, table, np.inf)
        left &= values <= np.min(values, axis=0)
    return np.argmax(left, axis=0)


def to_digits(values: Array, digits: int = DIGITS) -> Array:
    """Values rounded to significant digits, so that sums in another order compare as equal.

    >>> to_digits(np.array([0.1 + 0.2, 0.0, np.inf])).tolist()
    [0.3, 0.0, inf]
    """
    plain = np.isfinite(values) & (values != 0)
    size = np.floor(np.log10(np.abs(np.where(plain, values, 1.0))))
    scale = 10.0 ** (digits - 1 - size)
    return as_array(np.where(plain, np.round(values * scale) / scale, values))
