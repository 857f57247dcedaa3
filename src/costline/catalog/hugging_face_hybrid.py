"""Families that mix attention with layers of fixed state: from their `config.json` to layers.

Knows Qwen3-Next and 3.5, MiniMax-Text-01, Nemotron-H and 3, Kimi Linear.
"""

from __future__ import annotations

from dataclasses import replace

from costline.catalog.hugging_face_fields import MAX_LAYERS, Fields, missing, wrong
from costline.catalog.hugging_face_parts import (
    EXPERTS,
    attention_of,
    depth_of,
    hidden_of,
    latent_of,
    mlp_of,
    moe_of,
    shared_width_of,
)
from costline.catalog.hugging_face_stack import FULL, STATE, Stack, every, kinds_of, sparse_layers
from costline.catalog.records import Attention, LayerGroup, State

_PATTERN = {"M": STATE, "E": "moe", "*": FULL, "-": "mlp"}
_BLOCK_NAMES = {"mamba": STATE, "attention": FULL}


def qwen3_next(f: Fields) -> Stack:
    """Qwen3-Next and Qwen3.5: gated delta rule, every fourth layer gated attention; dense or with experts."""
    attention = attention_of(f, output_gate=True, qk_norm="head")
    state = State(
        "gated_delta",
        key_heads=f.count("linear_num_key_heads"),
        value_heads=f.count("linear_num_value_heads"),
        key_dim=f.count("linear_key_head_dim"),
        value_dim=f.count("linear_value_head_dim"),
        conv_width=f.count("linear_conv_kernel_dim", default=4),
    )
    kinds = kinds_of(f, every(f, f.count("full_attention_interval", default=4), STATE), (FULL, STATE))
    if not f.has(*EXPERTS):
        return _mixed(f, kinds, attention, state)
    shared = f.count("shared_expert_intermediate_size", default=0, least=0)
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared, shared_gate=shared > 0)
    return _mixed(f, kinds, attention, state, LayerGroup(1, moe=moe))


def minimax(f: Fields) -> Stack:
    """MiniMax-Text-01: lightning attention with some softmax layers, experts in each."""
    attention = attention_of(f, qkv_bias=False, output_bias=False)
    heads, dim = attention.heads, attention.head_dim
    state = State("lightning", key_heads=heads, value_heads=heads, key_dim=dim, value_dim=dim)
    softmax = f.items("attn_type_list", int, depth_of(f))
    default = every(f, 2, FULL, STATE) if softmax is None else [FULL if one else STATE for one in softmax]
    moe = moe_of(f, width=f.count("intermediate_size"))
    return _mixed(f, kinds_of(f, default, (FULL, STATE)), attention, state, LayerGroup(1, moe=moe))


def kimi_linear(f: Fields) -> Stack:
    """Kimi Linear: delta attention with gates by channel, every fourth layer latent attention."""
    linear, depth = f.inner("linear_attn_config"), depth_of(f)
    heads = linear.count("num_heads", default=f.count("linear_num_heads", default=f.count("num_attention_heads")))
    dim = linear.count("head_dim", default=f.count("linear_head_dim", default=128))
    width = linear.count("short_conv_kernel_size", default=f.count("linear_conv_kernel_dim", default=4))
    state = State("kda", key_heads=heads, value_heads=heads, key_dim=dim, value_dim=dim, conv_width=width)
    full = linear.items("full_attn_layers", int)
    if full is None and not f.has("layer_types"):
        raise missing("layer_types", "linear_attn_config.full_attn_layers")
    kinds = kinds_of(f, [FULL if i + 1 in (full or ()) else STATE for i in range(depth)], (FULL, STATE))
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared_width_of(f))
    return _mixed(f, kinds, latent_of(f), state, LayerGroup(1, moe=moe))


def nemotron_h(f: Fields) -> Stack:
    """Nemotron-H and 3: each layer one block after one norm: Mamba-2, attention, feed-forward or experts."""
    norm = LayerGroup(1, norm_parameters=hidden_of(f))
    kinds = _blocks(f)
    blocks: dict[str, LayerGroup] = {}
    if FULL in kinds:
        blocks[FULL] = replace(norm, attention=attention_of(f, qkv_bias=False, output_bias=False))
    if STATE in kinds:
        blocks[STATE] = replace(norm, state=_mamba2(f), extra_parameters=_mamba2_biases(f))
    if "mlp" in kinds:
        blocks["mlp"] = replace(norm, mlp=mlp_of(f, matrices=2))
    if "moe" in kinds:
        number = f.count("n_shared_experts", default=1, least=0)
        shared = number * f.count("moe_shared_expert_intermediate_size", default=0, least=0)
        moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared)
        latent = f.optional_count("moe_latent_size")
        blocks["moe"] = replace(norm, moe=replace(moe, matrices=2, latent_dim=latent))
    return Stack([blocks[kind] for kind in kinds])


def _mixed(f: Fields, kinds: list[str], attention: Attention, state: State, sparse: LayerGroup | None = None) -> Stack:
    """Attention or state by kind, each followed by experts (`sparse`) or a dense block."""
    routed = sparse_layers(f) if sparse else [False] * len(kinds)
    dense = None if all(routed) else LayerGroup(1, mlp=mlp_of(f))
    layers: list[LayerGroup] = []
    for kind, is_routed in zip(kinds, routed, strict=True):
        feed = sparse if is_routed else dense
        assert feed is not None
        mixer = replace(feed, attention=attention) if kind == FULL else replace(feed, state=state)
        layers.append(replace(mixer, norm_parameters=2 * hidden_of(f)))
    return Stack(layers)


def _blocks(f: Fields) -> list[str]:
    """Kind of each block, from a pattern such as ``M-M*`` or a list of names."""
    pattern = f.values.get("hybrid_override_pattern")
    if pattern is not None:
        if not isinstance(pattern, str) or not pattern or set(pattern) - set(_PATTERN) or len(pattern) > MAX_LAYERS:
            raise wrong("hybrid_override_pattern", pattern, "a word of the letters M, E, * and -")
        return [_PATTERN[str(letter)] for letter in pattern]
    names: list[str] | None = f.items("layers_block_type", str) or f.items("layer_types", str)
    if names is None:
        raise missing("hybrid_override_pattern", "layers_block_type")
    kinds: list[str] = [_BLOCK_NAMES.get(name, name) for name in names]
    for kind in kinds:
        if kind not in _PATTERN.values():
            raise wrong("layers_block_type", kind, f"one of {', '.join(_PATTERN.values())}")
    return kinds


def _mamba2(f: Fields) -> State:
    return State(
        "mamba2",
        key_heads=f.count("n_groups", "mamba_n_groups", default=8),
        value_heads=f.count("mamba_num_heads"),
        key_dim=f.count("ssm_state_size"),
        value_dim=f.count("mamba_head_dim"),
        conv_width=f.count("conv_kernel", "mamba_d_conv", default=4),
        conv_bias=f.flag("use_conv_bias", "mamba_conv_bias", default=True),
    )


def _mamba2_biases(f: Fields) -> int:
    """Biases of the projections in and out, which released models do not have."""
    if not f.flag("use_bias", "mamba_proj_bias", default=False):
        return 0
    state = _mamba2(f)
    inner = state.value_heads * state.value_dim
    return 2 * inner + 2 * state.key_heads * state.key_dim + state.value_heads + hidden_of(f)
