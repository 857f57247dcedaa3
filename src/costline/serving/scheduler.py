"""Decisions of a scheduler as functions of plain numbers: who may join, how much of a prompt is read,
how long nothing changes.

Knows no arrays and changes nothing.
"""

from __future__ import annotations

import math

from costline.serving.compiled import compiled

DECODE_FIRST, PREFILL_FIRST = 0, 1
CONTINUOUS, ELASTIC, DYNAMIC, FIXED = 0, 1, 2, 3
FCFS, SJF = 0, 1


@compiled
def run_time_s(first_s: float, growth_s: float, steps: int) -> float:
    """`steps` steps of which the first takes `first_s` and each other `growth_s` more than the one before it."""
    return steps * first_s + growth_s * 0.5 * steps * (steps - 1)


@compiled
def boundary_at(elapsed_s: float, first_s: float, growth_s: float, most: int) -> int:
    """The first step of such a run that ends at or after `elapsed_s`, counted from 1; `most` if none before."""
    if elapsed_s <= first_s or most <= 1:
        return 1
    if growth_s > 0.0:
        half = first_s - 0.5 * growth_s
        guess = (math.sqrt(half * half + 2.0 * growth_s * elapsed_s) - half) / growth_s
    else:
        guess = elapsed_s / first_s if first_s > 0.0 else most
    step = int(min(max(math.ceil(guess), 1.0), float(most)))
    while step > 1 and run_time_s(first_s, growth_s, step - 1) >= elapsed_s:
        step -= 1
    while step < most and run_time_s(first_s, growth_s, step) < elapsed_s:
        step += 1
    return step


@compiled
def steps_below(tokens: float, growth_tokens: float, end_tokens: float) -> int:
    """Steps until the cache read, `growth_tokens` more a step, is beyond `end_tokens`; 1 at least."""
    if growth_tokens <= 0.0 or end_tokens == math.inf:
        return 1 << 40
    return max(1, int((end_tokens - tokens) / growth_tokens) + 1)


@compiled
def has_come(ready_s: float, step_s: float, last_step_s: float, is_idle: bool, is_async: bool) -> bool:
    """Whether a request that came at `ready_s` can be in the step that starts at `step_s`.

    An asynchronous scheduler decided on that step when the last one started, unless it was idle.
    """
    return ready_s <= (last_step_s if is_async and not is_idle else step_s)


@compiled
def chunk_tokens(left: int, budget: int, limit: int, is_chunked: bool, is_first: bool) -> int:
    """Tokens of a prompt in a step. Without chunks all or none; one longer than any budget goes as the first."""
    if not is_chunked:
        return left if left <= budget or is_first else 0
    return max(0, min(left, budget, limit if limit > 0 else left))


@compiled
def batch_may_start(batching: int, waiting: int, places: int, is_waited_out: bool) -> bool:
    """Whether an engine without a batch forms one: a fixed batch must be full, or have waited, or nobody else comes."""
    return waiting > 0 and (batching != FIXED or waiting >= places or is_waited_out)


@compiled
def wanted_replicas(signal: float, target: float, floor: int, most: int) -> int:
    """Replicas that bring a signal to its target."""
    return int(min(max(math.ceil(signal / target - 1e-9), float(floor)), float(most)))
