"""Requests that leave a replica: served, handed over, preempted, lost or refused; and whom that lets come.

Knows what follows for other requests; not why they leave.
"""

from __future__ import annotations

import math

import numpy as np

from costline.serving.compiled import compiled
from costline.serving.loop.batch import close_gap, leave_reading, stop_decoding
from costline.serving.loop.deliveries import send
from costline.serving.loop.memory import (
    by_turn_of,
    cache_of,
    decoding_of,
    deliveries_of,
    engines_of,
    first_turn_of,
    next_s_of,
    other_turn_of,
    reading_of,
    requests_of,
    think_s_of,
)
from costline.serving.loop.prefix_cache import wipe
from costline.serving.loop.state import DOWN, IDLE, OFF, PREFILL, Row
from costline.serving.loop.waiting import with_request, without_root
from costline.serving.timestamps import FAILED, SERVED


@compiled
def send_later(run: Row, request: int, time_s: float) -> None:
    """A request that waited for another is sent, after its time to think."""
    sent_s = time_s + (think_s_of(run)[request] if len(think_s_of(run)) > 0 else 0.0)
    requests_of(run)[request].arrival_s = sent_s
    send(run, deliveries_of(run), request, sent_s)


@compiled
def send_next(run: Row, time_s: float) -> None:
    """In a closed loop a place is free for the next request."""
    if run.next_turn < len(by_turn_of(run)):
        run.next_turn += 1
        send_later(run, by_turn_of(run)[run.next_turn - 1], time_s)


@compiled
def settle(run: Row, request: int, state: int, time_s: float) -> None:
    """What becomes of a request is final; those that waited for it are sent."""
    requests_of(run)[request].state = state
    run.unsettled -= 1
    has_turns = False
    if len(first_turn_of(run)) > 0 and state == SERVED:
        turn = first_turn_of(run)[request]
        while turn >= 0:
            has_turns = True
            send_later(run, turn, time_s)
            turn = other_turn_of(run)[turn]
    if run.is_closed and not has_turns:
        send_next(run, time_s)


@compiled
def finish(me: Row, engine: Row, run: Row, request: int, time_s: float) -> None:
    """A request's answer is complete."""
    row = requests_of(run)[request]
    row.done = row.output
    row.finished_s = time_s + engine.request_s
    row.replica = me.number
    me.in_flight -= 1
    me.output_tokens += row.output
    settle(run, request, SERVED, row.finished_s)


@compiled
def hand_over(me: Row, run: Row, request: int, time_s: float) -> None:
    """A prompt was read; its cache goes to a replica that decodes."""
    row = requests_of(run)[request]
    row.has_kv = 1
    me.in_flight -= 1
    send(run, deliveries_of(run), request, time_s + run.transfer_s + run.transfer_token_s * row.input)


@compiled
def prompt_has_ended(me: Row, engine: Row, run: Row, request: int, time_s: float) -> bool:
    """A prompt's first token is out; whether the request goes on to decode here."""
    row = requests_of(run)[request]
    row.done += 1
    engine.generated += 1.0
    if math.isnan(row.first_token_s):
        row.first_token_s = time_s + engine.request_s
        row.prefill_replica = me.number
    if row.done >= row.output:
        finish(me, engine, run, request, time_s)
        return False
    if me.role == PREFILL:
        hand_over(me, run, request, time_s)
        return False
    return True


@compiled
def wait_again(me: Row, engine: Row, run: Row, request: int) -> None:
    """A preempted request waits, at the place that it had; its cache is computed again."""
    row = requests_of(run)[request]
    row.preemptions += 1
    row.has_kv = 0
    me.root = with_request(requests_of(run), me.root, request, engine.order)
    me.waiting += 1


@compiled
def preempt(me: Row, engine: Row, run: Row, place: int) -> None:
    """Take a sequence's blocks: a decoding place, or −1 − a reading one."""
    if place >= 0:
        wait_again(me, engine, run, stop_decoding(me, engine, run, place, False))
        return
    reading = reading_of(run, me.number)
    request = reading[-1 - place].request
    me.chunk_sum -= reading[-1 - place].chunk
    leave_reading(me, engine, run, reading[-1 - place], False)
    close_gap(me, reading, -1 - place)
    wait_again(me, engine, run, request)


@compiled
def lose(run: Row, request: int, time_s: float) -> None:
    """A request lost with its replica starts anew, or is given up."""
    row = requests_of(run)[request]
    row.done = 0
    row.has_kv = 0
    row.admitted_s = np.nan
    row.first_token_s = np.nan
    row.retries += 1
    if row.retries > run.max_retries:
        settle(run, request, FAILED, time_s)
    else:
        send(run, deliveries_of(run), request, time_s + run.retry_s)


@compiled
def stop_replica(me: Row, run: Row, time_s: float, is_failure: bool) -> None:
    """A replica is released, or fails with all that it holds."""
    me.mode = DOWN if is_failure else OFF
    me.on_s += time_s - me.on_since_s
    for place in range(me.decoding):
        lose(run, decoding_of(run, me.number)[place].request, time_s)
    for place in range(me.reading):
        lose(run, reading_of(run, me.number)[place].request, time_s)
    while me.root >= 0:
        request = me.root
        me.root = without_root(requests_of(run), me.root, engines_of(run)[me.pool].order)
        lose(run, request, time_s)
    me.activity = IDLE
    me.decoding, me.reading, me.waiting, me.in_flight, me.chunk_sum, me.steps = 0, 0, 0, 0, 0, 0
    me.context, me.growth_tokens, me.decode_blocks, me.prompt_blocks = 0.0, 0.0, 0, 0
    next_s_of(run)[me.number] = np.inf
    wipe(me, cache_of(run, me.number))
