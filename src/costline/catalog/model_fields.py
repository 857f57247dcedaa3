"""What an entry of a model file holds: keys, defaults, meaning.

Knows how architectures are written down. Reads nothing (see `models`).
"""

from __future__ import annotations

from typing import Any, get_args

from costline.catalog.records import (
    Attention,
    Compressor,
    Indexer,
    Latent,
    LayerGroup,
    Mlp,
    Moe,
    QkNorm,
    State,
    StateKind,
)
from costline.catalog.shapes import Block, Field, Flag, Many, Number, Shape, Table, Text

COMPONENTS = (
    "", "embedding", "head", "attention", "state", "mlp", "experts", "shared_experts", "router", "norms", "other",
)  # fmt: skip
_COUNT = Number(whole=True, positive=True)
_COUNT_OR_0 = Number(whole=True)


def _count(about: str) -> Field:
    return Field(_COUNT, about=about)


def _maybe(shape: Shape, default: object, about: str) -> Field:
    return Field(shape, default, about=about)


def _attention(**values: Any) -> Attention:
    """Attention with what its entry may leave out: key-value heads, widths of heads and values."""
    latent: Latent | None = values["latent"]
    if values["head_dim"] is None:
        if latent is None:
            raise ValueError("head_dim is missing; state it, or latent")
        values["head_dim"] = latent.nope_dim + latent.rope_dim
    values["value_dim"] = values["value_dim"] or values["head_dim"]
    values["kv_heads"] = values["kv_heads"] or values["heads"]
    if values["heads"] % values["kv_heads"]:
        raise ValueError(f"kv_heads={values['kv_heads']} must divide heads={values['heads']}")
    return Attention(**values)


def _moe(**values: Any) -> Moe:
    if values["top_k"] > values["experts"]:
        raise ValueError(f"top_k={values['top_k']} exceeds experts={values['experts']}")
    return Moe(**values)


LATENT = Block({
    "q_rank": _maybe(_COUNT, None, "low rank of queries; none = a full projection"),
    "kv_rank": _count("width of the cached latent"),
    "nope_dim": _count("of a head without rotation"),
    "rope_dim": _count("of a head with rotation, cached once for all heads"),
}, Latent)  # fmt: skip

INDEXER = Block({
    "heads": _count("that score"),
    "head_dim": _count("of a score, and of the cached key"),
    "top_k": _count("tokens that attention then sees"),
    "shared": _maybe(Flag(), False, "reuses an earlier layer's selection"),
    "head_weights": _maybe(Flag(), True, "a projection weighs the heads' scores"),
}, Indexer)  # fmt: skip

COMPRESSOR = Block({
    "rate": _count("tokens pooled into one cached entry"),
    "overlap": _maybe(Flag(), False, "spans overlap: projections twice as wide"),
}, Compressor)  # fmt: skip

ATTENTION = Block({
    "heads": _count("query heads"),
    "kv_heads": _maybe(_COUNT, None, "key-value heads; as many as query heads unless stated"),
    "head_dim": _maybe(_COUNT, None, "of queries and keys; from `latent` unless stated"),
    "value_dim": _maybe(_COUNT, None, "of values; `head_dim` unless stated"),
    "window_tokens": _maybe(_COUNT, None, "a token sees so many, itself included"),
    "chunk_tokens": _maybe(_COUNT, None, "a token sees its own chunk of so many"),
    "latent": _maybe(LATENT, None, "multi-head latent attention"),
    "indexer": _maybe(INDEXER, None, "selector of sparse attention"),
    "qkv_bias": _maybe(Flag(), False, "biases of queries, keys and values"),
    "output_bias": _maybe(Flag(), False, "bias of the output"),
    "qk_norm": _maybe(Text(get_args(QkNorm)), "none", "norms of queries and keys, by head or over all"),
    "sinks": _maybe(Flag(), False, "one number a head that attention may rest on"),
    "output_gate": _maybe(Flag(), False, "queries twice as wide gate the output"),
    "values_are_keys": _maybe(Flag(), False, "no value projection"),
    "cached_once": _maybe(Flag(), False, "one vector is cached as key and value"),
    "reuses_cache": _maybe(Flag(), False, "reads an earlier layer's keys and values"),
    "query_rank": _maybe(_COUNT, None, "low rank of queries"),
    "output_rank": _maybe(_COUNT, None, "low rank of the output, each group"),
    "output_groups": _maybe(_COUNT, 1, "groups of heads of a low-rank output"),
    "compressor": _maybe(COMPRESSOR, None, "pooled entries beyond the window"),
}, _attention)  # fmt: skip

