"""Erdil 2025: the grid of instances, and a model's frontier on it with or without speculative decoding.

Knows which instances the study tries. Knows no physics and no sampling rule.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from costline.errors import InfeasibleError
from costline.published.erdil_2025_case import Array
from costline.published.erdil_2025_data import Gpu, Model, find_gpu, find_model
from costline.published.erdil_2025_frontier import Frontier, sample_frontier
from costline.published.erdil_2025_latency import LATER, Revision, least_latency_s, speculative_latency_s

_GRID = 400
_LARGEST_LOG2 = 18.0


def grid(model: Model, gpu: Gpu, size: int = _GRID) -> tuple[Array, Array]:
    """GPU counts [size, 1] from what just holds the weights, and batches [1, size], both log-spaced and real."""
    smallest = float(np.log2(model.weights_bytes / gpu.hbm_bytes))
    largest_batch = float(np.log2(model.sparsity * 2.0**_LARGEST_LOG2))
    n_gpu: Array = np.logspace(smallest, _LARGEST_LOG2, size, base=2)
    batch: Array = np.logspace(0.0, largest_batch, size, base=2)
    return n_gpu.reshape(-1, 1), batch.reshape(1, -1)


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
        model                -  [-]         text   a name of `models()`
        gpu                  -  [-]         text   a name of `gpus()`
        draft                -  [-]         text   the drafting model, which takes no memory; None for none
        acceptance           p  [1]         float  chance that a drafted token is accepted, below 1
        context              l  [token]     float  positions already in the KV cache
        usd_per_hour         -  [USD/hour]  float  price of one GPU; None takes the study's
        demand_tokens_per_s  -  [token/s]   float  most that one instance may produce
        most_draft_tokens    -  [1]         int    largest gamma; 1 is never tried
        revision             -  [-]         text   day of the study's code
        grid_size            -  [1]         int    batches and GPU counts on the grid

    Returns
        latency_s, tokens_per_s, usd_per_mtok, n_gpu, batch, mfu  [-]  a Frontier of arrays, fastest first

    Holds when  instances are real-numbered cells of a log-spaced grid; thresholds span two decades of latency.
    Source      [erdil-2025] section 4, Eq. 46 and the code of 2025-05-27
    Raises      UnknownIdError for an unknown model or GPU; DomainError if p is outside [0, 1); InfeasibleError
                if no instance of the grid holds weights and KV cache within the demand

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
    curve = sample_frontier(
        target,
        chip,
        latency_s,
        grid(target, chip, grid_size),
        context=context,
        usd_per_hour=usd_per_hour,
        demand_tokens_per_s=demand_tokens_per_s,
    )
    if len(curve) == 0:
        raise InfeasibleError(
            f"context={context:g}, demand_tokens_per_s={demand_tokens_per_s:g}: no grid of {gpu} holds {model} and "
            "its KV cache within the demand; shorten the context or raise the demand"
        )
    return curve
