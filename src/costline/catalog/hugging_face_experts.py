"""Families with routed experts and softmax attention: from their `config.json` to layers.

Knows what sets each family apart: where experts stand, shared experts, selectors, windows.
"""

from __future__ import annotations

from dataclasses import replace

from costline.catalog.hugging_face_fields import Fields
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
from costline.catalog.hugging_face_stack import (
    CHUNK,
    FULL,
    WINDOW,
    Stack,
    every,
    kinds_of,
    one_window,
    qwen_windows,
    stack,
    with_windows,
)
from costline.catalog.records import Indexer, LayerGroup


def mixtral(f: Fields) -> Stack:
    """Mixtral: experts in every layer."""
    attentions = with_windows(f, attention_of(f, qkv_bias=False, output_bias=False), one_window(f))
    return stack(f, attentions, moe_of(f, width=f.count("intermediate_size")))


def mixtral_like(f: Fields) -> Stack:
    """Experts by the common fields, for architectures that are not known."""
    shared = f.count("shared_expert_intermediate_size", default=0, least=0)
    if not shared and f.has("n_shared_experts", "num_shared_experts"):
        shared = shared_width_of(f)
    return stack(f, with_windows(f, attention_of(f), one_window(f)), moe_of(f, shared_width=shared))


def qwen2_moe(f: Fields) -> Stack:
    """Qwen 1.5 and 2 with experts: a gated shared expert."""
    attention = attention_of(f, qkv_bias=f.flag("qkv_bias", default=True), output_bias=False)
    shared = f.count("shared_expert_intermediate_size", default=0, least=0)
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared, shared_gate=shared > 0)
    return stack(f, with_windows(f, attention, qwen_windows(f)), moe)


def qwen3(f: Fields) -> Stack:
    """Qwen 3, dense or with experts: norms on each head's queries and keys."""
    attentions = with_windows(f, attention_of(f, qk_norm="head"), qwen_windows(f))
    if not f.has(*EXPERTS):
        return stack(f, attentions)
    return stack(f, attentions, moe_of(f, width=f.count("moe_intermediate_size")))


def minimax_m2(f: Fields) -> Stack:
    """MiniMax M2: norms over all queries and all keys, small experts."""
    attention = attention_of(f, qkv_bias=False, output_bias=False, qk_norm="full")
    return stack(f, [attention] * depth_of(f), moe_of(f, width=f.count("intermediate_size")))


def minimax_m3(f: Fields) -> Stack:
    """MiniMax M3: block-sparse attention with a selector beyond the first layers, one shared expert."""
    full = attention_of(f, qkv_bias=False, output_bias=False, qk_norm="head")
    sparse, depth = f.inner("sparse_attention_config"), depth_of(f)
    frequency = sparse.items("sparse_attention_freq", int, depth)
    kinds = f.items("layer_types", str, depth)
    picked = [bool(x) for x in frequency] if frequency else [k == "minimax_m3_sparse" for k in kinds or [FULL] * depth]
    blocks = sparse.count("sparse_topk_blocks", default=f.count("index_topk_blocks", default=16))
    indexer = Indexer(
        heads=sparse.count("sparse_num_index_heads", default=f.count("index_n_heads", default=4)),
        head_dim=sparse.count("sparse_index_dim", default=f.count("index_head_dim", default=128)),
        top_k=blocks * sparse.count("sparse_block_size", default=f.count("index_block_size", default=128)),
        head_weights=False,
    )
    attentions = [replace(full, indexer=indexer) if pick else full for pick in picked]
    moe = moe_of(f, width=f.count("intermediate_size"), shared_width=f.count("shared_intermediate_size"))
    return stack(f, attentions, moe, "dense_intermediate_size")


def gpt_oss(f: Fields) -> Stack:
    """gpt-oss: windows in every other layer, biases everywhere, attention sinks."""
    attention = attention_of(f, qkv_bias=True, output_bias=True, sinks=True)
    attentions = with_windows(f, attention, kinds_of(f, every(f, 2, WINDOW)))
    moe = moe_of(f, width=f.count("intermediate_size"), bias=True, router_bias=True)
    return stack(f, attentions, moe)


