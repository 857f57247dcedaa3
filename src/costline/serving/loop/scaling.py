"""Replicas that come and go: autoscaling with boot time and floor, failures and recovery.

Knows modes of replicas; what becomes of the requests of a lost one is in `departures`.
"""

from __future__ import annotations

import numpy as np

from costline.serving.compiled import compiled
from costline.serving.loop.deliveries import send
from costline.serving.loop.departures import stop_replica
from costline.serving.loop.memory import deliveries_of, engines_of, next_s_of, replicas_of, requests_of
from costline.serving.loop.state import BOOTING, DOWN, DRAINING, OFF, ON, Row
from costline.serving.loop.waiting import without_root
from costline.serving.scheduler import FCFS, wanted_replicas

WAITING, IN_FLIGHT, TOKENS_PER_S = 0, 1, 2


@compiled
def activate(me: Row, run: Row, time_s: float) -> None:
    """A replica is up; requests that no replica could take are routed again."""
    me.mode = ON
    me.clock_s = time_s
    next_s_of(run)[me.number] = np.inf
    while run.held >= 0:
        request = run.held
        run.held = without_root(requests_of(run), run.held, FCFS)
        send(run, deliveries_of(run), request, time_s)


@compiled
def boot(me: Row, engine: Row, run: Row, time_s: float) -> None:
    """A replica is paid for from now on and is up after its boot."""
    me.mode = BOOTING
    me.boots += 1
    me.on_since_s = time_s
    next_s_of(run)[me.number] = time_s + engine.boot_s


@compiled
def signal_of(engine: Row, run: Row) -> float:
    """What the autoscaler of a pool looks at."""
    if engine.signal == TOKENS_PER_S:
        return engine.generated / engine.interval_s
    total, held = 0, run.held
    for number in range(engine.first, engine.first + engine.count):
        replica = replicas_of(run)[number]
        total += replica.waiting if engine.signal == WAITING else replica.in_flight
    return float(total + (held >= 0))


@compiled
def add_replicas(engine: Row, run: Row, missing: int, time_s: float) -> int:
    """Bring replicas back that were to go, then boot others; how many came."""
    came = 0
    for mode in (DRAINING, OFF):
        for number in range(engine.first, engine.first + engine.count):
            me = replicas_of(run)[number]
            if came < missing and me.mode == mode:
                came += 1
                if mode == DRAINING:
                    me.mode = ON
                else:
                    boot(me, engine, run, time_s)
    return came


@compiled
def drop_replicas(engine: Row, run: Row, surplus: int, time_s: float) -> None:
    """The last replicas take nothing new, and go when they are empty."""
    for number in range(engine.first + engine.count - 1, engine.first - 1, -1):
        me = replicas_of(run)[number]
        if surplus > 0 and me.mode == ON:
            surplus -= 1
            me.mode = DRAINING
            release_if_empty(me, run, time_s)


@compiled
def release_if_empty(me: Row, run: Row, time_s: float) -> None:
    """A replica that was to go has nothing left to do."""
    if me.mode == DRAINING and me.in_flight == 0:
        stop_replica(me, run, time_s, False)


@compiled
def tick(engine: Row, run: Row, time_s: float) -> int:
    """An autoscaler looks at its pool; how many replicas it brought."""
    present = 0
    for number in range(engine.first, engine.first + engine.count):
        mode = replicas_of(run)[number].mode
        present += mode in (ON, BOOTING)
    wanted = wanted_replicas(signal_of(engine, run), engine.target, engine.floor, engine.count)
    engine.generated = 0.0
    engine.tick_s = time_s + engine.interval_s
    if wanted >= present:
        engine.low_since_s = np.inf
        return add_replicas(engine, run, wanted - present, time_s) if wanted > present else 0
    engine.low_since_s = min(engine.low_since_s, time_s)
    if time_s - engine.low_since_s >= engine.hold_s:
        drop_replicas(engine, run, present - wanted, time_s)
    return 0


@compiled
def fault(me: Row, run: Row, time_s: float, is_end: bool) -> None:
    """A replica fails, or comes back: to work, or in a pool that scales to where it can be booted."""
    if is_end and me.mode == DOWN:
        if engines_of(run)[me.pool].interval_s > 0.0:
            me.mode = OFF
        else:
            me.on_since_s = time_s
            activate(me, run, time_s)
    elif not is_end and me.mode == OFF:
        me.mode = DOWN
    elif not is_end and me.mode != DOWN:
        stop_replica(me, run, time_s, True)
