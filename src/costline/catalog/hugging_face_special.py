"""Families with parts that no other has: from their `config.json` to layers.

Knows Gemma 4 (per-layer embeddings, reused caches) and DeepSeek V4 (pooled caches, hyper-connections).
"""

from __future__ import annotations

from dataclasses import replace

from costline.catalog.hugging_face_fields import Fields, wrong
from costline.catalog.hugging_face_parts import attention_of, depth_of, hidden_of, mlp_of, moe_of, shared_width_of
from costline.catalog.hugging_face_stack import WINDOW, Stack, every, kinds_of
from costline.catalog.records import Attention, Compressor, Indexer, LayerGroup, Moe

_SPARSE, _HEAVY = "compressed_sparse_attention", "heavily_compressed_attention"
_KIND_BY_RATIO = {0: WINDOW, 4: _SPARSE, 128: _HEAVY}


def gemma4(f: Fields) -> Stack:
    """Gemma 4: wide full layers among windowed ones, experts beside a dense block, embeddings for each layer."""
    hidden, depth = hidden_of(f), depth_of(f)
    kinds = kinds_of(f, every(f, 6, WINDOW))
    inner = f.count("hidden_size_per_layer_input", default=0, least=0)
    own = depth - f.count("num_kv_shared_layers", default=0, least=0, most=depth - 1)
    wide = f.flag("use_double_wide_mlp", default=False)
    mlp, moe = mlp_of(f), _gemma4_moe(f)
    layers: list[LayerGroup] = []
    for i, kind in enumerate(kinds):
        attention = replace(_gemma4_attention(f, kind), reuses_cache=i >= own)
        layers.append(
            LayerGroup(
                1,
                attention,
                mlp=replace(mlp, width=2 * mlp.width) if wide and i >= own else mlp,
                moe=moe,
                norm_parameters=hidden * (4 + (3 if moe else 0) + (1 if inner else 0)),
                extra_parameters=2 * hidden * inner + (hidden + moe.experts if moe else 0),
            )
        )
    extra = inner * (f.count("vocab_size_per_layer_input", "vocab_size") * depth + hidden * depth + 1) if inner else 0
    notes = ("extra: the router's scales",) if moe else ()
    notes += ("extra: embeddings for each layer, their projections and gates",) if inner else ()
    return Stack(layers, tied=True, extra_parameters=extra, notes=notes)


def deepseek_v4(f: Fields) -> Stack:
    """DeepSeek V4: one cached vector for keys and values, a window, pooled older entries, hyper-connections."""
    hidden, streams = hidden_of(f), f.count("hc_mult", default=4)
    gates = 2 * streams + streams * streams
    connections = 2 * (gates * streams * hidden + gates + 3)
    moe = moe_of(f, width=f.count("moe_intermediate_size"), shared_width=shared_width_of(f))
    by_kind = {kind: _v4_attention(f, kind) for kind in _KIND_BY_RATIO.values()}
    layers = [
        LayerGroup(1, by_kind[kind], moe=moe, norm_parameters=2 * hidden, extra_parameters=connections)
        for kind in _v4_kinds(f)
    ]
    head = streams * streams * hidden + streams + 1
    return Stack(layers, extra_parameters=head, notes=("extra: hyper-connections between layers",))


def _gemma4_attention(f: Fields, kind: str) -> Attention:
    if kind == WINDOW:
        return attention_of(f, qk_norm="head", window_tokens=f.count("sliding_window"))
    dim = f.count("global_head_dim", default=512)
    if not f.flag("attention_k_eq_v", default=False):
        return attention_of(f, qk_norm="head", head_dim=dim)
    groups = f.optional_count("num_global_key_value_heads")
    return attention_of(f, qk_norm="head", head_dim=dim, kv_heads=groups, values_are_keys=True)


def _gemma4_moe(f: Fields) -> Moe | None:
    if not f.flag("enable_moe_block", default=False):
        return None
    return moe_of(f, width=f.count("moe_intermediate_size"))


def _v4_kinds(f: Fields) -> list[str]:
    depth = depth_of(f)
    kinds = f.items("layer_types", str, depth)
    if kinds is None:
        ratios = f.items("compress_ratios", int, depth) or [128, 128, *([4, 128] * depth)][:depth]
        kinds = [_KIND_BY_RATIO.get(ratio, str(ratio)) for ratio in ratios]
    for kind in kinds:
        if kind not in _KIND_BY_RATIO.values():
            raise wrong("layer_types", kind, f"one of {', '.join(_KIND_BY_RATIO.values())} (compress_ratios 0, 4, 128)")
    return kinds


def _v4_attention(f: Fields, kind: str) -> Attention:
    window = attention_of(
        f,
        qkv_bias=False,
        output_bias=False,
        sinks=True,
        window_tokens=f.count("sliding_window"),
        cached_once=True,
        query_rank=f.count("q_lora_rank"),
        output_rank=f.count("o_lora_rank"),
        output_groups=f.count("o_groups"),
    )
    rates = f.inner("compress_rates")
    if kind == WINDOW:
        return window
    if kind == _HEAVY:
        return replace(window, compressor=Compressor(rates.count(_HEAVY, default=128)))
    indexer = Indexer(f.count("index_n_heads"), f.count("index_head_dim"), f.count("index_topk"))
    return replace(window, compressor=Compressor(rates.count(_SPARSE, default=4), overlap=True), indexer=indexer)
