"""Bytes that a sequence keeps on a device: keys and values, latents, selector keys, states that do not grow.

Knows the shapes of layers and number formats. Knows no engine: no pages, no pools, no reserve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.architecture.sharding import cached_heads, kv_head_share
from costline.catalog.records import Attention, LayerGroup, Model, State
from costline.quantities import Array, as_array

INDEXER_FORMAT = "fp8"
INDEXER_SCALE_BYTES = 4
INDEXER_GROUP = 128
"""A selector's key is stored in fp8 with a 4-byte scale for every 128 values, whatever the format of the cache."""


@dataclass(frozen=True)
class KvParts:
    """What one sequence keeps on one device, apart by how it grows with the context."""

    growing_bytes_per_token: Array
    """Layers that keep every token."""
    capped_bytes_per_token: tuple[tuple[int, Array], ...]
    """Layers that keep at most so many tokens (window or chunk): the cap, and bytes per token below it."""
    fixed_bytes: Array
    """Recurrent and convolution states."""


def layer_kv_bytes_per_token(attention: Attention, kv_format: str) -> float:
    """Bytes that one token adds to the cache of one layer, on one device that holds all its heads.

    Equation
        κ = K (h + v) w                      key-value heads
        κ = (r_kv + r_rope) w                latent
        κ = K h w                            one vector for key and value
        plus d_i (1 + 4 / 128) for a selector's key

    Parameters
        attention  -  record  K key-value heads of h (values v); latent rank r_kv and rotary part r_rope
        kv_format  -  text    number format of w bytes a value

    Returns
        κ  [byte/token]  scalar; 0 for a layer that reads another one's cache

    Holds when  scales of a whole tensor are not counted; the selector's keys are fp8 whatever the cache's format.
    Source      [kwon-2023]; [deepseek-v2] section 2.1; [serving-logs] for the selector's 132 bytes
    Raises      UnknownIdError if the format is not known

    >>> layer_kv_bytes_per_token(Attention(heads=64, kv_heads=8, head_dim=128, value_dim=128), "bf16")
    4096.0
    """
    return _vector_values(attention) * bytes_per_weight(kv_format) + _indexer_bytes(attention)


def layer_state_bytes(state: State) -> float:
    """Bytes that one sequence keeps in one layer with a fixed state, on one device that holds all its heads.

    Equation
        B = H k v w_state + c (w - 1) w_conv,  c = 2 G k + H v

    Parameters
        state  -  record  H value heads of v, G key heads (groups) of k, convolution of width w (0 = none)

    Returns
        B  [byte]  scalar

    Holds when  the engine keeps one state a sequence; copies for speculation or prefix reuse come on top.
    Source      [transformers] qwen3_next, nemotron_h
    Raises      UnknownIdError if a format is not known

    >>> layer_state_bytes(State("gated_delta", 16, 64, 128, 128, conv_width=4))
    4268032.0
    """
    recurrent = state.value_heads * state.key_dim * state.value_dim * bytes_per_weight(state.state_format)
    channels = 2 * state.key_heads * state.key_dim + state.value_heads * state.value_dim
    kept = channels * max(state.conv_width - 1, 0)
    return recurrent + kept * bytes_per_weight(state.conv_format)


def kv_bytes_per_token(model: Model, kv_format: str = "bf16") -> float:
    """Bytes that one token adds to the cache of all layers while the context is below every window.

    Equation
        κ = Σ_groups n κ_layer

    Parameters
        model      -  record  groups of n layers
        kv_format  -  text    number format of a cached value

    Returns
        κ  [byte/token]  scalar, all devices of a replica together if none repeats a head

    Holds when  the context is shorter than the smallest window or chunk; beyond it use `kv_bytes_per_sequence`.
    Source      [kwon-2023]; [pope-2022] section 3.3
    Raises      UnknownIdError if the format is not known

    >>> from costline.catalog.models import find_model
    >>> kv_bytes_per_token(find_model("llama-3-70b"), "int8"), kv_bytes_per_token(find_model("deepseek-v3"))
    (163840.0, 70272.0)
    """
    return float(kv_bytes_per_token_per_device(model, kv_format, 1))


def kv_bytes_per_token_per_device(model: Model, kv_format: str = "bf16", tp: object = 1) -> Array:
    """Bytes that one token adds to the cache of all layers on one device of a tensor-parallel group.

    Equation
        κ_t = Σ_groups n κ_layer max(K / t, 1) / K            (K = 1 for latent attention: every device keeps all)

    Parameters
        model      -                record  groups of n layers with K key-value heads
        kv_format  -                text    number format of a cached value
        tp         t  [1]           array   >= 1

    Returns
        κ_t  [byte/token]  array, the shape of `tp`

    Holds when  engines repeat a key-value head once t exceeds K, and the latent and selector keys on every device.
    Source      [kwon-2023]; [deepseek-v2] section 2.1
    Raises      UnknownIdError if the format is not known

    >>> from costline.catalog.models import find_model
    >>> [float(x) for x in kv_bytes_per_token_per_device(find_model("qwen3.5-397b-a17b"), "bf16", [1, 2, 4])]
    [30720.0, 15360.0, 15360.0]
    """
    parts = kv_parts(model, kv_format, tp)
    return parts.growing_bytes_per_token + sum((rate for _, rate in parts.capped_bytes_per_token), start=as_array(0.0))


