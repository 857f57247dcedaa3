"""What fits on a device: weights, cache, states, the engine's reserve; the largest batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from costline.architecture.formats import bytes_per_weight
from costline.architecture.kv_cache import kv_bytes_per_sequence, kv_bytes_per_token_per_device
from costline.architecture.sharding import Layout, layer_parameters_per_device, stage_share
from costline.catalog.records import Chip, EngineMemory, Model
from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def weight_bytes_per_device(model: Model, weights: Mapping[str, str], where: Layout) -> Array:
    """Weights on the fullest device of a replica.

    Equation
        B = ceil(L / p) / L Σ_groups n Σ_i P_i(t, d) w_i + V d_model / t (w_head + [p = 1 and untied] w_embedding)

    Parameters
        model    -  record
        weights  -  table   number format w_i by component (key "" = the rest)
        where    -  record  degrees t, p, d as arrays

    Returns
        B  [byte]  array, the broadcast shape of the degrees

    Holds when  pipeline stages hold whole layers, as even as possible; the last stage has the head.
    Source      [derived]; weights that engines log per device agree within 3 %
    Raises      nothing

    >>> from costline.architecture.sharding import layout
    >>> from costline.catalog.models import find_model
    >>> round(float(weight_bytes_per_device(find_model("llama-3.1-70b"), {"": "fp8"}, layout(tp=8))) / 1e9, 2)
    8.82
    """
    width = {name: bytes_per_weight(weights.get(name, weights[""])) for name in ("embedding", "head")}
    body = as_array(0.0)
    for group in model.layers:
        for component, count in layer_parameters_per_device(group, model.hidden, where).items():
            body = body + group.count * count * bytes_per_weight(weights.get(component, weights[""]))
    table = as_array(model.vocab * model.hidden) / where.tp
    rows = (model.vocab + model.position_embeddings) * model.hidden / where.tp * width["embedding"]
    alone = rows if model.tied_embeddings else rows + table * width["head"]
    ends = np.where(where.pp > 1, np.maximum(rows, table * width["head"]), alone)
    return body * stage_share(model, where.pp) + ends


def pool_bytes(
    chip: Chip, engine: EngineMemory, weight_bytes: Array, tp: Array, fraction: float | None = None
) -> Array:
    """Device memory that an engine gives to the cache.

    Equation
        M = u f M_visible - B - R(t), or u (f M_visible - B - R(t)) where the engine shares out what is free

    Parameters
        chip          -        record  M_visible
        engine        -        record  memory fraction u and what it is of, free share before loading f, reserve R
        weight_bytes  B  [byte]  array
        tp            t  [1]     array
        fraction      u  [1]     scalar or None = the engine's default

    Returns
        M  [byte]  array; negative where the weights do not fit

    Holds when  activations and graphs lie in the reserve.
    Source      [kwon-2023]; fitted on KV pools that engines logged (calibration/engines.yml)
    Raises      DomainError if the fraction is not in (0, 1]

    >>> from costline.catalog.find import chip, engine
    >>> pool = pool_bytes(chip("h100-sxm"), engine("vllm"), as_array(8.82e9), as_array(8))
    >>> 55e9 < float(pool) < 65e9
    True
    """
    share = engine.memory_fraction if fraction is None else fraction
    if not 0 < share <= 1:
        raise DomainError(f"memory_utilization={share} must lie in (0, 1]; 0.9 is usual")
    reserve = np.where(tp > 1, engine.reserve_parallel_bytes, engine.reserve_single_bytes)
    free = engine.visible_before_load * chip.visible_memory_bytes
    if engine.fraction_of == "rest":
        return share * (free - weight_bytes - reserve)
    return share * free - weight_bytes - reserve


def kv_share_of_pool(model: Model, engine: EngineMemory) -> float:
    """Share of the pool that keys and values may use: an engine may set part of it aside for layer states."""
    has_states = any(group.state is not None for group in model.layers)
    has_attention = any(group.attention is not None for group in model.layers)
    return 1.0 / (1.0 + engine.state_pool_ratio) if has_states and has_attention else 1.0


def kv_capacity_tokens(model: Model, pool: Array, kv_format: str, where: Layout) -> Array:
    """Tokens whose cache fits into the pools of one replica, every layer keeping every token.

    Equation
        N = d p M / κ_t

    Parameters
        model      -         record
        pool       M [byte]  array   of one device
        kv_format  -         text    number format of a cached value
        where      -         record  degrees: d groups hold different sequences, p stages different layers

    Returns
        N  [token]  array; 0 where nothing fits, inf for a model without a growing cache

    Holds when  the allocator gives every layer the same number of pages.
    Source      [kwon-2023]
    Raises      nothing

    >>> from costline.architecture.sharding import layout
    >>> from costline.catalog.models import find_model
    >>> float(kv_capacity_tokens(find_model("llama-3.1-70b"), as_array(163840e3), "int8", layout(tp=8)))
    8000.0
    """
    token = kv_bytes_per_token_per_device(model, kv_format, where.tp)
    per_stage = token * stage_share(model, where.pp)
    room = np.maximum(pool, 0.0) * where.dp
    return np.where(per_stage > 0, room / np.where(per_stage > 0, per_stage, 1.0), np.inf)


def max_batch(model: Model, pool: Array, kv_format: str, *, context_tokens: Numeric, where: Layout) -> Array:
    """Sequences of `context_tokens` that fit into one replica at once.

    Equation
        B = d floor(M / (S growing + Σ min(S, cap) capped + fixed))

    Parameters
        model           -             record
        pool            M [byte]      array   of one device
        kv_format       -             text    number format of a cached value
        context_tokens  S [token]     array   >= 0
        where           -             record  degrees

    Returns
        B  [1]  array; 0 where not even one fits

    Holds when  every sequence reaches S at once: no preemption. Windows and chunks keep only what they see.
    Source      [kwon-2023]; [scaling-book] ch. 7
    Raises      nothing

    >>> from costline.architecture.sharding import layout
    >>> from costline.catalog.models import find_model
    >>> model, pool = find_model("llama-3-70b"), as_array((8 * 16e9 - 70e9) / 8)
    >>> float(max_batch(model, pool, "int8", context_tokens=8192, where=layout(tp=8)))
    43.0
    """
    each = kv_bytes_per_sequence(model, context_tokens, kv_format, tp=where.tp) * stage_share(model, where.pp)
    room = np.maximum(pool, 0.0)
    return where.dp * np.where(each > 0, np.floor(room / np.where(each > 0, each, 1.0)), np.inf)


def attention_workspace_bytes(
    batch: Numeric, heads: Numeric, new_tokens: Numeric, bytes_per_score: Numeric = 2
) -> Array:
    """Score matrix of one layer if attention is not computed in tiles.

    Equation
        B = b H S² w

    Parameters
        batch            b  [1]      array
        heads            H  [1]      array
        new_tokens       S  [token]  array
        bytes_per_score  w  [byte]   array

    Returns
        B  [byte]  array

    Holds when  scores are materialised; tiled attention needs only b H S numbers.
    Source      [scaling-book] ch. 8
    Raises      nothing

    >>> round(float(attention_workspace_bytes(32, 64, 8192)) / 1e9)
    275
    """
    return as_array(batch) * heads * as_array(new_tokens) ** 2 * bytes_per_score
