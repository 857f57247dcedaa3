"""FLOP and bytes of every operation of one forward pass, on one device, for any mix of prefill and decode.

Knows the model, the layout and the number formats; knows no chip and no time. A pass is a tuple of segments: a decode
step is one segment with one new token a sequence, a prefill one with many, a mixed step has both, a verification step
has as many as were drafted. Everything broadcasts over segments and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from costline.architecture.cost import FLOP_PER_MAC, Cost
from costline.architecture.experts import touched_experts
from costline.architecture.formats import FORMATS, bytes_per_weight
from costline.architecture.kv_cache import layer_kv_bytes_per_token, layer_state_bytes
from costline.architecture.sharding import (
    Layout,
    cached_heads,
    kv_head_share,
    layer_parameters_per_device,
)
from costline.architecture.visible import attention_pairs, cached_tokens_read
from costline.architecture.weights import group_parameters
from costline.catalog.records import Attention, LayerGroup, Model, Moe, State
from costline.quantities import Array, Numeric, as_array

RESIDUAL_FORMAT = "bf16"
STATE_FLOP_PER_ELEMENT = {"mamba2": 5.0, "lightning": 5.0, "gated_delta": 7.0, "kda": 7.0}
"""Decay, outer-product update and read-out of a recurrent state; delta rules read it once more."""


@dataclass(frozen=True)
class Formats:
    """Number formats of a run: weights by component (key ``""`` = the rest), cache, and inputs of the linear layers."""

    weights: Mapping[str, str]
    kv: str = "bf16"
    activations: str = "bf16"

    def weight(self, component: str) -> str:
        """Format that holds the weights of `component`."""
        return self.weights.get(component, self.weights[""])

    def math(self, component: str) -> str:
        """Format of the arithmetic: the activations' when the weights are at most as wide, else the weights'."""
        weight = self.weight(component)
        if FORMATS[weight].bits <= FORMATS[self.activations].bits:
            return self.activations
        return weight


@dataclass(frozen=True)
class Segment:
    """Sequences of a lane that advance alike: each adds `new_tokens` to `context_tokens` cached ones."""

    sequences: Array
    new_tokens: Array
    context_tokens: Array
    outputs: Array
    """Positions of each sequence whose logits are needed."""

    @property
    def tokens(self) -> Array:
        """New tokens of all its sequences."""
        return self.sequences * self.new_tokens


def decode_segment(batch: Numeric, context_tokens: Numeric, new_tokens: Numeric = 1) -> Segment:
    """A decode step (or, with more new tokens, a verification step) of `batch` sequences."""
    new = as_array(new_tokens)
    return Segment(as_array(batch), new, as_array(context_tokens), new)


def prefill_segment(sequences: Numeric, new_tokens: Numeric, context_tokens: Numeric = 0) -> Segment:
    """A prompt, or a chunk of one after `context_tokens` already cached."""
    return Segment(as_array(sequences), as_array(new_tokens), as_array(context_tokens), as_array(1.0))


def attention_flop(attention: Attention, pairs: Array, context_tokens: Array, new_tokens: Array) -> Array:
    """FLOP of scores and weighted values of one sequence in one layer, all heads.

    Equation
        F = 2 (d_qk + d_v) H pairs                                             grouped-query
        F = min( 2 (2 r + d_rope) H pairs,                                     latent, absorbed
                 2 (d_nope + d_rope + d_v) H pairs + 2 c r H (d_nope + d_v) )  latent, expanded
        plus 2 H_i d_i q (c + (q + 1) / 2) / r for a top-k selector, r tokens pooled into one entry (1 if none are)

    Parameters
        attention       -              record
        pairs           pairs  [1]     array  query-key pairs of a sequence
        context_tokens  c  [token]     array  cached before
        new_tokens      q  [token]     array

    Returns
        F  [FLOP]  array, the shape of `pairs`, to which the others broadcast

    Holds when  softmax and masking are free; an engine takes the cheaper form of latent attention.
    Source      [scaling-book] ch. 4; [deepseek-v2] section 2.1
    Raises      nothing

    >>> llama = Attention(heads=64, kv_heads=8, head_dim=128, value_dim=128)
    >>> float(attention_flop(llama, as_array(1000.0), as_array(999), as_array(1)))
    32768000.0
    """
    latent, heads = attention.latent, attention.heads
    if latent is None:
        flop = FLOP_PER_MAC * (attention.head_dim + attention.value_dim) * heads * pairs
    else:
        per_pair = latent.nope_dim + latent.rope_dim + attention.value_dim
        expand = context_tokens * latent.kv_rank * heads * (latent.nope_dim + attention.value_dim)
        absorbed = FLOP_PER_MAC * (2 * latent.kv_rank + latent.rope_dim) * heads * pairs
        flop = np.minimum(absorbed, FLOP_PER_MAC * (per_pair * heads * pairs + expand))
    indexer = attention.indexer
    if indexer is not None and not indexer.shared:
        rate = attention.compressor.rate if attention.compressor else 1
        scored = new_tokens * (context_tokens + (new_tokens + 1) / 2) / rate
        flop = flop + FLOP_PER_MAC * indexer.heads * indexer.head_dim * scored
    return flop


def _linear(name: str, component: str, per_device: Array, *, tokens: Array, hidden: int, formats: Formats) -> Cost:
    """Matrices with one side on the residual stream: weights once, inputs and outputs once a token."""
    residual = bytes_per_weight(RESIDUAL_FORMAT)
    return Cost(
        name=name,
        math=formats.math(component),
        flop=FLOP_PER_MAC * tokens * per_device,
        weight_bytes=per_device * bytes_per_weight(formats.weight(component)),
        kv_bytes=as_array(0.0),
        activation_bytes=residual * tokens * (per_device / hidden + 2 * hidden),
        kernels=2,
    )


def _cache_traffic(attention: Attention, part: Segment, kv_format: str) -> Array:
    """Bytes of cache that one sequence moves in one layer: what it reads, what it writes, its selector's keys."""
    plain = replace(attention, indexer=None, reuses_cache=False)
    vector = layer_kv_bytes_per_token(plain, kv_format)
    selector = layer_kv_bytes_per_token(attention, kv_format) - layer_kv_bytes_per_token(
        replace(attention, indexer=None), kv_format
    )
    read = cached_tokens_read(attention, part.context_tokens, part.new_tokens)
    rate = attention.compressor.rate if attention.compressor else 1
    pooled = part.new_tokens / rate if attention.compressor else 0.0
    written = 0.0 if attention.reuses_cache else part.new_tokens + pooled
    return (read + written) * vector + (part.context_tokens + part.new_tokens) / rate * selector