def kv_parts(model: Model, kv_format: str = "bf16", tp: object = 1) -> KvParts:
    """What one sequence keeps on one device of a tensor-parallel group, apart by how it grows with the context.

    Equation
        growing  Σ n κ_layer share(t)               layers without window; for pooled layers κ_layer / rate
        capped   the same by window or chunk
        fixed    Σ n B_state / t

    Parameters
        model      -       record  groups of n layers
        kv_format  -       text    number format of a cached value
        tp         t  [1]  array   >= 1

    Returns
        growing  [byte/token]  array, the shape of `tp`
        capped   [byte/token]  pairs of cap and array
        fixed    [byte]        array, the shape of `tp`

    Holds when  a chunk's keys are kept until the chunk is full; heads of a state divide over tp.
    Source      [kwon-2023]; [transformers] for windows, chunks and states
    Raises      UnknownIdError if the format is not known

    >>> from costline.catalog.models import find_model
    >>> parts = kv_parts(find_model("gpt-oss-120b"), "bf16")
    >>> float(parts.growing_bytes_per_token), [(cap, float(rate)) for cap, rate in parts.capped_bytes_per_token]
    (36864.0, [(128, 36864.0)])
    """
    ways = as_array(tp)
    growing, fixed = np.zeros_like(ways), np.zeros_like(ways)
    capped: dict[int, Array] = {}
    for group in model.layers:
        if group.state is not None:
            fixed = fixed + group.count * layer_state_bytes(group.state) / ways
        if group.attention is None:
            continue
        cap, rate, pooled = _layer_parts(group, group.attention, kv_format)
        share = kv_head_share(cached_heads(group.attention), ways)
        growing = growing + (pooled + (rate if cap is None else 0.0)) * share
        if cap is not None:
            capped[cap] = capped.get(cap, as_array(0.0)) + rate * share
    return KvParts(growing, tuple(sorted(capped.items())), fixed)


def kv_bytes_per_sequence(
    model: Model, context_tokens: object, kv_format: str = "bf16", *, tp: object = 1
) -> Array:
    """Bytes that one sequence of `context_tokens` keeps on one device of a tensor-parallel group.

    Equation
        B = S growing + Σ_caps min(S, cap) capped + fixed

    Parameters
        model           -           record  groups of layers
        context_tokens  S  [token]  array   >= 0
        kv_format       -           text    number format of a cached value
        tp              t  [1]      array   >= 1

    Returns
        B  [byte]  array, the broadcast shape of `context_tokens` and `tp`

    Holds when  the engine frees what lies behind a window (some paged allocators keep all tokens of all layers).
    Source      [kwon-2023]; [transformers] for windows, chunks and states
    Raises      UnknownIdError if the format is not known

    >>> from costline.catalog.models import find_model
    >>> float(kv_bytes_per_sequence(find_model("llama-3-8b"), 8192, "int8"))
    536870912.0
    """
    parts, context = kv_parts(model, kv_format, tp), as_array(context_tokens)
    windows = sum((np.minimum(context, cap) * rate for cap, rate in parts.capped_bytes_per_token), as_array(0.0))
    return context * parts.growing_bytes_per_token + windows + parts.fixed_bytes


def _layer_parts(group: LayerGroup, attention: Attention, kv_format: str) -> tuple[int | None, float, float]:
    """A group's cap (None = keeps all), its bytes a token below the cap, and its pooled bytes a token."""
    caps = [cap for cap in (attention.window_tokens, attention.chunk_tokens) if cap is not None]
    values = _vector_values(attention) * bytes_per_weight(kv_format)
    selector = _indexer_bytes(attention)
    if attention.compressor is None:
        return (min(caps) if caps else None), group.count * (values + selector), 0.0
    pooled = (values + selector) / attention.compressor.rate
    return (min(caps) if caps else None), group.count * values, group.count * pooled


def _vector_values(attention: Attention) -> int:
    if attention.reuses_cache:
        return 0
    latent = attention.latent
    if latent is not None:
        return latent.kv_rank + latent.rope_dim
    return attention.kv_heads * (attention.head_dim + (0 if attention.cached_once else attention.value_dim))


def _indexer_bytes(attention: Attention) -> float:
    indexer = attention.indexer
    if indexer is None or indexer.shared:
        return 0.0
    return indexer.head_dim * (bytes_per_weight(INDEXER_FORMAT) + INDEXER_SCALE_BYTES / INDEXER_GROUP)
