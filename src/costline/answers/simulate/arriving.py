"""How the requests of a scenario come, and in which stretches its rate differs. Knows no lengths and no engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from costline.answers.workload_block import Arrivals, DiurnalBlock, WorkloadBlock
from costline.errors import DomainError, InputError
from costline.quantities import as_array
from costline.serving.arrivals import Process
from costline.serving.workload import Arriving

USUAL_REQUESTS = 4000
"""Requests where the scenario does not say: p99 then has 40 values beyond it."""
MOST_DRAWN = 20_000_000
ROUNDS = 20
"""A closed loop is run for at least so many requests a client."""
STRETCHES = 24
"""Of a load that swings, each with percentiles of its own: the hours of a day."""


@dataclass(frozen=True)
class Stage:
    """A stretch of the run with one rate."""

    rate: float
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Coming:
    """How the requests of a run come."""

    arriving: Arriving
    steady: bool
    """Its length is ours to choose, so the first requests, which find an empty service, are left out."""
    stages: tuple[Stage, ...] = ()


def coming(work: WorkloadBlock, idle_clients: int) -> Coming:
    """How requests come; without any load given, `idle_clients` of them are in flight at all times."""
    process, cv = _process(work)
    if work.diurnal is not None:
        found = _swinging(work, work.diurnal, Arriving(process, cv, count=work.requests))
    elif work.stages is not None:
        pairs = [(one.rate, one.duration_s) for one in work.stages]
        found = Coming(Arriving(process, cv, stages=pairs, count=work.requests), False, _stages(work))
    else:
        found = _at_one_rate(work, Arriving(process, cv, count=work.requests, duration_s=work.duration_s), idle_clients)
    _check_count(work, found)
    return found


def _at_one_rate(work: WorkloadBlock, arriving: Arriving, idle_clients: int) -> Coming:
    open_end = work.requests is None and work.duration_s is None
    if work.trace is not None and work.concurrency is None:
        return Coming(replace(arriving, request_rate=work.request_rate), False)
    if work.request_rate is not None or arriving.process == "at_once":
        count = work.requests
        if open_end or (arriving.process == "at_once" and count is None):
            count = USUAL_REQUESTS
        return Coming(replace(arriving, request_rate=work.request_rate, count=count), open_end)
    clients = max(work.concurrency or idle_clients, 1)
    count = work.requests or max(USUAL_REQUESTS, ROUNDS * math.ceil(clients))
    return Coming(replace(arriving, concurrency=clients, count=count, duration_s=None), open_end)


def _swinging(work: WorkloadBlock, block: DiurnalBlock, arriving: Arriving) -> Coming:
    """One period, or as long as is stated, in stretches of equal length."""
    rate = work.request_rate or 0.0
    duration_s = work.duration_s or block.length_s
    try:
        load = block.load(rate, duration_s)
    except DomainError as error:
        raise InputError(f"workload.diurnal: {error}") from None
    if work.requests is not None and work.requests < load.requests:
        duration_s = float(load.when_s(as_array([work.requests]))[0])
    edges = np.linspace(0.0, duration_s, STRETCHES + 1)
    each_s = duration_s / STRETCHES
    stages = tuple(
        Stage(float(rate), float(start), each_s) for rate, start in zip(load.mean_rates(edges), edges[:-1], strict=True)
    )
    return Coming(replace(arriving, load=load), False, stages)


def _process(work: WorkloadBlock) -> tuple[Process, float]:
    if isinstance(work.arrivals, Arrivals):
        return work.arrivals.gaps, work.arrivals.cv
    replayed = work.trace is not None and work.arrivals == "poisson" and "arrivals" not in work.model_fields_set
    return ("trace" if replayed else work.arrivals), 1.0  # type: ignore[return-value]


def _stages(work: WorkloadBlock) -> tuple[Stage, ...]:
    blocks = work.stages or []
    starts = np.concatenate([[0.0], np.cumsum([one.duration_s for one in blocks])])
    return tuple(Stage(one.rate, float(start), one.duration_s) for one, start in zip(blocks, starts, strict=False))


def _check_count(work: WorkloadBlock, found: Coming) -> None:
    expected = sum(one.rate * one.duration_s for one in work.stages or ())
    if found.arriving.load is not None:
        expected = found.arriving.load.requests
    elif work.request_rate is not None and work.duration_s is not None and work.requests is None:
        expected = work.request_rate * work.duration_s
    expected = min(expected, work.requests) if work.requests and expected else work.requests or expected
    if expected > MOST_DRAWN:
        raise InputError(
            f"the workload asks for about {expected:,.0f} requests, more than {MOST_DRAWN:,} in one simulation; "
            "shorten it"
        )