STATE = Block({
    "kind": Field(Text(get_args(StateKind)), about="recurrence"),
    "key_heads": _count("key heads, or groups of mamba2"),
    "value_heads": _count("value heads"),
    "key_dim": _count("of a key head; the state size of mamba2"),
    "value_dim": _count("of a value head"),
    "conv_width": _maybe(_COUNT_OR_0, 0, "of the short convolution; 0 = none"),
    "conv_bias": _maybe(Flag(), False, "bias of the convolution"),
    "state_format": _maybe(Text(), "fp32", "number format of the recurrent state"),
    "conv_format": _maybe(Text(), "bf16", "number format of the convolution's inputs"),
}, State)  # fmt: skip

MLP = Block({
    "width": _count("of the inner layer"),
    "matrices": _maybe(Number(whole=True, minimum=2, maximum=3), 3, "3 = gated, 2 = plain"),
    "bias": _maybe(Flag(), False, "of each matrix"),
}, Mlp)  # fmt: skip

MOE = Block({
    "experts": _count("routed experts"),
    "top_k": _count("that a token uses"),
    "expert_width": _count("of a routed expert"),
    "shared_width": _maybe(_COUNT_OR_0, 0, "of all shared experts together"),
    "matrices": _maybe(Number(whole=True, minimum=2, maximum=3), 3, "3 = gated, 2 = plain"),
    "bias": _maybe(Flag(), False, "of each matrix"),
    "router_bias": _maybe(Flag(), False, "of the router"),
    "shared_gate": _maybe(Flag(), False, "gates the shared experts"),
    "latent_dim": _maybe(_COUNT, None, "width that routed experts work in"),
}, _moe)  # fmt: skip

GROUP = Block({
    "count": _count("layers of this shape"),
    "attention": _maybe(ATTENTION, None, "softmax attention"),
    "state": _maybe(STATE, None, "linear attention or state space"),
    "mlp": _maybe(MLP, None, "dense feed-forward"),
    "moe": _maybe(MOE, None, "routed experts"),
    "norm_parameters": _maybe(_COUNT_OR_0, -1, "of one layer; two scales of the hidden width unless stated"),
    "extra_parameters": _maybe(_COUNT_OR_0, 0, "of one layer, in no other component; `notes` says what"),
    "parallel": _maybe(Flag(), False, "attention and feed-forward side by side"),
}, LayerGroup)  # fmt: skip

MODEL = Block({
    "extends": _maybe(Text(), "", "id of the model whose values hold where this entry states none"),
    "name": Field(Text(), about="as people write it"),
    "aliases": _maybe(Many(Text()), (), "other names; case and punctuation do not matter"),
    "hf_id": _maybe(Text(), "", "on the Hugging Face hub"),
    "family": _maybe(Text(), "", "the file's name unless stated"),
    "hidden": _maybe(_COUNT, None, "width of the residual stream"),
    "vocab": _maybe(_COUNT, None, "rows of the embedding"),
    "tied_embeddings": _maybe(Flag(), None, "the head is the embedding"),
    "position_embeddings": _maybe(_COUNT_OR_0, None, "learned positions; 0 = rotary or none"),
    "max_context_tokens": _maybe(_COUNT, None, "longest sequence"),
    "layers": _maybe(Many(GROUP), None, "groups of layers of the same shape"),
    "final_norm_parameters": _maybe(_COUNT_OR_0, None, "one scale of the hidden width unless stated"),
    "extra_parameters": _maybe(_COUNT_OR_0, None, "outside layers, in no other component; `notes` says what"),
    "checkpoint_formats": _maybe(Table(Text(), COMPONENTS), None, 'number format by component; "" = the rest'),
    "mtp_layers": _maybe(_COUNT_OR_0, None, "multi-token-prediction layers, which counts leave out"),
    "published": _maybe(Table(Number(positive=True), ("total", "active")), None, "counts that the makers state"),
    "notes": _maybe(Text(), None, "conflicts, conditions, what is left out"),
})  # fmt: skip