def llama4(f: Fields) -> Stack:
    """Llama 4: chunked attention except where there is no rotation, experts in each or every other layer."""
    depth = depth_of(f)
    rotated = f.items("no_rope_layers", int, depth)
    step = f.count("no_rope_layer_interval", default=4)
    default = every(f, step, CHUNK) if rotated is None else [CHUNK if on else FULL for on in rotated]
    attentions = with_windows(f, attention_of(f), kinds_of(f, default))
    width, stride = f.count("intermediate_size"), f.count("interleave_moe_layer_step", default=1)
    sparse = set(f.items("moe_layers", int) or range(stride - 1, depth, stride))
    mlp, moe = mlp_of(f, "intermediate_size_mlp"), moe_of(f, width=width, shared_width=width)
    layers = [
        LayerGroup(1, one, mlp=None if i in sparse else mlp, moe=moe if i in sparse else None)
        for i, one in enumerate(attentions)
    ]
    return Stack([replace(one, norm_parameters=2 * hidden_of(f)) for one in layers])


def glm4_moe(f: Fields) -> Stack:
    """GLM-4.5, 4.6: grouped-query attention, dense first layers, a shared expert."""
    norm = "head" if f.flag("use_qk_norm", default=False) else "none"
    attention = attention_of(f, output_bias=False, qk_norm=norm)
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared_width_of(f))
    return stack(f, [attention] * depth_of(f), moe)


def mimo_v2(f: Fields) -> Stack:
    """MiMo V2: windowed layers with twice the key-value heads and attention sinks, values narrower than keys."""
    bias = f.flag("attention_bias", default=False)
    full = attention_of(f, value_dim=f.count("v_head_dim"), qkv_bias=bias, output_bias=False)
    wide = f.count("swa_num_key_value_heads", default=2 * full.kv_heads)
    local = replace(
        full,
        kv_heads=wide,
        head_dim=f.count("swa_head_dim", default=full.head_dim),
        value_dim=f.count("swa_v_head_dim", default=full.value_dim),
        window_tokens=f.count("sliding_window", "sliding_window_size"),
        sinks=f.flag("add_swa_attention_sink_bias", default=True),
    )
    pattern = f.items("hybrid_layer_pattern", int, depth_of(f))
    default = every(f, 6, WINDOW) if pattern is None else [WINDOW if local else FULL for local in pattern]
    if pattern is None:
        default[0] = FULL
    attentions = [local if kind == WINDOW else full for kind in kinds_of(f, default)]
    return stack(f, attentions, moe_of(f, width=f.count("moe_intermediate_size")))


def deepseek(f: Fields) -> Stack:
    """DeepSeek V2, V3, V3.2, Kimi K2, GLM-5: latent attention, dense first layers, shared experts; maybe a selector."""
    depth = depth_of(f)
    attentions = [latent_of(f)] * depth
    if f.has("index_topk"):
        indexer = Indexer(f.count("index_n_heads"), f.count("index_head_dim"), f.count("index_topk"))
        shared = replace(indexer, shared=True)
        attentions = [replace(one, indexer=indexer if own else shared) for one, own in
                      zip(attentions, _own_indexers(f), strict=True)]  # fmt: skip
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared_width_of(f))
    return stack(f, attentions, moe)


def _own_indexers(f: Fields) -> list[bool]:
    """Which layers select for themselves; the others reuse the selection of the last one that did."""
    depth = depth_of(f)
    kinds = f.items("indexer_types", str, depth)
    if kinds is not None:
        return [kind == "full" for kind in kinds]
    step = f.count("index_topk_freq", default=1)
    offset = f.count("index_skip_topk_offset", default=2, least=0)
    return [max(i - offset + 1, 0) % step == 0 for i in range(depth)]
