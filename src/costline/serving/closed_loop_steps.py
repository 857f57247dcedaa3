"""The steps of an engine under clients in a closed loop, many alike at a time.

Plain code on numbers and arrays that Numba can compile as it stands. Sequences that decode advance together, so each
one's end is a count of decode steps, and between two events a step's time grows in a straight line.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from costline.quantities import Array

COMPILED = ("between", "line", "plane", "decode_step_s", "prompts_taken", "decode_run", "mean_latencies_s")
"""Functions of the loop, each after those it calls."""


class StepTables(NamedTuple):
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


class Rules(NamedTuple):
    """How an engine schedules."""

    chunk_tokens: float
    """Most tokens of a step."""
    max_sequences: float
    cached_tokens: float
    """Of each prompt, computed before."""
    prompts_first: bool


def between(at: float, axis: Array) -> tuple[int, float]:
    """Index of the axis point at or below, and the share of the way to the next; the last line goes on."""
    low, high = 0, axis.size - 2
    while low < high:
        middle = (low + high + 1) // 2
        if axis[middle] <= at:
            low = middle
        else:
            high = middle - 1
    return low, max((at - axis[low]) / (axis[low + 1] - axis[low]), 0.0)


def line(at: float, axis: Array, values: Array) -> float:
    """Value on straight lines between points."""
    i, share = between(at, axis)
    return values[i] + share * (values[i + 1] - values[i])


def plane(one: float, other: float, first: Array, second: Array, values: Array) -> float:
    """Value between the four points around."""
    i, across = between(one, first)
    j, along = between(other, second)
    low = values[i, j] + along * (values[i, j + 1] - values[i, j])
    high = values[i + 1, j] + along * (values[i + 1, j + 1] - values[i + 1, j])
    return low + across * (high - low)


def decode_step_s(count: int, context: float, t: StepTables) -> float:
    """A step in which `count` sequences of that mean context add a token."""
    attention_s = plane(count, context, t.sequences_at, t.context_at, t.decode_attention_s)
    return t.step_s + line(count, t.tokens_at, t.tokens_s) + line(count, t.sequences_at, t.outputs_s) + attention_s


def prompts_taken(
    pending: Array, begun: float, room: tuple[float, float], cached: float, t: StepTables
) -> tuple[int, float, float, float]:
    """Prompts that end in a step, tokens done of the next, tokens taken and their attention.

    `pending` are the tokens that each waiting prompt has to compute; `room` the tokens and sequences there is room for.
    """
    space, places = room
    new, attention_s, ends = 0.0, 0.0, 0
    while ends < pending.size and space >= 1.0 and ends < places:
        left = float(pending[ends]) - begun
        part = min(left, space)
        launched = float(t.prefill_attention_s[0, 0]) if new > 0 else 0.0
        attention_s += plane(part, cached + begun, t.prompt_at, t.context_at, t.prefill_attention_s) - launched
        new += part
        space -= part
        begun += part
        if part >= left:
            ends += 1
            begun = 0.0
    return ends, begun, new, attention_s


def decode_run(count: int, held: float, ahead: int, until_s: float, t: StepTables) -> tuple[int, float]:
    """Decode steps until an answer ends (`ahead` steps) or a request comes (in `until_s`), and their time."""
    start_s = decode_step_s(count, held / count, t)
    steps = max(int(np.ceil(min(until_s / start_s, float(ahead)))), 1)
    end_s = decode_step_s(count, held / count + steps - 1, t)
    return steps, steps * (start_s + end_s) / 2


def mean_latencies_s(clients: int, rules: Rules, prompts: Array, answers: Array, t: StepTables) -> tuple[float, float]:
    """Mean time to the first token and mean time per further token of all requests."""
    requests, started = prompts.size, min(clients, prompts.size)
    arrivals = [(t.request_s, i) for i in range(started)]
    running = [(0, 0) for _ in range(0)]
    sent, first = np.zeros(requests), np.zeros(requests)
    queue = np.zeros(requests, dtype=np.int64)
    head, tail, begun = 0, 0, 0.0
    now, steps, count, held = 0.0, 0, 0, 0.0
    ttft_s, tpot_s, finished = 0.0, 0.0, 0
    while finished < requests:
        while len(arrivals) > 0 and arrivals[0][0] <= now:
            queue[tail] = heapq.heappop(arrivals)[1]
            tail += 1
        if tail > head and count < rules.max_sequences:
            decoding = 0 if rules.prompts_first else count
            room = (max(rules.chunk_tokens - decoding, 1.0), rules.max_sequences - count)
            pending = prompts[queue[head:tail]] - rules.cached_tokens
            ends, begun, new, attention_s = prompts_taken(pending, begun, room, rules.cached_tokens, t)
            now += t.step_s + t.mixed_s + attention_s + line(new + decoding, t.tokens_at, t.tokens_s)
            if decoding + ends > 0:
                now += line(decoding + ends, t.sequences_at, t.outputs_s)
            if decoding > 0:
                now += plane(decoding, held / decoding, t.sequences_at, t.context_at, t.decode_attention_s)
                steps += 1
                held += decoding
            for i in range(head, head + ends):
                who = int(queue[i])
                first[who] = now
                ttft_s += now - sent[who]
                heapq.heappush(running, (steps + int(answers[who]) - 1, who))
                held += prompts[who] + 1
            count += ends
            head += ends
        elif count > 0:
            until_s = arrivals[0][0] - now if len(arrivals) > 0 and count < rules.max_sequences else np.inf
            ahead, spent_s = decode_run(count, held, running[0][0] - steps, until_s, t)
            now += spent_s
            steps += ahead
            held += count * ahead
        else:
            now = arrivals[0][0]
        while len(running) > 0 and running[0][0] <= steps:
            who = heapq.heappop(running)[1]
            count -= 1
            held -= prompts[who] + answers[who]
            finished += 1
            tpot_s += (now - first[who]) / max(answers[who] - 1, 1)
            if started < requests:
                sent[started] = now
                heapq.heappush(arrivals, (now + t.request_s, started))
                started += 1
    return ttft_s / requests, tpot_s / requests