def _attention(attention: Attention, segments: Sequence[Segment], where: Layout, formats: Formats) -> Cost:
    flop, kv_bytes, io_bytes = as_array(0.0), as_array(0.0), as_array(0.0)
    share = kv_head_share(cached_heads(attention), where.tp)
    width = attention.heads * (attention.head_dim + attention.value_dim) / where.tp
    for part in segments:
        mine = part.sequences / where.dp
        pairs = attention_pairs(attention, part.context_tokens, part.new_tokens)
        flop = flop + mine * attention_flop(attention, pairs, part.context_tokens, part.new_tokens) / where.tp
        kv_bytes = kv_bytes + mine * _cache_traffic(attention, part, formats.kv) * share
        io_bytes = io_bytes + bytes_per_weight(RESIDUAL_FORMAT) * mine * part.new_tokens * width
    return Cost("attention", RESIDUAL_FORMAT, flop, as_array(0.0), kv_bytes, io_bytes, kernels=2)


def _state(state: State, segments: Sequence[Segment], where: Layout) -> Cost:
    """A recurrent state is read and written once a pass, whatever the number of new tokens."""
    held = layer_state_bytes(state) / where.tp
    elements = state.value_heads * state.key_dim * state.value_dim / where.tp
    sequences = sum((part.sequences for part in segments), start=as_array(0.0)) / where.dp
    tokens = sum((part.tokens for part in segments), start=as_array(0.0)) / where.dp
    flop = STATE_FLOP_PER_ELEMENT[state.kind] * elements * tokens
    return Cost("state", RESIDUAL_FORMAT, flop, as_array(0.0), 2 * held * sequences, as_array(0.0), kernels=3)


def _experts(
    group: LayerGroup, moe: Moe, hidden: int, *, tokens: Array, where: Layout, formats: Formats, routing_shape: float
) -> Cost:
    """Routed experts: the weights of those that at least one token of the lane chose."""
    one = float(group_parameters(group, hidden).expert)
    lane = where.tp * where.dp
    touched = touched_experts(moe.experts, moe.top_k, tokens, routing_shape)
    pairs = tokens * moe.top_k / where.ep
    width = moe.matrices * moe.expert_width * where.ep / lane
    return Cost(
        name="experts",
        math=formats.math("experts"),
        flop=FLOP_PER_MAC * tokens * moe.top_k * one / lane,
        weight_bytes=touched * one * bytes_per_weight(formats.weight("experts")) / lane,
        kv_bytes=as_array(0.0),
        activation_bytes=bytes_per_weight(RESIDUAL_FORMAT) * pairs * (2 * (moe.latent_dim or hidden) + width),
        kernels=4,
    )


