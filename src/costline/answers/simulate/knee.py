"""Where a replica tips over: what it can sustain, and how much a small error of its step time grows under load.

Closed forms on a step table; the simulation is not asked. Knows no randomness: a knee is where the means tip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from costline.quantities import Array, as_array
from costline.serving.queueing import sakasegawa_wait_s
from costline.serving.step_table import StepTable

LOADS = 96
MOST_KNOWN_GAIN = 0.999
HALF_OCTAVE = math.log(2.0) / 2
MOST_GAIN = 0.8
"""Gain at the knee: a step 1 % slower makes answers 5 % slower."""


@dataclass(frozen=True)
class Mix:
    """What requests are like on average."""

    input_tokens: float
    new_tokens: float
    """Of the prompt that are computed."""
    output_tokens: float
    tokens_a_step: float = 1.0
    """That a decode step adds to a sequence: more than 1 where it verifies drafts."""


@dataclass(frozen=True)
class LoadCurve:
    """A replica in steady state at rising batches; arrays of one length."""

    batch: Array
    rate: Array
    """Requests per second."""
    e2e_s: Array
    tpot_s: Array
    ttft_s: Array
    gain: Array
    """Rate times the growth of a request's time with each further request: 1 - 1 / amplification."""
    wait_s: Array
    """Mean wait for a place where requests come at random and each place is a server: inf at the largest batch."""

    @property
    def knee(self) -> int:
        """Index of the knee: the first load at which the gain is 0.8, or the largest batch."""
        beyond = np.flatnonzero(self.gain >= MOST_GAIN)
        return int(beyond[0]) if beyond.size else self.batch.size - 1

    def at(self, rate: float) -> tuple[float, float]:
        """Batch and gain at a rate; those of the largest batch beyond what it sustains."""
        return float(np.interp(rate, self.rate, self.batch)), float(np.interp(rate, self.rate, self.gain))


def load_curve(table: StepTable, mix: Mix, *, most: int, chunk_tokens: int, late_steps: float) -> LoadCurve:
    """Rate, latencies and gain of a replica from one request at a time to `most` at once.

    N requests finish in the time of all their answers' steps together plus the extra time of each one's prompt, which
    all share: rate = N / (n t(N) + N x). The gain is d ln E2E / d ln N along the curve.
    """
    if most < 2:
        return _one_at_a_time(table, mix, chunk_tokens, late_steps)
    batch = np.unique(np.round(np.geomspace(1.0, most, LOADS)))
    step = decode_step_s(table, batch, mix.input_tokens + mix.output_tokens / 2)
    extra = prompt_extra_s(table, batch, mix, chunk_tokens)
    steps = mix.output_tokens / mix.tokens_a_step
    rate = batch / (steps * step + batch * extra)
    paced = step + rate * step * extra
    tpot = paced / mix.tokens_a_step
    first = late_steps * paced + extra + table.request_s
    e2e = first + tpot * (mix.output_tokens - 1)
    gain = np.clip(_slope(np.log(batch), np.log(e2e)), 0.0, MOST_KNOWN_GAIN)
    rising = np.maximum.accumulate(rate) == rate
    wait = sakasegawa_wait_s(batch[-1], rate / rate.max(), e2e, 1.0)
    return LoadCurve(*(one[rising] for one in (batch, rate, e2e, tpot, first, gain, wait)))


def _one_at_a_time(table: StepTable, mix: Mix, chunk_tokens: int, late_steps: float) -> LoadCurve:
    """A replica with one place: a request takes as long at every load, which the batch is the share of."""
    alone = as_array([1.0])
    step = float(decode_step_s(table, alone, mix.input_tokens + mix.output_tokens / 2)[0])
    extra = float(prompt_extra_s(table, alone, mix, chunk_tokens)[0])
    steps = mix.output_tokens / mix.tokens_a_step
    used, same = as_array(np.linspace(1 / LOADS, 1.0, LOADS)), np.ones(LOADS)
    first = late_steps * step + extra + table.request_s
    e2e = first + step / mix.tokens_a_step * (mix.output_tokens - 1)
    return LoadCurve(
        batch=used,
        rate=used / (steps * step + extra),
        e2e_s=e2e * same,
        tpot_s=step / mix.tokens_a_step * same,
        ttft_s=first * same,
        gain=0.0 * same,
        wait_s=sakasegawa_wait_s(1, used, e2e, 1.0),
    )


