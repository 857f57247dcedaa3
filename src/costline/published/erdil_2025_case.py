"""Erdil 2025: what the compiled search is given, as tuples of floats and flat arrays.

Knows the shape of a model, a GPU and a point of the search for compiled code. Computes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Protocol = tuple[float, float, float, float]
Protocols = tuple[Protocol, Protocol, Protocol]
"""Tuples, not an array: the compiled code would count references to an array at every call."""


class Work(NamedTuple):
    """What one forward pass of a model must do, in floats for the compiled search."""

    layers: float
    d_model: float
    d_ff: float
    up: float
    down: float
    experts: float
    active_experts: float
    sparsity: float
    heads: float
    kv_heads: float
    head_dim: float
    attention_dim: float
    kv_latent: float
    query_latent: float
    weight_bytes: float
    activation_bytes: float
    unembedding: float
    feedforward_parameters: float
    active_parameters: float
    weights_bytes: float
    kv_bytes_per_position: float


class Rates(NamedTuple):
    """What one GPU sustains, and the collective protocols of its network."""

    flop_per_s: float
    hbm_bytes_per_s: float
    hbm_bytes: float
    intra_bytes_per_s: float
    inter_bytes_per_s: float
    node: float
    kernel_s: float
    is_ring: bool
    protocols: Protocols
    """One row a protocol: s per further rank, s per doubling of nodes, s to start, usable bandwidth."""


class Case(NamedTuple):
    """One model on one GPU, and how the code of the day searches."""

    model: Work
    gpu: Rates
    scale_downs: int
    """How many log-spaced attention scale-downs from 1 to the GPUs of a stage; 1 tries none."""
    is_earlier: bool
    """Whether to compute as the code of 2025-05-22 does (Table 5)."""


class Point(NamedTuple):
    """Where to search: an instance and what it is given."""

    n_gpu: float
    batch: float
    context: float
    new_tokens: float


class Stage(NamedTuple):
    """One pipeline degree at one point."""

    stages: float
    gpus: float
    """GPUs of one stage."""
    micro: float
    """Sequences of one micro-batch."""
    columns: float
    """Tokens of one micro-batch."""
    token_bytes: float
    """One activation per token of a micro-batch."""
    expert_groups: float
    ff_group: float
    """GPUs that share one expert."""


class Link(NamedTuple):
    """The GPUs of one collective."""

    ranks: float
    nodes: float
    doublings: float
    """log2 of the nodes."""


class Points(NamedTuple):
    """Flat arrays of points, the latency to beat at each, and where to write the least."""

    n_gpu: Array
    batch: Array
    context: Array
    new_tokens: Array
    stage_row: NDArray[np.int64]
    stages: Array
    """Pipeline degrees to try, ascending from 1, by `stage_row`."""
    limit_s: Array
    least_s: Array
