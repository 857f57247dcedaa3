"""Erdil 2025: the frontier of speed against cost, and the preferred point on it.

Knows how the study samples a frontier (latency thresholds) and finds the same points by sorting. Knows no
physics: the latencies are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costline.published.erdil_2025_case import Array
from costline.published.erdil_2025_data import Gpu, Model
from costline.quantities import HOUR_S, KILO, MEGA

_THRESHOLDS = int(KILO)
_THRESHOLD_DECADES = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One instance on a frontier. GPUs and batch are real numbers: the study searches a continuous grid."""

    tokens_per_s: float
    usd_per_mtok: float
    n_gpu: float
    batch: float
    mfu: float
    """FLOP of the pass over the undiscounted peak."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frontier:
    """Sampled frontier, fastest first; columns of equal length."""

    latency_s: Array
    tokens_per_s: Array
    usd_per_mtok: Array
    n_gpu: Array
    batch: Array
    mfu: Array

    def __len__(self) -> int:
        return self.latency_s.size

    def point(self, index: int) -> Point:
        """The point at a place of the frontier."""
        return Point(
            tokens_per_s=float(self.tokens_per_s[index]),
            usd_per_mtok=float(self.usd_per_mtok[index]),
            n_gpu=float(self.n_gpu[index]),
            batch=float(self.batch[index]),
            mfu=float(self.mfu[index]),
        )

    @property
    def fastest(self) -> Point:
        """The point of least latency, whatever it costs."""
        return self.point(0)

    def preferred(self, alpha: float = 3.0) -> Point:
        """The point a customer buys whose value of a token grows as speed to the power `alpha` (Eq. 45)."""
        return self.point(int(np.argmax(preference(self.tokens_per_s, self.usd_per_mtok, alpha))))


def preference(tokens_per_s: ArrayLike, usd_per_mtok: ArrayLike, alpha: ArrayLike = 3.0) -> Any:
    """What customers maximise when faster tokens are worth more.

    Equation
        V = v^alpha / p

    Parameters
        tokens_per_s  v      [token/s]   array  speed that one request sees
        usd_per_mtok  p      [USD/Mtok]  array  > 0
        alpha         alpha  [1]         array  how the worth of a token grows with its speed

    Returns
        V  [1]  array, the broadcast shape of the inputs; only its order means anything

    Holds when  tokens of different speeds are perfect substitutes.
    Source      [erdil-2025] Eq. 45; alpha = 3 gives every table, captions that say 4 notwithstanding

    >>> bool(preference(107, 0.27) > preference(189, 90.0))
    True
    """
    return np.asarray(tokens_per_s) ** np.asarray(alpha) / np.asarray(usd_per_mtok)


def thresholds_s(least_s: float) -> Array:
    """The latencies at which the study samples a frontier: two decades up from the least."""
    return least_s * np.logspace(0.0, _THRESHOLD_DECADES, _THRESHOLDS)


def frontier_cells(latency_s: Array, cost: Array, admissible: NDArray[np.bool_], limits_s: Array) -> NDArray[np.intp]:
    """Flat indices of the cells that the thresholds select, in their order.

    At each threshold the study takes the least cost of the admissible cells that are fast enough, then the
    lowest latency of all cells of exactly that cost, and drops latencies already taken. One sort by latency with
    a running minimum gives every threshold's least cost; one sort by cost gives its lowest latency.
    """
    latency, cost = latency_s.reshape(-1), cost.reshape(-1)
    by_latency = np.argsort(latency, kind="stable")
    least_cost = np.minimum.accumulate(np.where(admissible.reshape(-1), cost, np.inf)[by_latency])
    reached = np.searchsorted(latency[by_latency], limits_s, side="right") - 1
    chosen = least_cost[reached[reached >= 0]]
    chosen = chosen[np.isfinite(chosen)]
    by_cost = np.lexsort((latency, cost))
    cells = by_cost[np.searchsorted(cost[by_cost], chosen, side="left")]
    _, first = np.unique(latency[cells], return_index=True)
    return cells[np.sort(first)]


def sample_frontier(
    model: Model,
    gpu: Gpu,
    latency_s: Array,
    shaped: tuple[Array, Array],
    *,
    context: float = 0.0,
    usd_per_hour: float | None = None,
    demand_tokens_per_s: float = np.inf,
) -> Frontier:
    """The frontier of a grid of latencies over `shaped` = (GPU counts, batches)."""
    n_gpu, batch = np.broadcast_arrays(*shaped)
    cost = n_gpu * latency_s / batch
    admissible = batch / latency_s <= demand_tokens_per_s
    limits_s = thresholds_s(float(latency_s.min()))
    cells = frontier_cells(latency_s, cost, admissible, limits_s) if np.isfinite(limits_s[0]) else np.arange(0)
    n_gpu, batch, latency = n_gpu.reshape(-1)[cells], batch.reshape(-1)[cells], latency_s.reshape(-1)[cells]
    price = gpu.usd_per_hour if usd_per_hour is None else usd_per_hour
    scores = 4.0 * model.attention_dim * model.heads * model.layers * context
    flop = (2.0 * model.active_parameters + scores) * batch
    columns = {
        "latency_s": latency,
        "tokens_per_s": 1.0 / latency,
        "usd_per_mtok": MEGA * cost.reshape(-1)[cells] * price / HOUR_S,
        "n_gpu": n_gpu,
        "batch": batch,
        "mfu": flop / (n_gpu * gpu.peak_flop_per_s(model.weight_bytes) * latency),
    }
    for column in columns.values():
        column.setflags(write=False)
    return Frontier(**columns)
