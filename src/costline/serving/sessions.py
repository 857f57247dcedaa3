"""Conversations: each turn sends all that was said before and something new, some time after the last answer.

Randomness comes in as `rng`. Knows no cache and no engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import Array, as_array
from costline.serving.lengths import LengthDistribution
from costline.serving.requests import Integers, Requests, grouped_prefixes

MOST_TURNS = 10_000


@dataclass(frozen=True)
class SessionShape:
    """What conversations are like."""

    turns: LengthDistribution
    """Turns of a session."""
    new_tokens: LengthDistribution
    """What a user adds in a turn."""
    output_tokens: LengthDistribution
    think_s: float
    """Mean time from an answer to the next turn, exponential."""
    system_tokens: float = 0.0
    """Start of every session."""
    most_context_tokens: float = np.inf
    """A session ends before the turn whose prompt and answer would exceed it."""


def session_requests(session_start_s: Array, shape: SessionShape, rng: Generator) -> Requests:
    """The requests of sessions that start at given times; a later turn waits for the answer before it."""
    if not (shape.think_s >= 0 and shape.system_tokens >= 0):
        raise DomainError(f"think_s={shape.think_s:g} and system_tokens={shape.system_tokens:g} must be >= 0")
    turns = np.minimum(shape.turns.draw(session_start_s.size, rng), MOST_TURNS).astype(np.int64)
    session = np.repeat(np.arange(turns.size), turns)
    new, output = shape.new_tokens.draw(session.size, rng), shape.output_tokens.draw(session.size, rng)
    prompt = shape.system_tokens + said_before(session, new, output) + new
    kept = prompt + output <= shape.most_context_tokens
    think = np.where(kept, rng.exponential(shape.think_s, session.size), 0.0)
    return turn_requests(session_start_s, session[kept], prompt[kept], output[kept], think[kept])


def said_before(session: Integers, new_tokens: Array, output_tokens: Array) -> Array:
    """Tokens of the earlier turns of each turn's session; the turns of a session stand together, in order."""
    sums = np.concatenate([[0.0], np.cumsum(new_tokens + output_tokens)])
    first = np.flatnonzero(np.diff(np.asarray(session), prepend=-1))
    turns = np.diff(np.append(first, len(session)))
    return as_array(sums[:-1] - np.repeat(sums[first], turns))


def turn_requests(
    session_start_s: Array, session: Integers, input_tokens: Array, output_tokens: Array, think_s: Array
) -> Requests:
    """Turns as requests, sessions in the order of their start; only first turns have a time of their own."""
    order = np.argsort(session_start_s[session], kind="stable")
    inputs, outputs = (values[order].astype(np.int64) for values in (input_tokens, output_tokens))
    group: NDArray[np.int64] = np.asarray(session)[order].astype(np.int64)
    later = np.diff(group, prepend=-1) == 0
    return Requests(
        arrival_s=np.where(later, np.inf, session_start_s[group]),
        input_tokens=inputs,
        output_tokens=outputs,
        prefixes=grouped_prefixes(group, inputs, kept_tokens=inputs + outputs),
        session=group,
        after=np.where(later, np.arange(group.size) - 1, -1),
        think_s=np.where(later, think_s[order], 0.0),
    )
