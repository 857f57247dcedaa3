"""Erdil 2025: the compiled search for the fastest layout at each (GPU count, batch).

Knows the study's forward-pass time of one candidate (layout, pipeline degree, attention scale-down) and takes
the least over all of them, skipping those that cannot win. Knows no model by name and no money.

A candidate takes kernel + network + max(memory, arithmetic). The last term does not depend on the layout and
does not fall with the scale-down, the network term is never negative: so kernel + max(...) bounds every
candidate that follows from below, and the collectives, three quarters of the work, are timed only where that
bound beats the best candidate found. `_SLACK` keeps rounding from discarding a winner.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit  # type: ignore[import-untyped]
from numpy.typing import NDArray

_SLACK = 1 - 1e-12
_KERNELS_PER_LAYER = 4

Array = NDArray[np.float64]
_compiled: Any = njit(cache=True, nogil=True, error_model="numpy")


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
    protocols: Array
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


@_compiled
def _nodes(group: float, gpu: Rates) -> float:
    return 1.0 if gpu.is_ring else math.ceil(group / gpu.node)


@_compiled
def _collective_s(ranks: float, nodes: float, sent_bytes: float, hops: float, gpu: Rates) -> float:
    """The cheapest protocol's time; `hops` is 2 for an all-reduce and 1 for an exchange, which is duplex."""
    if ranks <= 1.0:
        return 0.0
    per_node = ranks / nodes - 1.0
    doublings = math.log2(nodes) if nodes > 1.0 else 0.0
    intra = nodes * max(0.0, per_node) * sent_bytes / (ranks * gpu.intra_bytes_per_s)
    inter = (nodes - 1.0) * sent_bytes / (ranks * gpu.inter_bytes_per_s)
    if gpu.is_ring:
        intra = per_node * sent_bytes / (ranks * gpu.inter_bytes_per_s)
    bandwidth = max(intra, inter) * 0.5 * hops
    best = math.inf
    for row in range(gpu.protocols.shape[0]):
        latency = hops * (gpu.protocols[row, 0] * per_node + gpu.protocols[row, 1] * doublings)
        best = min(best, latency + gpu.protocols[row, 2] + bandwidth / gpu.protocols[row, 3])
    return best


@_compiled
def _hop_s(sent_bytes: float, gpu: Rates) -> float:
    """Handing activations to the next pipeline stage: always a hop between nodes."""
    return _collective_s(2.0, 1.0 if gpu.is_ring else 2.0, sent_bytes, 1.0, gpu)


@_compiled
def _matmul_bytes(rows: float, inner: float, columns: float, group: float, case: Case) -> float:
    """Weights [rows x inner] and activations of `columns` columns that a group of GPUs reads and writes."""
    if case.is_earlier:
        split_in = max(1.0, group * math.sqrt(rows / inner))
        split_out = max(1.0, group * math.sqrt(inner / rows))
    else:
        split_in = min(max(math.sqrt(rows * group / inner), 1.0), group)
        split_out = group / split_in
    activations = split_in * inner * columns + split_out * rows * columns
    return rows * inner * case.model.weight_bytes + activations * case.model.activation_bytes


@_compiled
def _attention_bytes(columns: float, group: float, case: Case) -> float:
    """One layer's attention projections."""
    model = case.model
    qkv = (model.heads + model.kv_heads) * model.head_dim
    out = _matmul_bytes(model.d_model, model.heads * model.head_dim, columns, group, case)
    if model.kv_latent == 0.0:
        return _matmul_bytes(qkv, model.d_model, columns, group, case) + out
    latent = model.kv_latent + model.query_latent
    down = _matmul_bytes(latent, model.d_model, columns, group, case)
    return down + _matmul_bytes(qkv, latent, columns, group, case) + out


@_compiled
def _feedforward_bytes(columns: float, group: float, case: Case) -> float:
    """One layer's experts, by the expected part of them that any token is routed to."""
    model = case.model
    used = 1.0 if model.sparsity == 1.0 else 1.0 - (1.0 - 1.0 / model.sparsity) ** columns
    matrices = used * model.experts * (model.up + model.down)
    return matrices * _matmul_bytes(model.d_model, model.d_ff, columns / model.sparsity, group, case)


@_compiled
def _attention_network_s(group: float, is_2d: bool, token_bytes: float, case: Case) -> float:
    """All-reduces of one layer's attention."""
    model, gpu = case.model, case.gpu
    nodes = _nodes(group, gpu)
    if not is_2d:
        return _collective_s(group, nodes, model.d_model * token_bytes, 2.0, gpu)
    ranks = math.sqrt(group)
    nodes = math.sqrt(nodes)
    share = token_bytes / (group / ranks)
    out = _collective_s(ranks, nodes, model.d_model * share, 2.0, gpu)
    return out + _collective_s(ranks, nodes, model.head_dim * (model.kv_heads + model.heads) * share, 2.0, gpu)


