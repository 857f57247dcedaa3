"""Queues whose server takes many requests at once: a batch begins when the one before has ended.

Three rules for a batch. Dynamic: all who wait, up to a limit. Fixed: exactly so many, however long that takes to
gather. Elastic: dynamic, but answers that are done leave and make the rest faster. Time of a batch is given, as an
array of equally likely times for each size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array
from costline.serving.lengths import LengthDistribution

MOST_STATES = 4096
"""Requests left behind that are told apart; a queue that needs more is too close to its limit to be solved."""
_TAIL = 1e-10


def padded_batch_s(token_s: Numeric, sequence_s: Numeric, longest: Numeric, batch: Numeric) -> Array:
    """Time of a batch that keeps its size until the longest answer is done.

    Equation
        T = L_max (a + b n)

    Parameters
        token_s     a      [s/token]  array  >= 0, of a step whatever the batch
        sequence_s  b      [s/token]  array  >= 0, more for each sequence
        longest     L_max  [token]    array  longest answer of the batch
        batch       n      [1]        array  sequences

    Returns
        T  [s]  array

    Holds when  a step makes one token for each sequence and its time is affine in the batch.
    Source      [yang-2024-queueing]
    Raises      nothing

    >>> round(float(padded_batch_s(0.02, 0.001, 100, 8)), 6)
    2.8
    """
    return as_array(longest) * (as_array(token_s) + as_array(sequence_s) * batch)


def elastic_batch_s(token_s: Numeric, sequence_s: Numeric, longest: Numeric, tokens: Numeric) -> Array:
    """Time of a batch whose answers leave when they are done.

    Equation
        T = a L_max + b sum of L

    Parameters
        token_s     a         [s/token]  array  >= 0, of a step whatever the batch
        sequence_s  b         [s/token]  array  >= 0, more for each sequence
        longest     L_max     [token]    array  longest answer of the batch
        tokens      sum of L  [token]    array  all answers of the batch

    Returns
        T  [s]  array; `padded_batch_s` where all answers are alike

    Holds when  a step makes one token for each sequence that is left and its time is affine in their number.
    Source      [yang-2024-queueing]
    Raises      nothing

    >>> [round(float(elastic_batch_s(0.02, 0.001, 100, tokens)), 6) for tokens in (400, 800)]
    [2.4, 2.8]
    """
    return as_array(token_s) * longest + as_array(sequence_s) * as_array(tokens)


@dataclass(frozen=True)
class BatchTimes:
    """Times of a batch, [most requests, draws]: row n - 1 of n requests, all draws equally likely."""

    padded_s: Array
    elastic_s: Array


def batch_times(
    lengths: LengthDistribution, most_batch: int, rng: Generator, *, token_s: float, sequence_s: float, draws: int = 256
) -> BatchTimes:
    """Times of batches of up to so many requests whose answers are drawn; the same answers by both rules."""
    tokens = lengths.draw(most_batch * draws, rng).reshape(most_batch, draws)
    longest = np.maximum.accumulate(tokens, axis=0)
    batch = np.arange(1, most_batch + 1)[:, None]
    return BatchTimes(
        padded_batch_s(token_s, sequence_s, longest, as_array(batch)),
        elastic_batch_s(token_s, sequence_s, longest, np.cumsum(tokens, axis=0)),
    )


@dataclass(frozen=True)
class BatchQueue:
    """A batch server in its steady state; all inf or NaN where it cannot keep up."""

    wait_s: float
    """Mean time until a request's batch begins."""
    response_s: float
    """Mean time until its batch ends."""
    mean_batch: float
    """Requests of a batch."""
    busy_share: float
    states: int
    """Queue lengths that were told apart."""


def bulk_queue(requests_per_s: float, batch_s: Array, *, fixed: bool = False) -> BatchQueue:
    """The queue M/G/1 with batches of up to n requests (`fixed`: of exactly n), n the rows of `batch_s`.

    Numbers left behind when a batch ends form a Markov chain (Bailey 1954), which is solved as a linear system; waits
    follow from the queue over a mean cycle and Little's law. Each row holds equally likely times of a batch, so that
    its distribution is any, and may depend on the size.
    """
    times = as_array(batch_s)
    times = times.reshape(1, -1) if times.ndim < 2 else times
    if not (requests_per_s > 0 and np.all(times >= 0) and np.all(np.isfinite(times))):
        raise DomainError(f"requests_per_s={requests_per_s:g} must be above 0 and batch times finite and >= 0")
    most = times.shape[0]
    if requests_per_s * float(as_array(times[-1]).mean()) >= most:
        return BatchQueue(np.inf, np.inf, np.nan, 1.0, 0)
    states = 4 * most + 64
    while states <= MOST_STATES:
        left = _left_behind(requests_per_s, times, states, fixed=fixed)
        if float(np.sum(left[-max(most, 8) :])) < _TAIL * states:
            return _steady(requests_per_s, times, left, fixed=fixed)
        states *= 2
    return BatchQueue(np.inf, np.inf, np.nan, 1.0, MOST_STATES)


def _sizes(states: int, most: int, *, fixed: bool) -> NDArray[np.int64]:
    """The batch that follows each number left behind."""
    waiting = np.arange(states, dtype=np.int64)
    return np.full(states, most, np.int64) if fixed else np.clip(waiting, 1, most)


def _left_behind(rate: float, times: Array, states: int, *, fixed: bool) -> Array:
    """Stationary chances of 0, 1, … requests left when a batch ends."""
    most = times.shape[0]
    arrive = np.zeros((most, states))
    count = np.arange(states, dtype=np.float64)
    for row in range(most - 1 if fixed else 0, most):
        mean = as_array(rate * times[row])[:, None]
        arrive[row] = np.mean(np.exp(xlogy(count, mean) - mean - gammaln(count + 1)), axis=0)
    size = _sizes(states, most, fixed=fixed)
    stay = np.maximum(np.arange(states) - size, 0)
    chain = np.zeros((states, states))
    for state in range(states):
        chain[state, stay[state] :] = arrive[size[state] - 1, : states - stay[state]]
    chain[:, -1] += 1 - np.sum(chain, axis=1)
    system = chain.T - np.eye(states)
    system[-1] = 1.0
    last = np.zeros(states)
    last[-1] = 1.0
    return np.maximum(as_array(np.linalg.solve(as_array(system), last)), 0.0)


def _steady(rate: float, times: Array, left: Array, *, fixed: bool) -> BatchQueue:
    most, waiting = times.shape[0], np.arange(left.size)
    size = _sizes(left.size, most, fixed=fixed)
    mean, square = np.mean(times, axis=1)[size - 1], np.mean(times**2, axis=1)[size - 1]
    missing = np.maximum(size - waiting, 0)
    stay = np.maximum(waiting - size, 0)
    # Requests that wait while others gather: waiting, waiting + 1, … of them, 1 / rate each.
    gathering = missing * waiting / rate + missing * (missing - 1) / (2 * rate)
    held = float(np.sum(left * (gathering + stay * mean + rate * square / 2)))
    cycle = float(np.sum(left * (missing / rate + mean)))
    batch = float(np.sum(left * size))
    served = float(np.sum(left * size * mean)) / batch
    wait = held / (rate * cycle)
    return BatchQueue(wait, wait + served, batch / float(np.sum(left)), float(np.sum(left * mean)) / cycle, left.size)
