"""What tensor, pipeline, expert and attention-data parallelism leave on one device.

A replica is `tp · dp` devices wide (a *lane*) and `pp` stages deep. Attention is cut over `tp` and repeated in `dp`
groups that hold different sequences; routed experts are cut over all `tp · dp` devices of a stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.architecture.weights import GroupParameters, group_parameters
from costline.catalog.records import Attention, LayerGroup, Model
from costline.quantities import Array, Numeric, as_array


@dataclass(frozen=True)
class Layout:
    """Degrees of parallelism of one replica, as arrays that broadcast."""

    tp: Array
    pp: Array
    dp: Array
    ep: Array

    @property
    def devices(self) -> Array:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp


def layout(tp: Numeric = 1, pp: Numeric = 1, dp: Numeric = 1, ep: Numeric = 1) -> Layout:
    """A `Layout` from scalars or arrays."""
    return Layout(as_array(tp), as_array(pp), as_array(dp), as_array(ep))


def kv_head_share(kv_heads: int, tp: Array) -> Array:
    """Share of a layer's KV heads that one device holds.

    Equation
        share = max(K / tp, 1) / K

    Parameters
        kv_heads  K   [1]  scalar  1 for a latent cache that all heads share
        tp        t   [1]  array  >= 1

    Returns
        share  [1]  array, the shape of `tp`; at least 1 / K, so KV heads repeat once tp exceeds them

    Holds when  a head is never cut; engines replicate it instead.
    Source      [kwon-2023]; KV pools logged by engines agree to the byte (tests/measured)
    Raises      nothing

    >>> [float(kv_head_share(8, as_array(t))) for t in (1, 8, 16)]
    [1.0, 0.125, 0.125]
    """
    return np.maximum(kv_heads / as_array(tp), 1.0) / kv_heads


def cached_heads(attention: Attention) -> int:
    """KV heads that can be spread over devices: 1 for latent attention, whose cache every head reads."""
    return 1 if attention.latent is not None else attention.kv_heads


def replicated_attention_parameters(attention: Attention, hidden: int) -> float:
    """Parameters of latent attention that every device of a tensor-parallel group repeats.

    Equation
        d (r_kv + d_rope) + d r_q + indexer          (down-projections; 0 without latent attention)

    Parameters
        attention  -  record        the layer's attention
        hidden     d  [1]   scalar  width of the residual stream

    Returns
        parameters  [1]  scalar

    Holds when  up-projections are cut by head and down-projections are not cut.
    Source      [deepseek-v2] section 2.1
    Raises      nothing

    >>> replicated_attention_parameters(Attention(heads=8, kv_heads=8, head_dim=128, value_dim=128), 1024)
    0.0
    """
    latent = attention.latent
    if latent is None:
        return 0.0
    down = hidden * (latent.kv_rank + latent.rope_dim) + hidden * (latent.q_rank or 0)
    indexer = attention.indexer
    if indexer is not None and not indexer.shared:
        down += indexer.head_dim * (hidden + indexer.heads * (latent.q_rank or hidden)) + hidden * indexer.heads
    return float(down)


def attention_parameters_per_device(group: LayerGroup, hidden: int, tp: Array) -> Array:
    """Attention parameters of one layer on one device.

    Equation
        (P_attn - P_repl - P_kv) / t + P_repl + P_kv share(t)

    Parameters
        group   -  record        layers of one shape
        hidden  d  [1]   scalar
        tp      t  [1]   array  >= 1

    Returns
        parameters  [1]  array, the shape of `tp`

    Holds when  query heads divide tp; KV projections follow their heads.
    Source      [deepseek-v2]; [kwon-2023]
    Raises      nothing

    >>> from costline.catalog.records import LayerGroup
    >>> gqa = LayerGroup(1, attention=Attention(heads=8, kv_heads=2, head_dim=64, value_dim=64))
    >>> [float(attention_parameters_per_device(gqa, 512, as_array(t))) for t in (1, 4)]
    [655360.0, 196608.0]
    """
    attention = group.attention
    if attention is None:
        return as_array(0.0)
    total = float(group_parameters(group, hidden).attention)
    replicated = replicated_attention_parameters(attention, hidden)
    kv = 0.0
    if attention.latent is None and not attention.reuses_cache:
        values = 0 if attention.values_are_keys or attention.cached_once else attention.value_dim
        kv = hidden * attention.kv_heads * (attention.head_dim + values)
    share = kv_head_share(cached_heads(attention), tp)
    return (total - replicated - kv) / as_array(tp) + replicated + kv * share


def layer_parameters_per_device(group: LayerGroup, hidden: int, where: Layout) -> dict[str, Array]:
    """Parameters of one layer on one device, by component."""
    counts: GroupParameters = group_parameters(group, hidden)
    one = as_array(1.0)
    return {
        "attention": attention_parameters_per_device(group, hidden, where.tp),
        "state": counts.state / where.tp,
        "mlp": counts.mlp / where.tp,
        "router": counts.router * one,
        "experts": counts.experts / (where.tp * where.dp),
        "shared_experts": counts.shared_experts / where.tp,
        "norms": counts.norms * one,
        "other": counts.other * one,
    }


def stage_share(model: Model, pp: Array) -> Array:
    """Share of the layers that the fullest pipeline stage holds.

    Equation
        ceil(L / p) / L

    Parameters
        model  -  record
        pp     p  [1]  array  >= 1

    Returns
        share  [1]  array, the shape of `pp`

    Holds when  stages are cut between layers, as evenly as whole layers allow.
    Source      [pope-2022] pipeline partitioning
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> float(stage_share(find_model("llama-3.1-70b"), as_array(3)))
    0.3375
    """
    layers = sum(group.count for group in model.layers)
    return np.ceil(layers / as_array(pp)) / layers