def _layer(
    model: Model, group: LayerGroup, tokens: Array, where: Layout, *, formats: Formats, routing_shape: float
) -> list[Cost]:
    """Work of one layer that follows from the tokens of the step, wherever they stand in their sequences."""
    mine = tokens / where.dp
    per_device = layer_parameters_per_device(group, model.hidden, where)
    costs: list[Cost] = []
    for name, component, present in (
        ("projections", "attention", group.attention),
        ("state_projections", "state", group.state),
        ("mlp", "mlp", group.mlp),
        ("router", "router", group.moe),
        ("shared_experts", "shared_experts", group_parameters(group, model.hidden).shared_experts),
        ("other", "other", group.extra_parameters),
    ):
        if present:
            costs.append(
                _linear(name, component, per_device[component], tokens=mine, hidden=model.hidden, formats=formats)
            )
    if group.moe is not None:
        routed = _experts(
            group, group.moe, model.hidden, tokens=tokens, where=where, formats=formats, routing_shape=routing_shape
        )
        costs.append(routed)
    blocks = sum(part is not None for part in (group.attention, group.state, group.mlp or group.moe))
    residual = bytes_per_weight(RESIDUAL_FORMAT)
    inside = _normed_inside(group.attention)
    width = blocks * model.hidden + inside / where.tp
    norms = 2 * residual * mine * width + residual * per_device["norms"]
    zero = as_array(0.0)
    costs.append(Cost("norms", RESIDUAL_FORMAT, zero, zero, zero, norms, kernels=blocks + (inside > 0)))
    return costs


def _normed_inside(attention: Attention | None) -> int:
    """Width of the queries and keys that attention normalises, in kernels of their own; 0 where it does not."""
    if attention is None or attention.qk_norm == "none" or attention.latent is not None:
        return 0
    return (attention.heads + attention.kv_heads) * attention.head_dim


def layer_token_costs(
    model: Model, tokens: Array, where: Layout, formats: Formats, routing_shape: float = math.inf
) -> list[tuple[LayerGroup, list[Cost]]]:
    """By group of layers, the work that depends only on how many tokens a lane's step has.

    `routing_shape` says how alike experts are in popularity (see `touched_experts`).
    """
    found: list[tuple[LayerGroup, list[Cost]]] = []
    for group in model.layers:
        one = _layer(model, group, tokens, where, formats=formats, routing_shape=routing_shape)
        found.append((group, [cost * group.count for cost in one]))
    return found


def embedding_cost(model: Model, tokens: Array, where: Layout, formats: Formats) -> Cost:
    """Rows of the embedding table that a lane's tokens look up."""
    residual, zero = bytes_per_weight(RESIDUAL_FORMAT), as_array(0.0)
    width = model.hidden * (bytes_per_weight(formats.weight("embedding")) + residual)
    return Cost("embedding", RESIDUAL_FORMAT, zero, tokens / where.dp * width / where.tp, zero, zero)


def head_cost(model: Model, outputs: Array, where: Layout, formats: Formats) -> Cost:
    """Logits of a lane's `outputs` positions."""
    head = as_array(model.hidden * model.vocab) / where.tp
    return _linear("head", "head", head, tokens=outputs / where.dp, hidden=model.hidden, formats=formats)


def sequence_costs(
    group: LayerGroup, segments: Sequence[Segment], where: Layout, formats: Formats
) -> list[Cost]:
    """Attention and recurrent states of a group of layers: the work that depends on each sequence's context."""
    costs: list[Cost] = []
    if group.attention is not None:
        costs.append(_attention(group.attention, segments, where, formats) * group.count)
    if group.state is not None:
        costs.append(_state(group.state, segments, where) * group.count)
    return costs


def forward_costs(model: Model, segments: Sequence[Segment], where: Layout, formats: Formats) -> list[Cost]:
    """Every operation of one pass of `model` over `segments`, on the busiest device of a lane (all stages)."""
    tokens = sum((part.tokens for part in segments), start=as_array(0.0))
    outputs = sum((part.sequences * part.outputs for part in segments), start=as_array(0.0))
    costs: list[Cost] = []
    for group, found in layer_token_costs(model, tokens, where, formats):
        costs += [*found, *sequence_costs(group, segments, where, formats)]
    costs.append(embedding_cost(model, tokens, where, formats))
    costs.append(head_cost(model, outputs, where, formats))
    return costs