def _slope(at: Array, values: Array) -> Array:
    """Growth over a stretch of a factor of two, so that steps of captured graphs do not count as growth."""
    low, high = np.maximum(at - HALF_OCTAVE, at[0]), np.minimum(at + HALF_OCTAVE, at[-1])
    return (np.interp(high, at, values) - np.interp(low, at, values)) / (high - low)


def decode_step_s(table: StepTable, batch: Array, context_tokens: float) -> Array:
    """A step of so many decoding sequences of one mean context, and no prompt."""
    counts = np.arange(len(table.decode_attention_s), dtype=np.float64)
    attention = _column(table.decode_context_tokens, table.decode_attention_s, context_tokens)
    tokens = np.interp(table.decode_tokens * batch, np.arange(len(table.tokens_s)), table.tokens_s)
    sampled = np.interp(table.decode_tokens * batch, np.arange(len(table.outputs_s)), table.outputs_s)
    return table.step_s + tokens + np.interp(batch, counts, attention) + sampled


def prompt_extra_s(table: StepTable, batch: Array, mix: Mix, chunk_tokens: int) -> Array:
    """What a prompt adds to the steps that it joins."""
    chunks = max(math.ceil(mix.new_tokens / chunk_tokens), 1)
    each = mix.new_tokens / chunks
    axis = np.arange(len(table.tokens_s))
    with_it = np.interp(batch + each, axis, table.tokens_s) - np.interp(batch, axis, table.tokens_s)
    slope = float(table.tokens_s[-1] - table.tokens_s[-2])
    beyond = np.maximum(batch + each - axis[-1], 0.0) * slope
    before = mix.input_tokens - mix.new_tokens + (mix.new_tokens - each) / 2
    column = _column(table.prefill_context_tokens, table.prefill_attention_s, before)
    attention = float(np.interp(each, table.prefill_new_tokens, column))
    return as_array(chunks * (with_it + beyond + attention + table.mixed_s))


def prompt_alone_s(table: StepTable, mix: Mix, chunk_tokens: int) -> float:
    """A prompt on a replica that does nothing else."""
    chunks = max(math.ceil(mix.new_tokens / chunk_tokens), 1)
    extra = float(prompt_extra_s(table, as_array([0.0]), mix, chunk_tokens)[0])
    return chunks * table.step_s + extra + float(table.outputs_s[1])


def prompt_share_s(table: StepTable, mix: Mix, step_tokens: float) -> float:
    """A prompt's share of steps that are full of prompts."""
    bare = replace(table, tokens_s=np.zeros_like(table.tokens_s), mixed_s=0.0)
    own = float(prompt_extra_s(bare, as_array([0.0]), mix, max(int(step_tokens), 1))[0])
    step = table.step_s + table.mixed_s + float(np.interp(step_tokens, np.arange(len(table.tokens_s)), table.tokens_s))
    return mix.new_tokens / step_tokens * step + own + float(table.outputs_s[1])


def _column(axis: Array, rows: Array, at: float) -> Array:
    """Each row's value at a point of its axis, along straight lines; beyond the ends the outermost value."""
    after = int(np.clip(np.searchsorted(axis, at), 1, len(axis) - 1))
    share = min(max((at - axis[after - 1]) / (axis[after] - axis[after - 1]), 0.0), 1.0)
    return (1 - share) * rows[:, after - 1] + share * rows[:, after]
