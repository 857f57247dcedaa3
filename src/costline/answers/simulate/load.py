"""The requests of a scenario's workload, drawn with its seed or replayed from its trace. Knows no engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.answers.lengths_block import Lengths, distribution_of
from costline.answers.simulate.arriving import Coming, Stage, coming
from costline.answers.simulate.conversations import drawn_sessions
from costline.answers.simulate.trace_lengths import trace_of
from costline.answers.workload_block import WorkloadBlock
from costline.errors import InputError
from costline.quantities import Array, as_array
from costline.serving.lengths import LengthDistribution, Pairing
from costline.serving.prefixes import repeated_prompts
from costline.serving.requests import Requests
from costline.serving.workload import Sharing, Tenant, requests_of, requests_of_trace

WARM_SHARE = 0.1
"""Of a run whose length is ours to choose, the first requests are left out: the service is still filling."""


@dataclass(frozen=True)
class Drawn:
    """The requests of one run."""

    requests: Requests
    kept: NDArray[np.bool_]
    """Requests that count: all of a stated run; of one whose length is ours, those after the service has filled."""
    stages: tuple[Stage, ...] = ()
    """Those of the scenario, or the stretches of its day; empty where the rate does not change."""
    concurrency: int | None = None
    tenants: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out or assumed."""


def drawn_requests(work: WorkloadBlock, idle_clients: int, block_tokens: int) -> Drawn:
    """The requests of a workload; without any load given, `idle_clients` of them are in flight at all times.

    Of a common start only whole blocks are shared; what is left of it belongs to the next block, which differs.
    """
    come = coming(work, idle_clients)
    rng = np.random.default_rng(work.seed)
    if work.sessions is not None:
        requests, kept, at_s, notes = drawn_sessions(work, come, rng)
    elif work.trace is not None:
        trace = trace_of(work.trace)
        requests, notes = requests_of_trace(trace, come.arriving, rng), trace.notes
        kept, at_s = np.ones(len(requests), dtype=bool), requests.arrival_s
    else:
        requests, notes = _drawn(work, come, block_tokens, rng), ()
        kept, at_s = _after_warming(len(requests), come), requests.arrival_s
    if not len(requests):
        raise InputError("the workload sends no request in its time; raise its rate or duration_s")
    if come.stages and requests.stage is None:
        requests = replace(requests, stage=_stage_of(at_s, come.stages))
    clients = None if come.arriving.concurrency is None else math.ceil(come.arriving.concurrency)
    return Drawn(requests, kept, come.stages, clients, tuple(one.name for one in work.tenants or ()), notes)


def _drawn(work: WorkloadBlock, come: Coming, block_tokens: int, rng: Generator) -> Requests:
    tenants = [Tenant(one.share, _own(one.input_tokens), _own(one.output_tokens)) for one in work.tenants or ()]
    prefix = work.prefix
    shared, cached = (tokens // block_tokens * block_tokens for tokens in (prefix.shared_tokens, prefix.cached_tokens))
    sharing = Sharing(shared, cached, prefix.distinct_prompts)
    inputs, outputs = distribution_of(work.input_tokens), distribution_of(work.output_tokens)
    pairing = Pairing(work.length_correlation or 0.0, work.joint_lengths)
    found = requests_of(inputs, outputs, come.arriving, rng, sharing=sharing, tenants=tenants, pairing=pairing)
    if prefix.distinct_prompts is not None and prefix.order == "in_turn" and not tenants:
        return _in_turn(found, inputs, int(shared), prefix.distinct_prompts, rng)
    return found


def _own(lengths: float | Lengths | None) -> LengthDistribution | None:
    return None if lengths is None else distribution_of(lengths)


def _in_turn(requests: Requests, lengths: LengthDistribution, shared: int, distinct: int, rng: Generator) -> Requests:
    """The same requests with the distinct prompts one after another, over and over."""
    known = np.maximum(lengths.draw(distinct, rng), shared + 1)
    prompt = np.arange(len(requests)) % distinct
    prefixes = repeated_prompts(known, prompt, shared_tokens=shared)
    return replace(requests, input_tokens=known[prompt].astype(np.int64), prefixes=prefixes)


def _after_warming(count: int, come: Coming) -> NDArray[np.bool_]:
    kept = np.ones(count, dtype=bool)
    if come.steady and count > 1 / WARM_SHARE:
        kept[: int(WARM_SHARE * count)] = False
    return kept


def _stage_of(at_s: Array, stages: tuple[Stage, ...]) -> NDArray[np.int64]:
    """The stage in which each request comes; its end belongs to it."""
    starts = as_array([stage.start_s for stage in stages[1:]])
    return np.searchsorted(starts, at_s, side="left").astype(np.int64)
