"""Steady state of continuous batching with chunked prefill: what a lane sustains, from two step times.

Given the time of a decode step and of a step that also carries a chunk of a prompt; knows no physics.
"""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, Numeric, as_array


def long_step_share(chunk_share: Numeric, lanes: Numeric) -> Array:
    """Share of rounds in which at least one lane of a pipeline carries a prompt, so that all wait for it.

    Equation
        F = 1 - (1 - f)^p

    Parameters
        chunk_share  f  [1]  array  in [0, 1], share of a lane's steps that carry a prompt
        lanes        p  [1]  array  >= 1, lanes in flight behind one another

    Returns
        F  [1]  array; f for one lane

    Holds when  lanes take in prompts independently and each has one step in the pipeline: the slowest sets the pace.
    Source      [derived]
    Raises      nothing

    >>> float(long_step_share(0.5, 1)), float(long_step_share(0.5, 2)), float(long_step_share(1.0, 4))
    (0.5, 0.75, 1.0)
    """
    return 1 - (1 - as_array(chunk_share)) ** as_array(lanes)


def request_cycle_s(
    batch: Numeric,
    decode_steps: Numeric,
    chunks: Numeric,
    *,
    decode_step_s: Numeric,
    chunk_step_s: Numeric,
    lanes: Numeric = 1.0,
) -> Array:
    """Time in which a lane that holds `batch` sequences takes in and finishes one request.

    Equation
        C = K (T_d + F (T_c - T_d)),  K = max(D / b, m),  F = 1 - (1 - m / K)^p
        for one lane: C = m T_c + max(D / b - m, 0) T_d

    Parameters
        batch          b    [1]  array  > 0, sequences that decode together
        decode_steps   D    [1]  array  >= 0, tokens of a request after the first
        chunks         m    [1]  array  > 0, steps that its prompt takes
        decode_step_s  T_d  [s]  array  without a prompt
        chunk_step_s   T_c  [s]  array  with one chunk of a prompt
        lanes          p    [1]  array  >= 1, of a pipeline: all wait while one carries a prompt

    Returns
        C  [s]  array, 1 / (requests per second of the lane)

    Holds when  one request leaves every D / b steps and every step may carry one chunk; where m > D / b prompts alone
                fill the lane.
    Source      [agrawal-2024] mixed steps; [derived]
    Raises      nothing

    >>> round(float(request_cycle_s(64, 1024, 1, decode_step_s=0.02, chunk_step_s=0.3)), 6)
    0.6
    """
    steps = np.maximum(as_array(decode_steps) / batch, chunks)
    share = long_step_share(as_array(chunks) / steps, lanes)
    return steps * (decode_step_s + share * (as_array(chunk_step_s) - decode_step_s))


def loaded_tpot_s(cycle_s: Numeric, batch: Numeric, decode_steps: Numeric) -> Array:
    """Mean time per output token of a sequence that decodes in a lane with others' prompts in between.

    Equation
        TPOT = C b / D

    Parameters
        cycle_s       C  [s]  array
        batch         b  [1]  array
        decode_steps  D  [1]  array

    Returns
        TPOT  [s]  array; 0 where nothing is decoded

    Holds when  the batch is steady (Little's law over the decode phase).
    Source      [little-1961]; derived here
    Raises      nothing

    >>> round(float(loaded_tpot_s(0.6, 64, 1024)), 6)
    0.0375
    """
    steps = as_array(decode_steps)
    return np.where(steps > 0, as_array(cycle_s) * batch / np.maximum(steps, 1.0), 0.0)


def crowded_batch(batch: Numeric, quantile_sigma: float) -> Array:
    """Sequences in a lane at a high quantile, when their number fluctuates like independent arrivals.

    Equation
        b_q = b + z sqrt(b)

    Parameters
        batch           b  [1]  array   mean number in service
        quantile_sigma  z  [1]  scalar  standard deviations (2.33 for p99)

    Returns
        b_q  [1]  array

    Holds when  arrivals are Poisson and service does not queue (M/G/inf: the number in service is Poisson).
    Source      [kleinrock-1975]
    Raises      nothing

    >>> round(float(crowded_batch(64, 2.33)), 2)
    82.64
    """
    b = as_array(batch)
    return b + quantile_sigma * np.sqrt(np.maximum(b, 0.0))
