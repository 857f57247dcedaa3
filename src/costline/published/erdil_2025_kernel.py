"""Erdil 2025: the compiled search for the fastest layout at each (GPU count, batch).

Knows the study's forward-pass time of one candidate (layout, pipeline degree, attention scale-down) and takes
the least over all of them, skipping those that cannot win. Knows no model by name and no money.

A candidate takes kernel + network + max(memory, arithmetic). The last term does not depend on the layout and
does not fall with the scale-down, the network term is never negative: so kernel + max(...) bounds every
candidate that follows from below, and the collectives, three quarters of the work, are timed only where that
bound beats the best candidate found. `_SLACK` keeps rounding from discarding a winner. All compiled functions
stand in this one file because Numba's cache notices changes to the file of the function called and to no other.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit  # type: ignore[import-untyped]

from costline.published.erdil_2025_case import Case, Link, Point, Points, Rates, Stage, Work

_SLACK = 1 - 1e-12
KERNELS_PER_LAYER = 4

_compiled: Any = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def square_link(group: float, gpu: Rates) -> Link:
    """All GPUs of a group in one collective, as few nodes as hold them."""
    nodes = 1.0 if gpu.is_ring else math.ceil(group / gpu.node)
    return Link(group, nodes, math.log2(nodes) if nodes > 1.0 else 0.0)


@_compiled
def edge_link(link: Link) -> Link:
    """One row of the group laid out as a square."""
    return Link(math.sqrt(link.ranks), math.sqrt(link.nodes), 0.5 * link.doublings)


@_compiled
def collective_s(link: Link, sent_bytes: float, hops: float, gpu: Rates) -> float:
    """The cheapest protocol's time; `hops` is 2 for an all-reduce and 1 for an exchange, which is duplex."""
    ranks, nodes, doublings = link
    if ranks <= 1.0:
        return 0.0
    per_node = ranks / nodes - 1.0
    intra = nodes * max(0.0, per_node) * sent_bytes / (ranks * gpu.intra_bytes_per_s)
    inter = (nodes - 1.0) * sent_bytes / (ranks * gpu.inter_bytes_per_s)
    if gpu.is_ring:
        intra = per_node * sent_bytes / (ranks * gpu.inter_bytes_per_s)
    bandwidth = max(intra, inter) * 0.5 * hops
    best = math.inf
    for per_rank_s, per_doubling_s, start_s, usable in gpu.protocols:
        latency = hops * (per_rank_s * per_node + per_doubling_s * doublings) + start_s
        best = min(best, latency + bandwidth / usable)
    return best


@_compiled
def _hop_s(sent_bytes: float, gpu: Rates) -> float:
    """Handing activations to the next pipeline stage: always a hop between nodes."""
    link = Link(2.0, 1.0, 0.0) if gpu.is_ring else Link(2.0, 2.0, 1.0)
    return collective_s(link, sent_bytes, 1.0, gpu)


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
def attention_bytes(columns: float, group: float, case: Case) -> float:
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
def feedforward_bytes(columns: float, group: float, case: Case) -> float:
    """One layer's experts, by the expected part of them that any token is routed to."""
    model = case.model
    used = 1.0 if model.sparsity == 1.0 else 1.0 - (1.0 - 1.0 / model.sparsity) ** columns
    matrices = used * model.experts * (model.up + model.down)
    return matrices * _matmul_bytes(model.d_model, model.d_ff, columns / model.sparsity, group, case)


@_compiled
def _attention_network_s(link: Link, is_2d: bool, token_bytes: float, case: Case) -> float:
    """All-reduces of one layer's attention."""
    model, gpu = case.model, case.gpu
    if not is_2d:
        return collective_s(link, model.d_model * token_bytes, 2.0, gpu)
    edge = edge_link(link)
    share = token_bytes / (link.ranks / edge.ranks)
    out = collective_s(edge, model.d_model * share, 2.0, gpu)
    return out + collective_s(edge, model.head_dim * (model.kv_heads + model.heads) * share, 2.0, gpu)


@_compiled
def _feedforward_network_s(stage: Stage, link: Link, is_2d: bool, case: Case) -> float:
    """All-reduces of one layer's experts; the study multiplies the words by the active experts."""
    model, gpu = case.model, case.gpu
    edge = edge_link(link) if is_2d else link
    share = model.active_experts * stage.token_bytes / (stage.gpus / edge.ranks)
    total = collective_s(edge, model.down * model.d_model * share, 2.0, gpu)
    if is_2d:
        total += collective_s(edge, model.up * model.d_ff * share, 2.0, gpu)
    return total


