"""The clock: whatever comes next, happens; until nothing is to come.

Failures come first at the same instant, then arrivals, then scaling, then steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from costline.serving.compiled import compiled
from costline.serving.loop.deliveries import take
from costline.serving.loop.departures import send_next, settle
from costline.serving.loop.kv_blocks import blocks_of
from costline.serving.loop.memory import (
    by_clock_of,
    by_turn_of,
    deliveries_of,
    engines_of,
    faults_of,
    next_s_of,
    replicas_of,
    requests_of,
    run_of,
)
from costline.serving.loop.routing import route
from costline.serving.loop.scaling import activate, fault, release_if_empty, tick
from costline.serving.loop.state import BOOTING, IDLE, PREFILL, Row
from costline.serving.loop.steps import end_step, shorten_run, start_step
from costline.serving.loop.waiting import with_request
from costline.serving.scheduler import FCFS
from costline.serving.timestamps import REJECTED, TOO_LONG


@compiled
def is_too_long(me: Row, engine: Row, row: Row) -> bool:
    """Whether a request never fits."""
    tokens = row.input if me.role == PREFILL else row.input + row.output - 1
    return row.input + row.output > engine.max_model or blocks_of(tokens, engine.block) > engine.capacity


@compiled
def deliver(run: Row, request: int, time_s: float) -> None:
    """A request comes: it is refused, or queued at a replica."""
    row = requests_of(run)[request]
    row.ready_s = time_s
    run.is_draining = 0
    number = route(run, request, run.router)
    if number < 0:
        run.held = with_request(requests_of(run), run.held, request, FCFS)
        return
    me = replicas_of(run)[number]
    engine = engines_of(run)[me.pool]
    if is_too_long(me, engine, row):
        settle(run, request, TOO_LONG, time_s)
        return
    if engine.max_waiting > 0 and me.waiting >= engine.max_waiting and not row.has_kv:
        settle(run, request, REJECTED, time_s)
        return
    me.root = with_request(requests_of(run), me.root, request, engine.order)
    me.waiting += 1
    me.in_flight += 1
    if me.activity == IDLE:
        next_s_of(run)[number] = time_s
    elif me.root == request:
        shorten_run(me, engine, run, time_s)


@compiled
def happen(run: Row, number: int, time_s: float) -> None:
    """A replica's boot ends, its step ends, or it has something to start with."""
    me = replicas_of(run)[number]
    engine = engines_of(run)[me.pool]
    if me.mode == BOOTING:
        activate(me, run, time_s)
        return
    if me.activity == IDLE:
        me.clock_s = time_s
    else:
        end_step(me, engine, run, time_s)
    start_step(me, engine, run)
    if me.activity == IDLE:
        release_if_empty(me, run, time_s)


@compiled
def drain(run: Row) -> bool:
    """Nobody comes any more: batches that wait to be full start as they are; whether there is any."""
    if run.is_draining:
        return False
    run.is_draining = 1
    found = False
    for number in range(len(replicas_of(run))):
        if replicas_of(run)[number].waiting > 0 and replicas_of(run)[number].activity == IDLE:
            next_s_of(run)[number] = run.now_s
            found = True
    return found


@compiled
def scale(run: Row, time_s: float) -> int:
    """The autoscalers whose time has come; how many replicas they brought."""
    came = 0
    for pool in range(len(engines_of(run))):
        if engines_of(run)[pool].tick_s <= time_s:
            came += tick(engines_of(run)[pool], run, time_s)
    return came


@compiled
def next_tick_s(run: Row) -> float:
    """When an autoscaler looks next."""
    soonest = np.inf
    for pool in range(len(engines_of(run))):
        soonest = min(soonest, engines_of(run)[pool].tick_s)
    return soonest


@compiled
def next_arrival(run: Row) -> int:
    """The next request that comes by the clock; −1 after the last."""
    place = run.next
    if len(by_clock_of(run)) > 0:
        return by_clock_of(run)[place] if place < len(by_clock_of(run)) else -1
    return place if place < len(requests_of(run)) and len(by_turn_of(run)) == 0 else -1


def loop_of(constant: int) -> Callable[[int, int], int]:
    """The event loop, to be compiled; the constant makes what is kept of it on disk hold for these sources only."""

    def loop(run_at: int, concurrency: int) -> int:
        run = run_of(run_at)
        for _ in range(concurrency):
            send_next(run, 0.0)
        ticking = next_tick_s(run) < np.inf
        while run.unsettled > 0:
            number = int(np.argmin(next_s_of(run)))
            step_s = next_s_of(run)[number]
            arrival = next_arrival(run)
            arrival_s = requests_of(run)[arrival].arrival_s if arrival >= 0 else np.inf
            delivery_s = deliveries_of(run)[0].time_s if run.pending > 0 else np.inf
            fault_s = faults_of(run)[run.next_fault].time_s if run.next_fault < len(faults_of(run)) else np.inf
            work_s = min(step_s, arrival_s, delivery_s)
            tick_s = next_tick_s(run) if ticking else np.inf
            if fault_s <= min(work_s, tick_s) and fault_s < np.inf:
                event = faults_of(run)[run.next_fault]
                run.next_fault += 1
                run.now_s = fault_s
                fault(replicas_of(run)[event.replica], run, fault_s, event.is_end == 1)
            elif arrival_s <= min(delivery_s, step_s, tick_s) and arrival_s < np.inf:
                run.now_s = arrival_s
                run.next += 1
                deliver(run, arrival, arrival_s)
            elif delivery_s <= min(step_s, tick_s) and delivery_s < np.inf:
                run.now_s = delivery_s
                deliver(run, take(run, deliveries_of(run)), delivery_s)
            elif math.isinf(work_s):
                if drain(run) or (ticking and scale(run, tick_s) > 0) or fault_s < np.inf:
                    continue
                break
            elif tick_s <= step_s:
                scale(run, tick_s)
            else:
                run.now_s = step_s
                happen(run, number, step_s)
        return constant

    return loop
