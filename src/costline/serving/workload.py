"""The requests of a workload: lengths, arrivals, what prompts share, and tenants, as arrays for the simulator.

Plain values in: numbers, mappings and a trace that was read. Knows no scenario, no engine and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.errors import InputError
from costline.quantities import Array, as_array
from costline.serving.arrivals import Load, Process, arrival_times_s, arrivals_under_s, staged_load
from costline.serving.lengths import (
    UNPAIRED,
    LengthDistribution,
    Pairing,
    draw_together,
    empirical,
    fixed,
    lognormal,
    normal,
)
from costline.serving.prefixes import chosen_prefixes, repeated_prompts
from costline.serving.requests import Requests, grouped_prefixes
from costline.serving.sessions import turn_requests
from costline.serving.traces.trace import Trace

Lengths = float | Mapping[str, Any] | Sequence[float] | Array | LengthDistribution
"""A number, {mean, p95 | cv | sd}, measured lengths, or a distribution."""
_SPREADS = ("p95", "cv", "sd")


@dataclass(frozen=True)
class Tenant:
    """A group of users with a share of the requests, relative to the others, and lengths of its own where given."""

    share: float = 1.0
    input_tokens: Lengths | None = None
    output_tokens: Lengths | None = None


@dataclass(frozen=True)
class Arriving:
    """How requests come: a rate, stages of (rate, seconds), a load, or so many in flight; and how many, or how long."""

    process: Process | Literal["trace"] = "poisson"
    cv: float = 1.0
    """Of gamma and Weibull gaps."""
    request_rate: float | None = None
    stages: Sequence[tuple[float, float]] | None = None
    load: Load | None = None
    """A rate that changes over the time it covers."""
    concurrency: float | None = None
    count: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Sharing:
    """What prompts have in common: a start, and how few distinct prompts there are."""

    shared_tokens: float = 0.0
    cached_tokens: float = 0.0
    """Start that is in the cache from the second request on; the longer of the two counts."""
    distinct_prompts: int | None = None
    block_tokens: int = 16
    """Of the cache: of the start only whole blocks are shared, what is left belongs to the prompt that follows."""

    @property
    def start_tokens(self) -> int:
        """The start in whole blocks."""
        return int(max(self.shared_tokens, self.cached_tokens) // self.block_tokens) * self.block_tokens


_ALONE = Sharing()


def requests_of(
    input_tokens: Lengths,
    output_tokens: Lengths,
    arriving: Arriving,
    rng: Generator,
    *,
    sharing: Sharing = _ALONE,
    tenants: Sequence[Tenant] = (),
    pairing: Pairing = UNPAIRED,
) -> Requests:
    """The requests of a workload whose lengths are drawn; arrivals are drawn first, then lengths, then prompts.

    Prompts that come again have lengths of their own: `pairing` is for those that do not.
    """
    if arriving.process == "trace":
        raise InputError("arrivals=trace needs a trace to replay; name the file in workload.trace")
    arrival_s, stage = times_of(arriving, rng)
    count = arrival_s.size
    groups = tenants or (Tenant(),)
    shares = as_array([tenant.share for tenant in groups])
    tenant = rng.choice(len(groups), count, p=shares / np.sum(shares)) if tenants else np.zeros(count, np.int64)
    inputs = [lengths_of(one.input_tokens if one.input_tokens is not None else input_tokens) for one in groups]
    outputs = [lengths_of(one.output_tokens if one.output_tokens is not None else output_tokens) for one in groups]
    shared = sharing.start_tokens
    if sharing.distinct_prompts is None:
        drawn, answers = _lengths_by_tenant(inputs, outputs, tenant, rng, pairing=pairing)
        prompts = np.maximum(drawn, shared + 1)
        group = np.zeros(count, np.int64)
        prefixes = grouped_prefixes(group, np.full(count, shared)) if shared else None
    else:
        answers = _by_tenant(outputs, tenant, rng)
        distinct = sharing.distinct_prompts
        known = np.concatenate([np.maximum(one.draw(distinct, rng), shared + 1) for one in inputs])
        prompt = tenant * distinct + rng.integers(0, distinct, count)
        prompts, prefixes = known[prompt], repeated_prompts(known, prompt, shared_tokens=shared)
    return Requests(
        arrival_s=arrival_s,
        input_tokens=prompts.astype(np.int64),
        output_tokens=answers.astype(np.int64),
        prefixes=prefixes,
        tenant=tenant if tenants else None,
        stage=stage,
    )


def times_of(arriving: Arriving, rng: Generator) -> tuple[Array, NDArray[np.int32] | None]:
    """When requests come, inf in a closed loop, and the stage in which each does."""
    count, process = arriving.count, arriving.process
    if process == "trace":
        raise InputError("arrivals=trace needs a trace to replay; name the file in workload.trace")
    if arriving.stages is not None:
        load = staged_load(arriving.stages)
        times_s = arrivals_under_s(load, process, rng, cv=arriving.cv)[:count]
        return times_s, load.stage(times_s)
    if arriving.load is not None:
        return arrivals_under_s(arriving.load, process, rng, cv=arriving.cv)[:count], None
    if arriving.concurrency is not None:
        return np.full(_counted(count, "concurrency"), np.inf), None
    if process == "at_once":
        return np.zeros(_counted(count, "arrivals=at_once")), None
    if arriving.request_rate is None:
        raise InputError("workload has no load; give request_rate, stages, concurrency, arrivals=at_once or a trace")
    if count is None:
        if arriving.duration_s is None:
            raise InputError("workload has neither requests nor duration_s; give one of them")
        load = staged_load([(arriving.request_rate, arriving.duration_s)])
        return arrivals_under_s(load, process, rng, cv=arriving.cv), None
    times_s = arrival_times_s(process, arriving.request_rate, count, rng, cv=arriving.cv)
    return times_s if arriving.duration_s is None else times_s[times_s <= arriving.duration_s], None


def lengths_of(given: Lengths) -> LengthDistribution:
    """The distribution that a number, {mean, p95 | cv | sd} or measured lengths stand for.

    >>> lengths_of(512).mean, lengths_of({"mean": 1000, "p95": 2500}).kind, lengths_of([3, 5]).mean
    (512.0, 'lognormal', 4.0)
    """
    if isinstance(given, LengthDistribution):
        return given
    if isinstance(given, Mapping):
        spread = {name: float(given[name]) for name in _SPREADS if given.get(name) is not None}
        unknown = sorted(set(given) - {"mean", *_SPREADS})
        if unknown or "mean" not in given or len(spread) > 1:
            raise InputError(f"lengths {dict(given)!r:.100} must be mean with one of p95, cv and sd; correct them")
        mean = float(given["mean"])
        if not spread:
            return fixed(mean)
        return normal(mean, sd=spread["sd"]) if "sd" in spread else lognormal(mean, **spread)
    if isinstance(given, int | float):
        return fixed(float(given))
    return empirical(as_array(given))


def requests_of_trace(trace: Trace, arriving: Arriving, rng: Generator) -> Requests:
    """The requests of a trace: replayed at its times, or its prompts and answers in its order at other times.

    Replayed, `request_rate` stretches its times to another rate. More requests than the trace has are drawn from it
    at random, without its conversations. Turns of conversations without times wait for the answer before them.
    """
    if arriving.process == "trace":
        return _replayed(trace, arriving)
    if arriving.count is None and arriving.duration_s is None and arriving.stages is None and arriving.load is None:
        arriving = replace(arriving, count=trace.requests)
    if trace.session is not None and not trace.timed:
        return _conversations(trace, trace.session, arriving, rng)
    times_s, stage = times_of(arriving, rng)
    count, known = times_s.size, trace.requests
    chosen = np.arange(count) if count <= known else rng.integers(0, known, count)
    return replace(_requests(trace, chosen, times_s), stage=stage, session=None)


def _replayed(trace: Trace, arriving: Arriving) -> Requests:
    if not trace.timed:
        raise InputError(f"trace {trace.path} says not when requests came; give workload.arrivals and request_rate")
    if arriving.stages is not None or arriving.load is not None or arriving.concurrency is not None:
        said = "has times of its own; give arrivals other than trace for stages, a day's swing or a concurrency"
        raise InputError(f"trace {trace.path} {said}")
    if arriving.count is not None and arriving.count > trace.requests:
        raise InputError(
            f"requests={arriving.count:,} is more than the {trace.requests:,} of trace {trace.path}; lower it, or "
            "give arrivals other than trace to draw from them"
        )
    times_s = trace.arrival_s
    if arriving.request_rate is not None:
        span = float(times_s[-1])
        if not span > 0:
            raise InputError(
                f"trace {trace.path}: all requests come at one time, so request_rate has nothing to stretch"
            )
        times_s = times_s * ((trace.requests - 1) / span / arriving.request_rate)
    chosen = np.arange(arriving.count or trace.requests)
    if arriving.duration_s is not None:
        chosen = chosen[times_s[chosen] <= arriving.duration_s]
    return _requests(trace, chosen, times_s[chosen])


def _conversations(trace: Trace, session: NDArray[np.int64], arriving: Arriving, rng: Generator) -> Requests:
    """Conversations begin at the times of the workload; each counts its turns."""
    count = min(arriving.count or trace.requests, trace.requests)
    first = np.flatnonzero(np.diff(session[:count], prepend=-1))
    if arriving.concurrency is not None:
        raise InputError(f"trace {trace.path} holds conversations; give a request_rate at which they begin")
    starts, _ = times_of(replace(arriving, count=first.size), rng)
    number = np.cumsum(np.diff(session[:count], prepend=session[0]) != 0)
    kept = number < starts.size
    inputs, outputs = (np.maximum(values[:count][kept], 1.0) for values in (trace.input_tokens, trace.output_tokens))
    return turn_requests(starts, number[kept], inputs, outputs, np.zeros(int(kept.sum())))


def _requests(trace: Trace, chosen: NDArray[np.int64], times_s: Array) -> Requests:
    inputs, outputs = (
        np.maximum(values[chosen], 1.0).astype(np.int64) for values in (trace.input_tokens, trace.output_tokens)
    )
    prefixes = None if trace.prefixes is None else chosen_prefixes(trace.prefixes, chosen)
    session = None if trace.session is None else trace.session[chosen]
    stage = None if trace.stage is None else trace.stage[chosen]
    return Requests(times_s, inputs, outputs, prefixes, session=session, stage=stage)


def _lengths_by_tenant(
    inputs: Sequence[LengthDistribution],
    outputs: Sequence[LengthDistribution],
    tenant: NDArray[np.int64],
    rng: Generator,
    *,
    pairing: Pairing,
) -> tuple[Array, Array]:
    """Prompts and answers, those of a tenant drawn together."""
    if pairing == UNPAIRED:
        answers = _by_tenant(outputs, tenant, rng)
        return _by_tenant(inputs, tenant, rng), answers
    prompts, answers = np.zeros(tenant.size), np.zeros(tenant.size)
    for number, (one, other) in enumerate(zip(inputs, outputs, strict=True)):
        mine = tenant == number
        prompts[mine], answers[mine] = draw_together(one, other, int(np.count_nonzero(mine)), rng, pairing=pairing)
    return prompts, answers


def _by_tenant(lengths: Sequence[LengthDistribution], tenant: NDArray[np.int64], rng: Generator) -> Array:
    tokens = np.zeros(tenant.size)
    for number, one in enumerate(lengths):
        mine = tenant == number
        tokens[mine] = one.draw(int(np.count_nonzero(mine)), rng)
    return tokens


def _counted(count: int | None, load: str) -> int:
    if count is None:
        raise InputError(f"{load} has no end; give workload.requests")
    return count
