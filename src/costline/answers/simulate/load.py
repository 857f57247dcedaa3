"""The requests of a scenario's workload, drawn with its seed or replayed from its trace. Knows no engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from costline.answers.workload_block import Arrivals, Lengths, WorkloadBlock
from costline.errors import InputError
from costline.serving.arrivals import Process
from costline.serving.prefixes import repeated_prompts
from costline.serving.requests import Requests
from costline.serving.workload import Arriving, Sharing, Tenant, lengths_of, requests_of, requests_of_trace

USUAL_REQUESTS = 4000
"""Requests where the scenario does not say: p99 then has 40 values beyond it."""
MOST_DRAWN = 20_000_000
ROUNDS = 20
"""A closed loop is run for at least so many requests a client."""


@dataclass(frozen=True)
class Stage:
    """A stretch of the run with one rate."""

    rate: float
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Drawn:
    """The requests of one run."""

    requests: Requests
    stages: tuple[Stage, ...]
    """Those of the scenario; empty where it gives none."""
    concurrency: int | None
    tenants: tuple[str, ...]
    steady: bool
    """Its length is ours to choose, so the first requests, which find an empty service, are left out."""
    notes: tuple[str, ...] = ()
    """What was left out or assumed of a trace."""


def drawn_requests(work: WorkloadBlock, idle_clients: int, block_tokens: int) -> Drawn:
    """The requests of a workload; without any load given, `idle_clients` of them are in flight at all times.

    Of a common start only whole blocks are shared; what is left of it belongs to the next block, which differs.
    """
    arriving, steady = _arriving(work, idle_clients)
    _check_count(work)
    rng = np.random.default_rng(work.seed)
    stages = _stages(work)
    clients = None if arriving.concurrency is None else math.ceil(arriving.concurrency)
    if work.trace is not None:
        from costline.answers.simulate.trace_lengths import trace_of

        trace = trace_of(work.trace)
        requests = requests_of_trace(trace, arriving, rng)
        return Drawn(requests, stages, clients, (), steady=False, notes=trace.notes)
    tenants = [Tenant(one.share, _plain(one.input_tokens), _plain(one.output_tokens)) for one in work.tenants or ()]
    prefix = work.prefix
    shared, cached = (tokens // block_tokens * block_tokens for tokens in (prefix.shared_tokens, prefix.cached_tokens))
    sharing = Sharing(shared, cached, prefix.distinct_prompts)
    inputs, outputs = _plain(work.input_tokens), _plain(work.output_tokens)
    assert inputs is not None
    assert outputs is not None
    requests = requests_of(inputs, outputs, arriving, rng, sharing=sharing, tenants=tenants)
    if prefix.distinct_prompts is not None and prefix.order == "in_turn" and not tenants:
        requests = _in_turn(requests, inputs, int(shared), prefix.distinct_prompts, rng)
    if not len(requests):
        raise InputError("the workload sends no request in its time; raise its rate or duration_s")
    return Drawn(requests, stages, clients, tuple(one.name for one in work.tenants or ()), steady)


def _in_turn(
    requests: Requests, lengths: float | dict[str, float], shared: int, distinct: int, rng: Generator
) -> Requests:
    """The same requests with the distinct prompts one after another, over and over."""
    known = np.maximum(lengths_of(lengths).draw(distinct, rng), shared + 1)
    prompt = np.arange(len(requests)) % distinct
    prefixes = repeated_prompts(known, prompt, shared_tokens=shared)
    return replace(requests, input_tokens=known[prompt].astype(np.int64), prefixes=prefixes)


def _arriving(work: WorkloadBlock, idle_clients: int) -> tuple[Arriving, bool]:
    """How requests come, and whether the length of the run is ours to choose."""
    process, cv = _process(work)
    count, usual = work.requests, USUAL_REQUESTS
    if work.stages is not None:
        pairs = [(one.rate, one.duration_s) for one in work.stages]
        return Arriving(process, cv, stages=pairs, count=count), False
    open_end = count is None and work.duration_s is None
    if work.trace is not None and work.concurrency is None:
        return Arriving(process, cv, request_rate=work.request_rate, count=count, duration_s=work.duration_s), False
    if work.request_rate is not None or process == "at_once":
        if open_end or (process == "at_once" and count is None):
            count = usual
        return Arriving(process, cv, request_rate=work.request_rate, count=count, duration_s=work.duration_s), open_end
    clients = max(work.concurrency or idle_clients, 1)
    count = count or max(usual, ROUNDS * math.ceil(clients))
    return Arriving(process, cv, concurrency=clients, count=count), open_end


def _process(work: WorkloadBlock) -> tuple[Process, float]:
    if isinstance(work.arrivals, Arrivals):
        return "gamma", work.arrivals.cv
    replayed = work.trace is not None and work.arrivals == "poisson" and "arrivals" not in work.model_fields_set
    return ("trace" if replayed else work.arrivals), 1.0  # type: ignore[return-value]


def _plain(lengths: float | Lengths | None) -> float | dict[str, float] | None:
    """Lengths as the workload takes them; those with a 95th percentile are log-normal."""
    if not isinstance(lengths, Lengths):
        return lengths
    return {"mean": lengths.mean} if lengths.p95 is None else {"mean": lengths.mean, "p95": lengths.p95}


def _stages(work: WorkloadBlock) -> tuple[Stage, ...]:
    blocks = work.stages or []
    starts = np.concatenate([[0.0], np.cumsum([one.duration_s for one in blocks])])
    return tuple(Stage(one.rate, float(start), one.duration_s) for one, start in zip(blocks, starts, strict=False))


def _check_count(work: WorkloadBlock) -> None:
    expected = sum(one.rate * one.duration_s for one in work.stages or ())
    if work.request_rate is not None and work.duration_s is not None and work.requests is None:
        expected = work.request_rate * work.duration_s
    expected = min(expected, work.requests) if work.requests and expected else work.requests or expected
    if expected > MOST_DRAWN:
        raise InputError(
            f"the workload asks for about {expected:,.0f} requests, more than {MOST_DRAWN:,} in one simulation; "
            "shorten it"
        )