@_compiled
def _feedforward_networks_s(stage: Stage, case: Case) -> tuple[float, float]:
    """All layers, two-dimensional and one-dimensional."""
    link = square_link(stage.ff_group, case.gpu)
    layers = case.model.layers
    return (
        layers * _feedforward_network_s(stage, link, True, case),
        layers * _feedforward_network_s(stage, link, False, case),
    )


@_compiled
def _expert_network_s(stage: Stage, case: Case) -> float:
    """Dispatch and combine of all layers."""
    model, gpu = case.model, case.gpu
    if model.experts == 1.0:
        return 0.0
    ranks = min(model.active_experts, stage.expert_groups)
    copies = model.active_experts if case.is_earlier else ranks
    sent_bytes = model.d_model * stage.token_bytes * copies / stage.gpus
    return 2.0 * model.layers * collective_s(square_link(ranks, gpu), sent_bytes, 1.0, gpu)


@_compiled
def _fixed_s(stage: Stage, case: Case) -> float:
    """Kernel launches, pipeline hops and expert exchanges: what neither layout nor scale-down changes."""
    kernels = KERNELS_PER_LAYER * case.model.layers * case.gpu.kernel_s
    hop = _hop_s(case.model.d_model * stage.token_bytes / stage.gpus, case.gpu)
    return kernels + (stage.stages - 1.0) * hop + _expert_network_s(stage, case)


@_compiled
def flop(point: Point, model: Work) -> tuple[float, float]:
    """Arithmetic of experts and attention scores together, and of everything else."""
    sequences = point.batch * point.new_tokens
    scores = 4.0 * model.attention_dim * model.heads * model.layers * point.context * sequences
    experts = 2.0 * model.feedforward_parameters / model.sparsity * sequences
    return experts + scores, (2.0 * model.active_parameters * sequences + scores) - experts - scores


@_compiled
def fits(point: Point, stages: float, case: Case) -> bool:
    """Whether weights and KV cache fit; the later code counts the cache of one micro-batch only."""
    held = point.batch if case.is_earlier else point.batch / stages
    kv_bytes = case.model.kv_bytes_per_position * point.context * held
    return point.n_gpu * case.gpu.hbm_bytes >= kv_bytes + case.model.weights_bytes


@_compiled
def stage_of(point: Point, stages: float, model: Work) -> Stage:
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
    spread_flop, projection_flop = flop(point, model)
    read_bytes = model.kv_bytes_per_position * point.context * stage.micro + model.weight_bytes * model.unembedding
    read_bytes += model.layers * feedforward_bytes(stage.columns, stage.ff_group, case)
    growth = stage.gpus ** (1.0 / (case.scale_downs - 1)) if case.scale_downs > 1 else 1.0
    scale, ff_network = 1.0, (math.inf, math.inf)
    for step in range(case.scale_downs):
        group = stage.gpus / scale
        projections = model.layers * scale * attention_bytes(stage.columns, group, case)
        memory = stage.stages * (read_bytes + projections) / (point.n_gpu * gpu.hbm_bytes_per_s)
        arithmetic = (spread_flop + scale * projection_flop) / (point.n_gpu * gpu.flop_per_s)
        floor = fixed + max(memory, arithmetic)
        if floor * _SLACK >= best:
            return best
        if step == 0:
            ff_network = _feedforward_networks_s(stage, case)
        if floor + min(ff_network) < best:
            link = square_link(group, gpu)
            for layout in range(2):
                network = _attention_network_s(link, layout == 0, stage.token_bytes, case)
                best = min(best, floor + ff_network[layout] + model.layers * network)
        scale *= growth
    return best


@_compiled
def fill_least_latency_s(points: Points, start: int, stop: int, case: Case) -> None:
    """Write the least latency below the limit of points `start` to `stop`, infinite where there is none."""
    for index in range(start, stop):
        point = Point(points.n_gpu[index], points.batch[index], points.context[index], points.new_tokens[index])
        best = points.limit_s[index]
        for stages in points.stages[points.stage_row[index]]:
            if stages <= min(point.n_gpu, point.batch) and fits(point, stages, case):
                best = _least_of_stage_s(point, stage_of(point, stages, case.model), best, case)
        points.least_s[index] = best if best < points.limit_s[index] else math.inf
