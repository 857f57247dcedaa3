"""Erdil 2025: the terms of one candidate's latency, and of the fastest one: what the compiled search adds up.

Knows one point at a time, in plain Python over the compiled counts; the search itself stands in `erdil_2025_kernel`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from costline.published import erdil_2025_kernel as kernel
from costline.published.erdil_2025_case import Case, Link, Point, Rates, Stage
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_latency import LATER, Revision, case_of, stage_degrees

Sent = tuple[str, Link, float, float, float]
"""A collective: its kind, who takes part, bytes, passes over the data (2 for an all-reduce), and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTerms:
    """One candidate: its layout, and the seconds that make up its forward pass."""

    two_d: bool
    stages: float
    gpus_per_stage: float
    expert_groups: float
    feedforward_group: float
    scale_down: float
    attention_group: float
    micro_batch: float
    kernel_s: float
    network_latency_s: float
    network_bandwidth_s: float
    memory_s: float
    arithmetic_s: float
    feedforward_bytes: float
    """Read and written by one layer for one micro-batch."""
    attention_bytes: float
    """The same of attention, before scaling down repeats it."""
    kv_bytes: float
    """Cache of one micro-batch."""

    @property
    def network_s(self) -> float:
        """Collectives and pipeline hops."""
        return self.network_latency_s + self.network_bandwidth_s

    @property
    def latency_s(self) -> float:
        """Kernels, network, and the longer of memory and arithmetic."""
        return self.kernel_s + self.network_s + max(self.memory_s, self.arithmetic_s)


def latency_terms(
    model: str,
    gpu: str,
    n_gpu: float,
    batch: float,
    context: float = 0.0,
    *,
    new_tokens: float = 1.0,
    pipeline: bool = True,
    scale_down: bool = True,
    revision: Revision = LATER,
) -> LatencyTerms | None:
    """The fastest candidate of `token_latency_s` at one point, term by term; None where nothing fits."""
    found = candidate_terms(
        model, gpu, (n_gpu, batch, context, new_tokens), pipeline=pipeline, scale_down=scale_down, revision=revision
    )
    return min(found, key=lambda terms: terms.latency_s, default=None)


def candidate_terms(
    model: str,
    gpu: str,
    shaped: tuple[float, float, float, float],
    *,
    pipeline: bool = True,
    scale_down: bool = True,
    revision: Revision = LATER,
) -> Iterator[LatencyTerms]:
    """Every candidate at one point (GPUs, batch, context, new tokens) that fits, in the order of the study's code."""
    case = case_of(find_model(model), find_gpu(gpu), scale_down=scale_down, revision=revision)
    point = Point(*(float(value) for value in shaped))
    degrees = stage_degrees(np.array([point.batch]), int(case.model.layers), pipeline=pipeline, revision=revision)
    for stages in degrees[0]:
        if stages > min(point.n_gpu, point.batch) or not kernel.fits(point, stages, case):
            continue
        stage = kernel.stage_of(point, stages, case.model)
        growth = stage.gpus ** (1.0 / (case.scale_downs - 1)) if case.scale_downs > 1 else 1.0
        scale = 1.0
        for _ in range(case.scale_downs):
            for two_d in (True, False):
                yield _terms(point, stage, scale, two_d, case)
            scale *= growth


def pinned_terms(
    model: str,
    gpu: str,
    shaped: tuple[float, float, float, float],
    *,
    two_d: bool,
    stages: float = 1.0,
    scale_down: float = 1.0,
    revision: Revision = LATER,
) -> LatencyTerms | None:
    """The candidate of one layout, pipeline degree and scale-down; None where it does not fit."""
    case = case_of(find_model(model), find_gpu(gpu), revision=revision)
    point = Point(*(float(value) for value in shaped))
    if stages > min(point.n_gpu, point.batch) or not kernel.fits(point, stages, case):
        return None
    return _terms(point, kernel.stage_of(point, stages, case.model), scale_down, two_d, case)


