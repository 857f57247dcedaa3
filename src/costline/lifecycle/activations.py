"""Bytes of activations that a training step keeps until the backward pass, layer by layer.

Knows the widths of a layer. Knows no weights, no optimiser and no chip.
"""

from __future__ import annotations

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.catalog.records import Attention, LayerGroup, Model
from costline.errors import DomainError
from costline.lifecycle.training_work import Recompute
from costline.quantities import Array, Numeric, as_array

_ELEMENT = bytes_per_weight("bf16")


def gpt_layer_activation_bytes(
    tokens: Numeric, sequence_tokens: Numeric, hidden: Numeric, heads: Numeric, tp: Numeric = 1
) -> Array:
    """Activations of a GPT layer: plain attention, MLP of width 4 d, dropout, 16 bit, no checkpointing.

    Equation
        A = n d (10 + 24 / t + 5 H S / (d t))

    Parameters
        tokens           n  [token]  array  >= 0, of a micro-batch
        sequence_tokens  S  [token]  array  >= 1
        hidden           d  [1]      array  > 0
        heads            H  [1]      array  >= 1
        tp               t  [1]      array  >= 1

    Returns
        A  [byte]  array, on one device

    Holds when  sequence parallelism is off; scores are kept in memory, one byte for each dropout mask.
    Source      [korthikanti-2022] equation 2
    Raises      nothing

    >>> float(gpt_layer_activation_bytes(1.0, 2048, 12288, 96)) / 12288
    114.0
    """
    width, split = as_array(hidden), as_array(tp)
    return as_array(tokens) * width * (10 + 24 / split + 5 * as_array(heads) * sequence_tokens / (width * split))


def layer_activation_bytes(
    group: LayerGroup,
    hidden: int,
    sequence_tokens: Numeric,
    *,
    tp: Numeric = 1,
    sequence_parallel: bool = True,
    recompute: Recompute = "none",
    flash: bool = True,
    dropout: bool = False,
) -> Array:
    """Activations that one layer of any shape keeps for each token, in 16 bit.

    Equation
        A = 2 d                                                           all recomputed: the layer's input
        A = r / s + c / t                                                 nothing recomputed
        r = b (4 d + m_d d)                                               inputs and outputs of norms, masks
        c = 2 (w_qkv + w_o) + 2 m f + k_s H S                             projections, scores, feed-forward
        f = width of the MLP, or k f_e + f_s with 2 k d more for tokens sent to experts
        k_s = 5 with dropout, 2 without, 0 with flash attention or selective recomputation
        b = blocks that have their own norm: attention, feed-forward (1 where they run in parallel)

    Parameters
        group              -           record  the layer: heads H, widths w, matrices m of its feed-forward
        hidden             d  [1]      scalar  width of the residual stream
        sequence_tokens    S  [token]  array   >= 1
        tp                 t  [1]      array   >= 1
        sequence_parallel  -           flag    s = t instead of 1: norms are cut along the sequence
        recompute          -           choice  none, selective or full
        flash              -           flag    scores are never stored
        dropout            -           flag    m_d = 1: one byte for each element that may be dropped; else 0

    Returns
        A  [byte/token]  array, on one device

    Holds when  a gated activation and its product are one kernel (apart they keep one width f more).
    Source      [korthikanti-2022] sections 4.1 and 4.2, which it meets for a GPT layer; checked against PyTorch
    Raises      DomainError for a layer with a fixed state

    >>> from costline.catalog.models import find_model
    >>> llama = find_model("llama-3-70b")
    >>> float(layer_activation_bytes(llama.layers[0], llama.hidden, 8192)) / 8192
    33.5
    """
    if group.state is not None:
        raise DomainError(f"layer state={group.state.kind!r} has no activation count; use a model with attention only")
    split = as_array(tp)
    residual_split = split if sequence_parallel else np.ones_like(split)
    tokens = as_array(sequence_tokens)
    if recompute == "full":
        return _ELEMENT * hidden / residual_split + 0.0 * tokens
    feed_forward = group.mlp is not None or group.moe is not None
    blocks = 1 if group.parallel else (group.attention is not None) + feed_forward
    residual, cut = blocks * hidden * (2 * _ELEMENT + (1.0 if dropout else 0.0)), as_array(0.0)
    if group.attention is not None:
        cut = cut + _ELEMENT * _attention_width(group.attention)
        stored = not flash and recompute == "none"
        cut = cut + stored * (5.0 if dropout else 2.0) * group.attention.heads * tokens
    if group.mlp is not None:
        cut = cut + _ELEMENT * group.mlp.matrices * group.mlp.width
    if group.moe is not None:
        moe = group.moe
        cut = cut + _ELEMENT * moe.matrices * (moe.top_k * moe.expert_width + moe.shared_width)
        cut = cut + 2 * _ELEMENT * moe.top_k * (moe.latent_dim or hidden)
    return residual / residual_split + cut / split


def stage_activation_bytes(
    layer_bytes: Numeric, layers: Numeric, *, pp: Numeric = 1, micro_batches: Numeric = 1, interleave: Numeric = 1
) -> Array:
    """Activations that the first pipeline stage holds at once, where they are the most.

    Equation
        A = a L / p min(m, p)                        one chunk of layers a stage
        A = a L / p min(m, p + (p - 1) / v)          v chunks

    Parameters
        layer_bytes    a  [byte]  array  of one layer and one micro-batch
        layers         L  [1]     array  of the model
        pp             p  [1]     array  >= 1
        micro_batches  m  [1]     array  >= 1, of one replica in a step
        interleave     v  [1]     array  >= 1

    Returns
        A  [byte]  array, on one device

    Holds when  each stage runs one forward, one backward in turn (1F1B) once the pipeline is full.
    Source      [korthikanti-2022] section 4.2.3; [narayanan-2021] section 2.2
    Raises      nothing

    >>> float(stage_activation_bytes(1e9, 80)), float(stage_activation_bytes(1e9, 80, pp=8, micro_batches=32))
    (80000000000.0, 80000000000.0)
    """
    stages, chunks = as_array(pp), as_array(interleave)
    in_flight = stages + np.where(chunks > 1, (stages - 1) / chunks, 0.0)
    return as_array(layer_bytes) * layers / stages * np.minimum(micro_batches, in_flight)


def model_activation_bytes(model: Model, per_layer: dict[int, Array]) -> Array:
    """Bytes of all layers from those of each group (by its place), one micro-batch.

    Equation
        A = Σ_groups n a

    Parameters
        model      -         record  groups of n layers
        per_layer  -         table   bytes a of one layer by the group's place

    Returns
        A  [byte]  array

    Holds when  groups are spread evenly over stages.
    Source      [derived]
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> float(model_activation_bytes(find_model("llama-3-70b"), {0: as_array(1.0)}))
    80.0
    """
    counted = [group.count * per_layer[place] for place, group in enumerate(model.layers)]
    return sum(counted, start=as_array(0.0))


def _attention_width(attention: Attention) -> float:
    """Width of queries, keys, values and the output of the heads (latent attention: its latents too)."""
    latent, heads = attention.latent, attention.heads
    output = heads * attention.value_dim
    if latent is None:
        keys = attention.kv_heads * (attention.head_dim + attention.value_dim)
        return heads * attention.head_dim + keys + output
    head = latent.nope_dim + latent.rope_dim
    latents = latent.kv_rank + latent.rope_dim + (latent.q_rank or 0)
    return latents + 2 * heads * head + heads * attention.value_dim + output
