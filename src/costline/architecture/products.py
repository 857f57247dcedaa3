"""Shapes of the matrix products of a layer on one device: columns and depth, by operation.

Knows which matrices engines fuse and how tensor parallelism cuts them. Counts the same parameters as `sharding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from costline.architecture.sharding import (
    Layout,
    cached_heads,
    kv_head_share,
    layer_parameters_per_device,
    layout,
)
from costline.catalog.records import Attention, LayerGroup, State
from costline.quantities import Array, Numeric, as_array

COMPONENTS = {"projections": "attention", "state_projections": "state"}
"""Component of an operation's parameters where it has another name."""
FEWEST_COLUMNS = 16
"""Parameters that make up fewer columns of the residual stream's depth are biases or norms, not a product."""


@dataclass(frozen=True)
class Product:
    """One matrix of a layer on one device: every token of the device is a row of its input."""

    columns: Array
    depth: Array


def _product(columns: Numeric, depth: Numeric) -> Product:
    return Product(as_array(columns), as_array(depth))


def _attention(attention: Attention, hidden: int, tp: Array) -> list[Product]:
    """Fused input projection and output projection; for latent attention the four matrices between its ranks."""
    heads = attention.heads / tp
    out = _product(hidden, heads * attention.value_dim)
    latent = attention.latent
    if latent is not None:
        query = heads * (latent.nope_dim + latent.rope_dim)
        down = latent.kv_rank + latent.rope_dim + (latent.q_rank or 0)
        up = heads * (latent.nope_dim + attention.value_dim)
        return [_product(down, hidden), _product(query, latent.q_rank or hidden), _product(up, latent.kv_rank), out]
    if attention.output_rank is not None or attention.query_rank is not None or attention.compressor is not None:
        return []
    values = 0 if attention.values_are_keys or attention.cached_once else attention.value_dim
    groups = attention.kv_heads * kv_head_share(cached_heads(attention), tp)
    cached = groups * (0 if attention.reuses_cache else attention.head_dim + values)
    query = heads * attention.head_dim * (2 if attention.output_gate else 1)
    return [_product(query + cached, hidden), out]


def _state(state: State, hidden: int, tp: Array) -> list[Product]:
    return [_product(hidden, state.value_heads * state.value_dim / tp)]


def _gated(width: Numeric, matrices: int, hidden: Numeric) -> list[Product]:
    return [_product((matrices - 1) * as_array(width), hidden), _product(hidden, width)]


def _listed(group: LayerGroup, hidden: int, tp: Array) -> dict[str, list[Product]]:
    found: dict[str, list[Product]] = {}
    if group.attention is not None:
        found["projections"] = _attention(group.attention, hidden, tp)
    if group.state is not None:
        found["state_projections"] = _state(group.state, hidden, tp)
    if group.mlp is not None:
        found["mlp"] = _gated(group.mlp.width / tp, group.mlp.matrices, hidden)
    if group.moe is not None:
        found["router"] = [_product(group.moe.experts, hidden)]
        shared = _gated(group.moe.shared_width / tp, group.moe.matrices, hidden)
        found["shared_experts"] = shared if group.moe.shared_width else []
    if group.extra_parameters:
        found["other"] = []
    return found


def _left(group: LayerGroup, hidden: int, where: Layout) -> dict[str, tuple[list[Product], Array]]:
    """Listed products of each operation, and its parameters that they leave."""
    counts = layer_parameters_per_device(group, hidden, where)
    return {
        name: (
            products,
            counts[COMPONENTS.get(name, name)] - sum((one.columns * one.depth for one in products), as_array(0.0)),
        )
        for name, products in _listed(group, hidden, where.tp).items()
    }


@lru_cache(maxsize=512)
def _has_rest(group: LayerGroup, hidden: int) -> frozenset[str]:
    """Operations with matrices that are not listed; biases alone are none."""
    whole = _left(group, hidden, layout())
    return frozenset(name for name, (_, left) in whole.items() if float(left) > FEWEST_COLUMNS * hidden)


def layer_products(group: LayerGroup, hidden: int, where: Layout) -> dict[str, list[Product]]:
    """Matrix products of one layer on one device, by the names of `operations`; routed experts stand apart.

    What the listed shapes leave of an operation's parameters (selectors, rare projections) is one more product of the
    residual stream's depth.
    """
    rest = _has_rest(group, hidden)
    return {
        name: [*products, _product(left.clip(1.0) / hidden, hidden)] if name in rest else products
        for name, (products, left) in _left(group, hidden, where).items()
    }
