"""Clients that each send their next request when the last one is answered: what a load generator measures.

All start at once, so that prompts come in convoys until lengths or schedules pull them apart. Given a step as tables;
knows no physics. Written so that Numba can compile it as it stands.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from costline.quantities import Array

MIXED, PROMPTS_FIRST = 0, 1
"""How an engine schedules prompts: within decode steps, or in steps of their own before the next decode step."""


@dataclass(frozen=True)
class Measured:
    """Means over all requests of a closed loop."""

    ttft_s: float
    tpot_s: float


def _between(at: float, axis: Array) -> tuple[int, float]:
    """Index of the axis point at or below, and the share of the way to the next."""
    last = axis.size - 2
    low, high = 0, last
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


def closed_loop(
    clients, requests, prompts, answers, chunk, most, policy, late_steps, request_s, cached,
    tokens_at, tokens_s, sequences_at, outputs_s, context_at, decode_s, prompt_at, prompt_s, step_s, mixed_s,
):  # type: ignore[no-untyped-def]
    """Mean time to the first token and mean time per further token of `requests` requests from `clients` clients.

    `prompts` and `answers` are each request's tokens; `chunk` the most tokens of a step, `most` the most sequences in
    it; `late_steps` the steps that the engine has queued ahead when a request arrives.
    """
    arrivals = [(0.0, i) for i in range(min(clients, requests))]
    heapq.heapify(arrivals)
    running = [(0, 0)]
    running.pop()
    sent = np.zeros(requests)
    first = np.zeros(requests)
    queue = np.zeros(requests + 1, dtype=np.int64)
    head, tail, done_of_head = 0, 0, 0.0
    next_request = len(arrivals)
    now, steps, count, held = 0.0, 0, 0, 0.0
    ttft, tpot, several = 0.0, 0.0, 0
    finished = 0
    last_s = 0.0
    for i in range(len(arrivals)):
        arrivals[i] = (request_s, i)
    while finished < requests:
        while len(arrivals) > 0 and arrivals[0][0] + late_steps * last_s <= now:
            queue[tail] = arrivals[0][1]
            tail += 1
            heapq.heappop(arrivals)
        takes = tail > head and count < most
        if not takes and count == 0:
            now = arrivals[0][0] + late_steps * last_s
            last_s = 0.0
            continue
        if takes:
            space = chunk - (count if policy == MIXED else 0)
            new, ends, attention = 0.0, 0, 0.0
            begun = head
            while tail > head and space >= 1.0 and count + ends < most:
                who = queue[head]
                left = prompts[who] - cached - done_of_head
                part = min(left, space)
                alone = prompt_s[0, 0] if new > 0 else 0.0
                attention += _plane(part, cached + done_of_head, prompt_at, context_at, prompt_s) - alone
                new += part
                space -= part
                if part >= left:
                    head += 1
                    ends += 1
                    done_of_head = 0.0
                else:
                    done_of_head += part
            decoding = count if policy == MIXED else 0
            last_s = step_s + mixed_s + attention + _line(new + decoding, tokens_at, tokens_s)
            if decoding + ends > 0:
                last_s += _line(decoding + ends, sequences_at, outputs_s)
            if decoding > 0:
                last_s += _plane(decoding, held / decoding, sequences_at, context_at, decode_s)
                steps += 1
                held += decoding
            now += last_s
            for i in range(begun, head):
                who = queue[i]
                first[who] = now
                ttft += now - sent[who]
                heapq.heappush(running, (steps + int(answers[who]) - 1, who))
                count += 1
                held += prompts[who] + 1
        else:
            ahead = max(running[0][0] - steps, 1)
            context = held / count
            fixed = step_s + _line(count, tokens_at, tokens_s) + _line(count, sequences_at, outputs_s)
            start = fixed + _plane(count, context, sequences_at, context_at, decode_s)
            if len(arrivals) > 0:
                until = arrivals[0][0] + late_steps * start - now
                ahead = min(ahead, max(int(np.ceil(until / start)), 1))
            end = fixed + _plane(count, context + ahead - 1, sequences_at, context_at, decode_s)
            now += ahead * (start + end) / 2
            last_s = end
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
            if next_request < requests:
                sent[next_request] = now
                heapq.heappush(arrivals, (now + request_s, next_request))
                next_request += 1
    return ttft / requests, tpot / max(several, 1)
