"""Layers put on one another: which kind each layer is, where experts stand, windows.

Knows the ways in which configurations say it. Knows no single family.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from costline.catalog.hugging_face_fields import Fields, missing, wrong
from costline.catalog.hugging_face_parts import depth_of, hidden_of, mlp_of
from costline.catalog.records import Attention, LayerGroup, Moe

FULL, WINDOW, CHUNK, STATE = "full_attention", "sliding_attention", "chunked_attention", "linear_attention"


@dataclass(frozen=True)
class Stack:
    """The layers of a model one by one, and what lies outside them."""

    layers: list[LayerGroup]
    tied: bool = False
    """Default of `tie_word_embeddings`."""
    final_norm: int | None = None
    """None = one scale of the hidden width."""
    extra_parameters: int = 0
    position_embeddings: int = 0
    notes: tuple[str, ...] = ()


def kinds_of(f: Fields, default: list[str], allowed: tuple[str, ...] = (FULL, WINDOW, CHUNK)) -> list[str]:
    """Kind of each layer: `layer_types` if stated, else `default`."""
    stated = f.items("layer_types", str, depth_of(f))
    for kind in stated or []:
        if kind not in allowed:
            raise wrong("layer_types", kind, f"one of {', '.join(allowed)} in this architecture")
    return stated or default


def every(f: Fields, step: int, common: str, rare: str = FULL) -> list[str]:
    """`rare` at each `step`-th layer, `common` elsewhere."""
    return [common if (i + 1) % step else rare for i in range(depth_of(f))]


def sparse_layers(f: Fields) -> list[bool]:
    """Which layers have routed experts, by any of the ways in which configurations say it."""
    depth = depth_of(f)
    kinds = f.items("mlp_layer_types", str, depth)
    if kinds is not None:
        return [kind != "dense" for kind in kinds]
    flags = f.items("moe_layer_freq", int, depth) if isinstance(f.values.get("moe_layer_freq"), list) else None
    if flags is not None:
        return [bool(flag) for flag in flags]
    if f.has("first_k_dense_replace", "moe_layer_freq"):
        first = f.count("first_k_dense_replace", default=0, least=0)
        step = f.count("moe_layer_freq", default=1)
        return [i >= first and i % step == 0 for i in range(depth)]
    step = f.count("decoder_sparse_step", default=1)
    dense = set(f.items("mlp_only_layers", int) or [])
    return [i not in dense and (i + 1) % step == 0 for i in range(depth)]


def with_windows(f: Fields, attention: Attention, kinds: list[str]) -> list[Attention]:
    """Attention of each layer, with the window or chunk that its kind says."""
    window = f.optional_count("sliding_window") if WINDOW in kinds else None
    chunk = f.optional_count("attention_chunk_size") if CHUNK in kinds else None
    if WINDOW in kinds and window is None:
        raise missing("sliding_window")
    if CHUNK in kinds and chunk is None:
        raise missing("attention_chunk_size")
    by_kind = {
        FULL: attention,
        WINDOW: replace(attention, window_tokens=window),
        CHUNK: replace(attention, chunk_tokens=chunk),
    }
    return [by_kind[kind] for kind in kinds]


def even(f: Fields, attention: Attention, kinds: list[str]) -> Stack:
    """Layers alike but for their windows, with dense blocks."""
    return stack(f, with_windows(f, attention, kinds))


def stack(
    f: Fields, attentions: list[Attention], moe: Moe | None = None, dense_width: str = "", norms: int = 2
) -> Stack:
    """Layers of the given attention, with experts where the configuration puts them, else a dense block."""
    sparse = sparse_layers(f) if moe else [False] * len(attentions)
    names = (dense_width,) if dense_width else ()
    mlp = None if all(sparse) else mlp_of(f, *names)
    group = LayerGroup(1, norm_parameters=norms * hidden_of(f))
    return Stack([
        replace(group, attention=one, moe=moe if routed else None, mlp=None if routed else mlp)
        for one, routed in zip(attentions, sparse, strict=True)
    ])  # fmt: skip


def one_window(f: Fields) -> list[str]:
    """A window on all layers, unless it is no shorter than the longest context."""
    window = f.optional_count("sliding_window")
    longest = f.optional_count("max_position_embeddings")
    local = window is not None and (longest is None or window < longest)
    return kinds_of(f, [WINDOW if local else FULL] * depth_of(f))


def qwen_windows(f: Fields) -> list[str]:
    """Windows from `max_window_layers` upwards, where they are switched on."""
    depth = depth_of(f)
    if not f.flag("use_sliding_window", default=False) or not f.has("sliding_window"):
        return kinds_of(f, [FULL] * depth)
    first = f.count("max_window_layers", default=0, least=0)
    return kinds_of(f, [WINDOW if i >= first else FULL for i in range(depth)])
