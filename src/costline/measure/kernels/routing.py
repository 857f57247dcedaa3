"""How the benchmarks of routed experts spread tokens: evenly, or by a power law with the busiest device timed.

Knows the benchmarks' recipe. Serving counts come from `architecture.experts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.forward.kernels.experts import LARGE_TILE_ROWS, TILE_ROWS
from costline.quantities import Array, as_array

DRAWS, SEED = 24, 7
FEW, MANY = (0.01, 2.0), (1.0, 0.8)
"""Range of the weights that are drawn: absolute for fewer pairs than experts; else 1 to a share of the tokens."""
ROUNDS = 20


@dataclass(frozen=True)
class Routed:
    """What the busiest device does, mean over draws."""

    pairs: float
    distinct: float
    rows: float
    """Pairs filled up to tiles of `TILE_ROWS` rows an expert."""
    large_tiles: float
    """Tiles of `LARGE_TILE_ROWS` rows."""


def routed(tokens: int, top_k: int, experts: int, *, devices: int, exponent: float, in_order: bool = False) -> Routed:
    """Load of the busiest of `devices` devices; `exponent` 0 = evenly.

    `in_order` deals the few experts that a small step hits to the first device, as older benchmarks did.

    >>> routed(32, 8, 128, devices=4, exponent=0.0)
    Routed(pairs=64.0, distinct=32.0, rows=512.0, large_tiles=32.0)
    """
    if exponent == 0.0:
        pairs = max(tokens * top_k / devices, 1.0)
        distinct = max(min(experts, tokens * top_k) / devices, 1.0)
        load = pairs / distinct
        rows, tiles = (distinct * np.ceil(load / tile) for tile in (TILE_ROWS, LARGE_TILE_ROWS))
        return Routed(pairs, distinct, float(rows * TILE_ROWS), float(tiles))
    generator = np.random.default_rng(SEED)
    found: list[tuple[float, ...]] = []
    for _ in range(DRAWS):
        loads = _loads(generator.random(experts), tokens, top_k, exponent)
        if in_order and tokens * top_k <= experts:
            loads = -np.sort(-loads)
        groups = loads.reshape(devices, -1)
        busiest = groups[np.argmax(groups.sum(axis=1))]
        rows, tiles = (np.ceil(busiest / tile).sum() for tile in (TILE_ROWS, LARGE_TILE_ROWS))
        found.append((float(busiest.sum()), float(np.count_nonzero(busiest)), float(rows * TILE_ROWS), float(tiles)))
    return Routed(*(float(value) for value in np.mean(found, axis=0)))


def _loads(uniform: Array, tokens: int, top_k: int, exponent: float) -> NDArray[np.int_]:
    """Tokens of each expert: in proportion to power-law weights, at most all tokens, largest remainders rounded up."""
    total, experts = tokens * top_k, uniform.size
    low, high = FEW if total <= experts else (MANY[0], max(MANY[1] * tokens, MANY[0] + np.finfo(np.float32).eps))
    power = 1 - exponent
    weights = ((high**power - low**power) * uniform + low**power) ** (1 / power)
    due = np.minimum(as_array(weights / weights.sum() * total), tokens)
    for _ in range(ROUNDS):
        missing = total - due.sum()
        if missing < np.finfo(np.float32).eps * total:
            break
        free = due < tokens
        due = np.where(free, np.minimum(due * (1 + missing / due[free].sum()), tokens), due)
    loads = np.floor(due + np.finfo(np.float32).eps).astype(np.int_)
    order = np.argsort(loads - due, kind="stable")
    loads[order[: total - int(loads.sum())]] += 1
    return loads
