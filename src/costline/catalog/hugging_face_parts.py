"""The parts of a layer that families share, read from a `config.json`: attention, latent attention, feed-forward.

Knows Hugging Face's names of sizes. Knows no single family and no order of layers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from costline.catalog.hugging_face_fields import MAX_LAYERS, Fields, wrong
from costline.catalog.records import Attention, Latent, Mlp, Moe

HEADS = ("num_attention_heads", "n_head", "n_heads")
HIDDEN = ("hidden_size", "n_embd", "d_model")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers")
WIDTH = ("intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim")
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
TOP_K = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k", "moe_topk")


def hidden_of(f: Fields) -> int:
    """Width of the residual stream."""
    return f.count(*HIDDEN)


def depth_of(f: Fields) -> int:
    """Number of layers."""
    return f.count(*LAYERS, most=MAX_LAYERS)


def head_dim_of(f: Fields) -> int:
    """Width of a head: stated, or the hidden width over the heads."""
    if f.has("head_dim"):
        return f.count("head_dim")
    hidden, heads = hidden_of(f), f.count(*HEADS)
    if hidden % heads:
        raise wrong("head_dim", None, f"stated, since {heads} heads do not divide hidden_size={hidden}")
    return hidden // heads


def attention_of(f: Fields, *, kv_names: tuple[str, ...] = ("num_key_value_heads",), **options: Any) -> Attention:
    """Grouped-query attention from the common fields; `options` are fields of the record."""
    heads = f.count(*HEADS)
    dim = options.pop("head_dim", None) or head_dim_of(f)
    groups = options.pop("kv_heads", None) or f.count(*kv_names, default=heads)
    if heads % groups:
        raise wrong(kv_names[0], groups, f"a divisor of the {heads} attention heads")
    bias = f.flag("attention_bias", default=False)
    one = Attention(heads=heads, kv_heads=groups, head_dim=dim, value_dim=dim, qkv_bias=bias, output_bias=bias)
    return replace(one, **options)


def latent_of(f: Fields) -> Attention:
    """Multi-head latent attention from DeepSeek's fields."""
    heads = f.count(*HEADS)
    latent = Latent(
        q_rank=f.optional_count("q_lora_rank"),
        kv_rank=f.count("kv_lora_rank"),
        nope_dim=f.count("qk_nope_head_dim"),
        rope_dim=f.count("qk_rope_head_dim"),
    )
    bias = f.flag("attention_bias", default=False)
    return Attention(
        heads=heads,
        kv_heads=heads,
        head_dim=latent.nope_dim + latent.rope_dim,
        value_dim=f.count("v_head_dim"),
        latent=latent,
        qkv_bias=bias,
        output_bias=bias,
    )


def mlp_of(f: Fields, *names: str, matrices: Literal[2, 3] = 3, default: Any = None, bias: bool | None = None) -> Mlp:
    """A dense feed-forward block."""
    width = f.count(*(names or WIDTH), default=default) if default else f.count(*(names or WIDTH))
    return Mlp(width, matrices, f.flag("mlp_bias", default=False) if bias is None else bias)


def moe_of(f: Fields, *, width: int | None = None, shared_width: int = 0, **options: Any) -> Moe:
    """Routed experts from the common fields; `options` are fields of the record."""
    experts, top_k = f.count(*EXPERTS), f.count(*TOP_K)
    if top_k > experts:
        raise wrong(TOP_K[0], top_k, f"at most the number of experts, {experts}")
    one = Moe(experts, top_k, width or f.count("moe_intermediate_size", *WIDTH), shared_width)
    return replace(one, **options)


def shared_width_of(f: Fields) -> int:
    """Widths of all shared experts together, in DeepSeek's fields."""
    number = f.count("n_shared_experts", "num_shared_experts", default=0, least=0)
    return number * f.count("moe_intermediate_size")
