"""Erdil 2025: the grid of instances, the frontier of speed against cost, and the preferred point on it.

Knows how the study samples a frontier (latency thresholds) and finds the same points by sorting. Takes the
latencies of the grid as given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costline.published.erdil_2025_data import Gpu, Model, find_gpu, find_model
from costline.published.erdil_2025_latency import LATER, Revision, least_latency_s, speculative_latency_s
from costline.quantities import HOUR_S, MEGA

Array = NDArray[np.float64]

_GRID = 400
_LARGEST_LOG2 = 18.0
_THRESHOLDS = 1000
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
        alpha         alpha  [-]         array  how the worth of a token grows with its speed

    Returns
        V  [-]  array, the broadcast shape of the inputs; only its order means anything

    Holds when  tokens of different speeds are perfect substitutes.
    Source      [erdil2025] Eq. 45; alpha = 3 gives every table, captions that say 4 notwithstanding

    >>> bool(preference(107, 0.27) > preference(189, 90.0))
    True
    """
    return np.asarray(tokens_per_s) ** np.asarray(alpha) / np.asarray(usd_per_mtok)


def grid(model: Model, gpu: Gpu, size: int = _GRID) -> tuple[Array, Array]:
    """GPU counts [size, 1] from what just holds the weights, and batches [1, size], both log-spaced and real."""
    smallest = float(np.log2(model.weights_bytes / gpu.hbm_bytes))
    largest_batch = float(np.log2(model.sparsity * 2.0**_LARGEST_LOG2))
    n_gpu: Array = np.logspace(smallest, _LARGEST_LOG2, size, base=2)
    batch: Array = np.logspace(0.0, largest_batch, size, base=2)
    return n_gpu.reshape(-1, 1), batch.reshape(1, -1)


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


@lru_cache(maxsize=32)
def _grid_latency_s(
    model: str,
    gpu: str,
    draft: str | None,
    *,
    acceptance: float,
    context: float,
    most_draft_tokens: int,
    revision: Revision,
    grid_size: int,
) -> Array:
    """Latencies of the study's grid; kept, since every price and demand reads the same ones."""
    target, chip = find_model(model), find_gpu(gpu)
    shaped = (*grid(target, chip, grid_size), context)
    if draft is None:
        return least_latency_s(target, chip, (*shaped, 1.0), revision=revision)
    return speculative_latency_s(
        target,
        find_model(draft),
        chip,
        shaped,
        acceptance=acceptance,
        most_draft_tokens=most_draft_tokens,
        revision=revision,
    )


def frontier(
    model: str,
    gpu: str,
    draft: str | None = None,
    acceptance: float = 0.8,
    *,
    context: float = 0.0,
    usd_per_hour: float | None = None,
    demand_tokens_per_s: float = np.inf,
    most_draft_tokens: int = 5,
    revision: Revision = LATER,
    grid_size: int = _GRID,
) -> Frontier:
    """The study's frontier of speed against cost, optionally under speculative decoding.

    Equation
        T_s = min(T(1), min over gamma of (T(gamma) + gamma T_draft) (1 - p) / (1 - p^gamma)),  cost = N T_s / b

    Parameters
        model                -  [-]        text   a name of `models()`
        gpu                  -  [-]        text   a name of `gpus()`
        draft                -  [-]        text   the drafting model, which takes no memory; None for none
        acceptance           p  [-]        float  chance that a drafted token is accepted, below 1
        context              l  [token]    float  positions already in the KV cache
        usd_per_hour         -  [USD/h]    float  price of one GPU; None takes the study's
        demand_tokens_per_s  -  [token/s]  float  most that one instance may produce
        most_draft_tokens    -  [-]        int    largest gamma; 1 is never tried
        revision             -  [-]        text   day of the study's code
        grid_size            -  [-]        int    batches and GPU counts on the grid

    Returns
        Frontier, fastest first: latency_s [s], tokens_per_s [token/s], usd_per_mtok [USD/Mtok], n_gpu, batch,
        mfu [-]; empty if nothing fits

    Holds when  instances are real-numbered cells of a log-spaced grid; thresholds span two decades of latency.
    Source      [erdil2025] section 4, Eq. 46 and the code of 2025-05-27
    Raises      UnknownIdError for an unknown model or GPU; DomainError if p is outside [0, 1)

    >>> fastest = frontier("Llama_3_70B_8_bit", "H100").fastest
    >>> round(fastest.tokens_per_s), round(fastest.n_gpu)
    (152, 24)
    """
    latency_s = _grid_latency_s(
        model,
        gpu,
        draft,
        acceptance=acceptance,
        context=context,
        most_draft_tokens=most_draft_tokens,
        revision=revision,
        grid_size=grid_size,
    )
    target, chip = find_model(model), find_gpu(gpu)
    return sample_frontier(
        target,
        chip,
        latency_s,
        grid(target, chip, grid_size),
        context=context,
        usd_per_hour=usd_per_hour,
        demand_tokens_per_s=demand_tokens_per_s,
    )
