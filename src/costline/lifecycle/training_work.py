"""Exact work of training a given architecture: every matrix and every attention score, forward, backward, recomputed.

Knows layers through `architecture`. Knows no chip and no money.
"""

from __future__ import annotations

from typing import Literal

from costline.architecture.operations import Formats, Segment, forward_costs
from costline.architecture.sharding import layout
from costline.catalog.records import Model
from costline.quantities import Array, Numeric, as_array

Recompute = Literal["none", "selective", "full"]
BACKWARD_OVER_FORWARD = 2
"""A matrix product has two gradients of the same work: by its input and by its weight."""


def forward_flop_per_token(model: Model, sequence_tokens: Numeric, *, only: str = "") -> Array:
    """Work of a forward pass over a training sequence, for each of its tokens.

    Equation
        f = Σ_operations F_i(S) / S

    Parameters
        model            -           record  the architecture
        sequence_tokens  S  [token]  array   >= 1, whole sequences with logits at every position
        only             -           text    name of the one operation that counts (empty = all)

    Returns
        f  [FLOP/token]  array

    Holds when  attention is causal and masked scores are skipped; norms, rotations and softmax are free.
    Source      [scaling-book] ch. 4; operations as in [transformers]
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> llama = find_model("llama-3-70b")
    >>> round(float(forward_flop_per_token(llama, 8192)) / (2 * 69_501_714_432), 3)
    1.077
    """
    tokens = as_array(sequence_tokens)
    batch = (Segment(as_array(1.0), tokens, as_array(0.0), tokens),)
    costs = forward_costs(model, batch, layout(), Formats({"": "bf16"}))
    counted = [cost.flop * cost.count for cost in costs if only in ("", cost.name)]
    return sum(counted, start=as_array(0.0)) / tokens


def model_training_flop(model: Model, tokens: Numeric, sequence_tokens: Numeric) -> Array:
    """Work of training a given architecture, without what is computed twice to save memory.

    Equation
        F = 3 f(S) D

    Parameters
        model            -           record  the architecture
        tokens           D  [token]  array   >= 0
        sequence_tokens  S  [token]  array   >= 1, length of a training sequence

    Returns
        F  [FLOP]  array

    Holds when  every weight is trained.
    Source      [narayanan-2021] appendix; [chowdhery-2022] appendix B
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> round(float(model_training_flop(find_model("gpt-3-175b"), 300e9, 2048)) / 1e23, 3)
    3.186
    """
    return (1 + BACKWARD_OVER_FORWARD) * forward_flop_per_token(model, sequence_tokens) * tokens


def recomputed_share(model: Model, sequence_tokens: Numeric, recompute: Recompute = "none") -> Array:
    """Work that activation checkpointing adds, over the work of training without it.

    Equation
        ρ = 0                    nothing recomputed
        ρ = f_scores / (3 f)     attention scores only
        ρ = 1 / 3                everything

    Parameters
        model            -           record  the architecture
        sequence_tokens  S  [token]  array   >= 1
        recompute        -           choice  none, selective or full

    Returns
        ρ  [1]  array

    Holds when  each checkpointed operation runs forward once more.
    Source      [korthikanti-2022] section 5
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> [round(float(recomputed_share(find_model("gpt-3-175b"), 2048, x)), 3) for x in ("none", "selective", "full")]
    [0.0, 0.005, 0.333]
    """
    whole = (1 + BACKWARD_OVER_FORWARD) * forward_flop_per_token(model, sequence_tokens)
    again = {
        "none": 0.0 * whole,
        "selective": forward_flop_per_token(model, sequence_tokens, only="attention"),
        "full": whole / (1 + BACKWARD_OVER_FORWARD),
    }
    return again[recompute] / whole
