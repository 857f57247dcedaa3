"""Requests of a scenario's conversations: how many of them begin when, and which turns count. Knows no engine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.answers.sessions_block import SessionsBlock, shape_of
from costline.answers.simulate.arriving import USUAL_REQUESTS, Coming
from costline.answers.workload_block import WorkloadBlock
from costline.errors import InputError
from costline.quantities import MEGA, Array, as_array, format_seconds
from costline.serving.arrivals import Load
from costline.serving.requests import Requests
from costline.serving.sessions import mean_turn, session_requests
from costline.serving.workload import Arriving, times_of

TURN_S = 10.0
"""What an answer is taken to last where it is asked how long a conversation does."""
LIVES = 2.0
"""Mean lives of a conversation after which as many are under way as ever will be."""
MOST_USUAL = int(MEGA)
WARM_SHARE = 0.1
SHORT_SHARE = 0.2
"""Of a stated run: a conversation that lasts longer keeps the rate from what is asked for."""


def drawn_sessions(
    work: WorkloadBlock, come: Coming, rng: Generator
) -> tuple[Requests, NDArray[np.bool_], Array, tuple[str, ...]]:
    """Turns of conversations at a rate of turns; those that count; when each would come if answers took no time."""
    block = work.sessions
    assert block is not None
    if come.arriving.concurrency is not None:
        raise InputError("sessions come at a rate; give workload.request_rate, of all turns together")
    shape = shape_of(block, work.output_tokens, work.prefix.shared_tokens)
    turns = mean_turn(shape).turns
    filling_s = LIVES * ((turns - 1) * block.think_s + turns * TURN_S)
    arriving = _longer(come.arriving, filling_s) if come.steady else come.arriving
    starts, _ = times_of(_of_sessions(arriving, turns), rng)
    found = session_requests(starts, shape, rng)
    at_s = _planned_s(found)
    last_s = float(starts[-1]) if starts.size else 0.0
    kept = np.ones(len(found), dtype=bool)
    notes: tuple[str, ...] = ()
    if come.steady and last_s > 0:
        kept = (at_s >= min(max(filling_s, WARM_SHARE * last_s), last_s / 2)) & (at_s <= last_s)
    if (filling_s > SHORT_SHARE * last_s > 0) and not (come.steady and last_s > filling_s):
        notes = (_slow_note(block, turns, last_s),)
    return found, kept, at_s, notes


def _longer(arriving: Arriving, filling_s: float) -> Arriving:
    """A run whose length is ours goes on after conversations have filled the service."""
    count = (arriving.count or USUAL_REQUESTS) + (arriving.request_rate or 0.0) * filling_s
    return replace(arriving, count=int(min(count, MOST_USUAL)))


def _of_sessions(arriving: Arriving, turns: float) -> Arriving:
    """As many conversations as make so many turns."""
    rate, load = arriving.request_rate, arriving.load
    return replace(
        arriving,
        request_rate=None if rate is None else rate / turns,
        stages=None if arriving.stages is None else [(one / turns, lasts_s) for one, lasts_s in arriving.stages],
        load=None if load is None else Load(load.times_s, load.expected / turns),
        count=None if arriving.count is None else math.ceil(arriving.count / turns),
    )


def _planned_s(found: Requests) -> Array:
    """When each turn would come if answers took no time."""
    assert found.think_s is not None
    assert found.after is not None
    first = np.flatnonzero(np.asarray(found.after) < 0)
    thought = np.cumsum(found.think_s)
    turns = np.diff(np.append(first, len(found)))
    began = found.arrival_s[first] - thought[first]
    return as_array(np.repeat(began, turns) + thought)


def _slow_note(block: SessionsBlock, turns: float, last_s: float) -> str:
    life_s = (turns - 1) * block.think_s
    return (
        f"Conversations begin over {format_seconds(last_s)} and think for {format_seconds(life_s)} on average, so the "
        "rate of requests rises to request_rate only slowly and falls at the end; a longer run has more of it."
    )
