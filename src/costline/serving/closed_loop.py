"""Clients that each send their next request when the last one is answered: what a load generator measures.

All start at once, so that prompts come in convoys until lengths or schedules pull them apart. Given a step as tables;
knows no physics. `compiled` runs the same code through Numba, for fits that ask for thousands of loops.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from costline.quantities import Array

SEED = 3


@dataclass(frozen=True)
class StepTables:
    """Seconds of the parts of a step on rising axes (see `forward.step_parts`)."""

    tokens_at: Array
    tokens_s: Array
    sequences_at: Array
    outputs_s: Array
    context_at: Array
    decode_attention_s: Array
    """[sequences, context]"""
    prompt_at: Array
    prefill_attention_s: Array
    """[prompt, context]"""
    step_s: float
    mixed_s: float
    request_s: float


@dataclass(frozen=True)
class ClosedLoop:
    """A load of clients in a closed loop, and the settings of the engine that meet it."""

    clients: int
    input_tokens: float
    output_tokens: float
    cached_tokens: float = 0.0
    requests_per_client: int = 10
    """Load generators send about ten; the convoy of the first weighs a tenth of the mean."""
    length_spread: float = 0.1
    """Lengths are uniform within this share of their mean; 0 = all alike."""
    max_batched_tokens: float = 8192.0
    max_sequences: float = 4096.0
    prompts_first: bool = False
    """Prompts run in steps of their own before the next decode step, instead of within decode steps."""
    stream_interval: float = 1.0
    """Tokens after which an engine sends the next ones to the client."""


@dataclass(frozen=True)
class Latencies:
    """Means over all requests of a closed loop."""

    ttft_s: float
    tpot_s: float


def _between(at: float, axis: Array) -> tuple[int, float]:
    """Index of the axis point at or below, and the share of the way to the next."""
    low, high = 0, axis.size - 2
    while low < high:
        middle = (low + high + 1) // 2
        if axis[middle] <= at:
            low = middle
        else:
            high = middle - 1
    share = (at - axis[low]) / (axis[low + 1] - axis[low])
    return low, max(share, 0.0)


def _line(at: float, axis: Array, values: Array) -> float:
    i, share = _between(at, axis)
    return values[i] + share * (values[i + 1] - values[i])


def _plane(one: float, other: float, first: Array, second: Array, values: Array) -> float:
    i, across = _between(one, first)
    j, along = _between(other, second)
    low = values[i, j] + along * (values[i, j + 1] - values[i, j])
    high = values[i + 1, j] + along * (values[i + 1, j + 1] - values[i + 1, j])
    return low + across * (high - low)


def _simulate(
    clients: int, chunk: float, most: float, cached: float, prompts_first: bool, prompts: Array, answers: Array,
    tokens_at: Array, tokens_s: Array, sequences_at: Array, outputs_s: Array, context_at: Array, decode_s: Array,
    prompt_at: Array, prompt_s: Array, step_s: float, mixed_s: float, request_s: float,
) -> tuple[float, float]:
    """Mean time to the first token and mean time per further token, step by step or many like steps at a time."""
    requests = prompts.size
    started = min(clients, requests)
    arrivals = [(request_s, i) for i in range(started)]
    running = [(0, 0) for _ in range(0)]
    sent, first = np.zeros(requests), np.zeros(requests)
    queue = np.zeros(requests, dtype=np.int64)
    head, tail, begun = 0, 0, 0.0
    now, steps, count, held = 0.0, 0, 0, 0.0
    ttft, tpot, several, finished = 0.0, 0.0, 0, 0
    while finished < requests:
        while len(arrivals) > 0 and arrivals[0][0] <= now:
            queue[tail] = heapq.heappop(arrivals)[1]
            tail += 1
        takes = tail > head and count < most
        if not takes and count == 0:
            now = arrivals[0][0]
            continue
        if takes:  # one step with as many prompts as it has room for
            decoding = 0 if prompts_first else count
            space, new, ends, attention = max(chunk - decoding, 1.0), 0.0, 0, 0.0
            oldest = head
            while tail > head and space >= 1.0 and count + ends < most:
                left = prompts[queue[head]] - cached - begun
                part = min(left, space)
                shared = prompt_s[0, 0] if new > 0 else 0.0
                attention += _plane(part, cached + begun, prompt_at, context_at, prompt_s) - shared
                new += part
                space -= part
                begun += part
                if part >= left:
                    head += 1
                    ends += 1
                    begun = 0.0
            spent = step_s + mixed_s + attention + _line(new + decoding, tokens_at, tokens_s)
            if decoding + ends > 0:
                spent += _line(decoding + ends, sequences_at, outputs_s)
            if decoding > 0:
                spent += _plane(decoding, held / decoding, sequences_at, context_at, decode_s)
                steps += 1
                held += decoding
            now += spent
            for i in range(oldest, head):
                who = queue[i]
                first[who] = now
                ttft += now - sent[who]
                heapq.heappush(running, (steps + int(answers[who]) - 1, int(who)))
                count += 1
                held += prompts[who] + 1
        else:  # decode steps alike until an answer ends or a request comes
            ahead = max(running[0][0] - steps, 1)
            context = held / count
            fixed = step_s + _line(count, tokens_at, tokens_s) + _line(count, sequences_at, outputs_s)
            start = fixed + _plane(count, context, sequences_at, context_at, decode_s)
            if len(arrivals) > 0 and count < most:
                ahead = min(ahead, max(int(np.ceil((arrivals[0][0] - now) / start)), 1))
            end = fixed + _plane(count, context + ahead - 1, sequences_at, context_at, decode_s)
            now += ahead * (start + end) / 2
            steps += ahead
            held += count * ahead
        while len(running) > 0 and running[0][0] <= steps:
            who = heapq.heappop(running)[1]
            count -= 1
            held -= prompts[who] + answers[who]
            finished += 1
            if answers[who] > 1:
                tpot += (now - first[who]) / (answers[who] - 1)
                several += 1
            if started < requests:
                sent[started] = now
                heapq.heappush(arrivals, (now + request_s, started))
                started += 1
    return ttft / requests, tpot / max(several, 1)


@lru_cache(maxsize=1)
def compiled() -> Callable[..., tuple[float, float]]:
    """The simulation through Numba, with the same results."""
    from numba import njit

    spaces: dict[str, Any] = dict(globals())
    for name in ("_between", "_line", "_plane", "_simulate"):
        code = spaces[name].__code__
        spaces[name] = njit(type(_between)(code, spaces, name))
    return spaces["_simulate"]


def lengths(load: ClosedLoop) -> tuple[Array, Array]:
    """Input and output tokens of each request, the same at every call."""
    count = max(load.clients, 1) * load.requests_per_client
    draws = np.random.default_rng(SEED).uniform(1 - load.length_spread, 1 + load.length_spread, (2, count))
    prompts = np.maximum(np.round(draws[0] * load.input_tokens), load.cached_tokens + 1)
    return prompts, np.maximum(np.round(draws[1] * load.output_tokens), 1.0)


def closed_loop_latencies(
    load: ClosedLoop, tables: StepTables, run: Callable[..., tuple[float, float]] = _simulate
) -> Latencies:
    """Mean latencies of a closed loop on one lane; `run=compiled()` for many of them."""
    prompts, answers = lengths(load)
    t = tables
    ttft_s, tpot_s = run(
        load.clients, load.max_batched_tokens, max(load.max_sequences, 1.0), load.cached_tokens, load.prompts_first,
        prompts, answers, t.tokens_at, t.tokens_s, t.sequences_at, t.outputs_s, t.context_at, t.decode_attention_s,
        t.prompt_at, t.prefill_attention_s, t.step_s, t.mixed_s, t.request_s,
    )  # fmt: skip
    return Latencies(ttft_s + (load.stream_interval - 1) * tpot_s, tpot_s)