def _terms(point: Point, stage: Stage, scale: float, two_d: bool, case: Case) -> LatencyTerms:
    model, gpu = case.model, case.gpu
    group = stage.gpus / scale
    feedforward = kernel.feedforward_bytes(stage.columns, stage.ff_group, case)
    attention = kernel.attention_bytes(stage.columns, group, case)
    kv_bytes = model.kv_bytes_per_position * point.context * stage.micro
    read = kv_bytes + model.weight_bytes * model.unembedding + model.layers * (feedforward + scale * attention)
    spread, projection = kernel.flop(point, model)
    latency = bandwidth = 0.0
    for _, link, sent_bytes, hops, count in _collectives(stage, group, two_d, case):
        one_latency, one_bandwidth = _collective_parts_s(link, sent_bytes, hops, gpu)
        latency, bandwidth = latency + count * one_latency, bandwidth + count * one_bandwidth
    return LatencyTerms(
        two_d=two_d,
        stages=float(stage.stages),
        gpus_per_stage=stage.gpus,
        expert_groups=stage.expert_groups,
        feedforward_group=stage.ff_group,
        scale_down=scale,
        attention_group=group,
        micro_batch=stage.micro,
        kernel_s=kernel.KERNELS_PER_LAYER * model.layers * gpu.kernel_s,
        network_latency_s=latency,
        network_bandwidth_s=bandwidth,
        memory_s=stage.stages * read / (point.n_gpu * gpu.hbm_bytes_per_s),
        arithmetic_s=(spread + scale * projection) / (point.n_gpu * gpu.flop_per_s),
        feedforward_bytes=feedforward,
        attention_bytes=attention,
        kv_bytes=kv_bytes,
    )


def _collectives(stage: Stage, group: float, two_d: bool, case: Case) -> Iterator[Sent]:
    """Every collective of a pass over all stages."""
    model, gpu = case.model, case.gpu
    link, ff_link = kernel.square_link(group, gpu), kernel.square_link(stage.ff_group, gpu)
    edge, ff_edge = (kernel.edge_link(one) if two_d else one for one in (link, ff_link))
    share = stage.token_bytes / (link.ranks / edge.ranks)
    ff_share = model.active_experts * stage.token_bytes / (stage.gpus / ff_edge.ranks)
    yield "attention", edge, model.d_model * share, 2.0, model.layers
    yield "feedforward", ff_edge, model.down * model.d_model * ff_share, 2.0, model.layers
    if two_d:
        yield "attention", edge, model.head_dim * (model.kv_heads + model.heads) * share, 2.0, model.layers
        yield "feedforward", ff_edge, model.up * model.d_ff * ff_share, 2.0, model.layers
    if model.experts > 1.0:
        ranks = min(model.active_experts, stage.expert_groups)
        copies = model.active_experts if case.is_earlier else ranks
        sent = model.d_model * stage.token_bytes * copies / stage.gpus
        yield "experts", kernel.square_link(ranks, gpu), sent, 1.0, 2.0 * model.layers
    hop = Link(2.0, 1.0, 0.0) if gpu.is_ring else Link(2.0, 2.0, 1.0)
    yield "pipeline", hop, model.d_model * stage.token_bytes / stage.gpus, 1.0, stage.stages - 1.0


def _collective_parts_s(link: Link, sent_bytes: float, hops: float, gpu: Rates) -> tuple[float, float]:
    """Latency and bandwidth time of the cheapest protocol."""
    if link.ranks <= 1.0:
        return 0.0, 0.0
    total, latency = min(
        (kernel.collective_s(link, sent_bytes, hops, one), kernel.collective_s(link, 0.0, hops, one))
        for one in (gpu._replace(protocols=gpu.protocols[i : i + 1]) for i in range(len(gpu.protocols)))
    )
    return latency, total - latency