@_compiled
def _feedforward_network_s(stage: Stage, is_2d: bool, case: Case) -> float:
    """All-reduces of one layer's experts; the study multiplies the words by the active experts."""
    model, gpu = case.model, case.gpu
    nodes = _nodes(stage.ff_group, gpu)
    ranks = math.sqrt(stage.ff_group) if is_2d else stage.ff_group
    nodes = math.sqrt(nodes) if is_2d else nodes
    share = model.active_experts * stage.token_bytes / (stage.gpus / ranks)
    total = _collective_s(ranks, nodes, model.down * model.d_model * share, 2.0, gpu)
    if is_2d:
        total += _collective_s(ranks, nodes, model.up * model.d_ff * share, 2.0, gpu)
    return total


@_compiled
def _expert_network_s(stage: Stage, case: Case) -> float:
    """Dispatch and combine of all layers."""
    model, gpu = case.model, case.gpu
    if model.experts == 1.0:
        return 0.0
    ranks = min(model.active_experts, stage.expert_groups)
    copies = model.active_experts if case.is_earlier else ranks
    sent_bytes = model.d_model * stage.token_bytes * copies / stage.gpus
    return 2.0 * model.layers * _collective_s(ranks, _nodes(ranks, gpu), sent_bytes, 1.0, gpu)


@_compiled
def _fixed_s(stage: Stage, case: Case) -> float:
    """Kernel launches, pipeline hops and expert exchanges: what neither layout nor scale-down changes."""
    kernels = _KERNELS_PER_LAYER * case.model.layers * case.gpu.kernel_s
    hop = _hop_s(case.model.d_model * stage.token_bytes / stage.gpus, case.gpu)
    return kernels + (stage.stages - 1.0) * hop + _expert_network_s(stage, case)


@_compiled
def _flop(point: Point, model: Work) -> tuple[float, float]:
    """Arithmetic of experts and attention scores together, and of everything else."""
    sequences = point.batch * point.new_tokens
    scores = 4.0 * model.attention_dim * model.heads * model.layers * point.context * sequences
    experts = 2.0 * model.feedforward_parameters / model.sparsity * sequences
    return experts + scores, (2.0 * model.active_parameters * sequences + scores) - experts - scores


@_compiled
def _fits(point: Point, stages: float, case: Case) -> bool:
    """Whether weights and KV cache fit; the later code counts the cache of one micro-batch only."""
    held = point.batch if case.is_earlier else point.batch / stages
    kv_bytes = case.model.kv_bytes_per_position * point.context * held
    return point.n_gpu * case.gpu.hbm_bytes >= kv_bytes + case.model.weights_bytes


@_compiled
def _stage(point: Point, stages: float, model: Work) -> Stage:
    micro, gpus = point.batch / stages, point.n_gpu / stages
    expert_groups = min(gpus, model.experts) if micro >= 2.0 * model.sparsity else 1.0
    columns = micro * point.new_tokens
    token_bytes = columns * model.activation_bytes
    return Stage(stages, gpus, micro, columns, token_bytes, expert_groups, max(1.0, gpus / max(1.0, expert_groups)))


@_compiled
def _least_of_stage_s(point: Point, stage: Stage, best: float, case: Case) -> float:
    """The least of `best` and every layout and scale-down of this pipeline degree."""
    model, gpu = case.model, case.gpu
    fixed = _fixed_s(stage, case)
    spread_flop, projection_flop = _flop(point, model)
    read_bytes = model.kv_bytes_per_position * point.context * stage.micro + model.weight_bytes * model.unembedding
    read_bytes += model.layers * _feedforward_bytes(stage.columns, stage.ff_group, case)
    ff_network = (math.inf, math.inf)
    log_gpus = math.log2(stage.gpus) if case.scale_downs > 1 else 0.0
    for step in range(case.scale_downs):
        scale = 1.0 if step == 0 else 2.0 ** (step * (log_gpus / (case.scale_downs - 1)))
        group = stage.gpus / scale
        attention_bytes = model.layers * scale * _attention_bytes(stage.columns, group, case)
        memory = stage.stages * (read_bytes + attention_bytes) / (point.n_gpu * gpu.hbm_bytes_per_s)
        arithmetic = (spread_flop + scale * projection_flop) / (point.n_gpu * gpu.flop_per_s)
        floor = fixed + max(memory, arithmetic)
        if floor * _SLACK >= best:
            return best
        if step == 0:
            ff_network = (
                model.layers * _feedforward_network_s(stage, True, case),
                model.layers * _feedforward_network_s(stage, False, case),
            )
        for layout in range(2):
            if floor + ff_network[layout] < best:
                network = _attention_network_s(group, layout == 0, stage.token_bytes, case)
                best = min(best, floor + ff_network[layout] + model.layers * network)
    return best


@_compiled
def fill_least_latency_s(points: Points, start: int, stop: int, case: Case) -> None:
    """Write the least latency below the limit of points `start` to `stop`, infinite where there is none."""
    for index in range(start, stop):
        point = Point(points.n_gpu[index], points.batch[index], points.context[index], points.new_tokens[index])
        best = points.limit_s[index]
        for stages in points.stages[points.stage_row[index]]:
            if stages <= min(point.n_gpu, point.batch) and _fits(point, stages, case):
                best = _least_of_stage_s(point, _stage(point, stages, case.model), best, case)
        points.least_s[index] = best if best < points.limit_s[index] else math.inf
