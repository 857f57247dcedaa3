"""Conversations: each turn sends all that was said before and something new, some time after the last answer.

Randomness comes in as `rng`. Knows no cache and no engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array
from costline.serving.lengths import LengthDistribution
from costline.serving.requests import Integers, Prefixes, Requests, grouped_prefixes

MOST_TURNS = 10_000
_SHARES = 1 << 14
_DRAWN_TURNS = 1 << 18


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
    """Start of every session, the same for all."""
    most_context_tokens: float = np.inf
    """A session ends before the turn whose prompt and answer would exceed it."""


def said_before_tokens(turns: Numeric, turns_cv2: Numeric, turn_tokens: Numeric) -> Array:
    """What a prompt repeats of its conversation, averaged over the turns of all conversations.

    Equation
        H = (m (1 + c²) - 1) / 2 t

    Parameters
        turns        m   [1]      array  mean turns of a conversation, >= 1
        turns_cv2    c²  [1]      array  squared coefficient of variation of the turns
        turn_tokens  t   [token]  array  mean of what one turn adds: its question and its answer

    Returns
        H  [token]  array

    Holds when  what turns add does not depend on how many there are, and no conversation is cut.
    Source      [derived] a conversation of T turns has T (T - 1) / 2 pairs of a turn and one before it
    Raises      nothing

    >>> float(said_before_tokens(3, 0.0, 70.0)), float(said_before_tokens(1, 0.0, 70.0))
    (70.0, 0.0)
    """
    return (as_array(turns) * (1 + as_array(turns_cv2)) - 1) / 2 * turn_tokens


@dataclass(frozen=True)
class MeanTurn:
    """Turns of conversations on average."""

    turns: float
    """Of a conversation."""
    prompt_tokens: float
    new_tokens: float
    """Of the prompt that no earlier turn, and no common start, had."""


def mean_turn(shape: SessionShape) -> MeanTurn:
    """The mean turn of conversations; where they are cut at a context it is that of many that are drawn."""
    counts = np.minimum(shape.turns.at(as_array((np.arange(_SHARES) + 0.5) / _SHARES)), MOST_TURNS)
    turns, new = float(np.mean(counts)), shape.new_tokens.mean
    if not np.isfinite(shape.most_context_tokens):
        spread = float(np.var(counts)) / turns**2
        said = float(said_before_tokens(turns, spread, new + shape.output_tokens.mean))
        return MeanTurn(turns, shape.system_tokens + said + new, new)
    sessions = max(int(_DRAWN_TURNS / turns), 1)
    drawn = session_requests(np.zeros(sessions), shape, np.random.default_rng(0))
    if not len(drawn):
        raise DomainError(
            f"most_context_tokens={shape.most_context_tokens:g} leaves no room for one turn of {new:g} new tokens; "
            "raise it"
        )
    prompts, later = as_array(drawn.input_tokens), np.asarray(drawn.after) >= 0
    known = np.where(later, np.roll(prompts + drawn.output_tokens, 1), shape.system_tokens)
    return MeanTurn(len(drawn) / sessions, float(np.mean(prompts)), float(np.mean(prompts - known)))


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
    found = turn_requests(session_start_s, session[kept], prompt[kept], output[kept], think[kept])
    return _with_start(found, int(shape.system_tokens)) if shape.system_tokens >= 1 else found


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


def _with_start(found: Requests, shared_tokens: int) -> Requests:
    """The same turns, with the start that all conversations share as an item of its own ahead of each one's."""
    assert found.prefixes is not None
    count = len(found)
    item = np.zeros((count, 2), np.int64)
    tokens = np.full((count, 2), shared_tokens, np.int64)
    item[:, 1] = 1 + np.asarray(found.prefixes.item)
    tokens[:, 1] = np.asarray(found.input_tokens) - shared_tokens
    start = np.arange(count + 1, dtype=np.int64) * 2
    prefixes = Prefixes(start, item.ravel(), tokens.ravel(), found.prefixes.kept_tokens)
    return replace(found, prefixes=prefixes)
