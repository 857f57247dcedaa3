"""What the loop writes down beside the requests: samples over time, steps, gaps between tokens.

Reads the state and changes nothing of it.
"""

from __future__ import annotations

import math

from costline.quantities import MICRO
from costline.serving.compiled import compiled
from costline.serving.loop.kv_blocks import counted_blocks
from costline.serving.loop.memory import decoding_of, itl_tokens_of, samples_of, trace_of
from costline.serving.loop.state import BINS, BINS_A_DOUBLING, DECODING, Row


@compiled
def record_gap(run: Row, gap_s: float, tokens: float) -> None:
    """So many tokens came such a time after the one before."""
    place = int(math.log2(gap_s / MICRO) * BINS_A_DOUBLING) if gap_s > MICRO else 0
    itl_tokens_of(run)[min(place, BINS - 1)] += tokens


@compiled
def record_gaps(me: Row, run: Row, time_s: float) -> None:
    """Gaps of the decoding sequences in the steps that end now; the first counts from their last token."""
    first_end_s = me.clock_s + me.first_s
    record_gap(run, first_end_s - me.decoded_s, me.decoding)
    if me.steps > 1:
        record_gap(run, (time_s - first_end_s) / (me.steps - 1), me.decoding * (me.steps - 1.0))
    me.decoded_s = time_s


@compiled
def record_steps(me: Row, run: Row, time_s: float) -> None:
    """A row of the trace, while there is room."""
    if run.traced >= len(trace_of(run)):
        return
    row = trace_of(run)[run.traced]
    run.traced += 1
    row.start_s = me.clock_s
    row.end_s = time_s
    row.replica = me.number
    row.steps = max(1, me.steps)
    row.sequences = me.decoding if me.steps > 0 else 0
    row.prompt_tokens = 0 if me.activity == DECODING else me.chunk_sum
    row.kv_tokens = me.context


@compiled
def record_sample(me: Row, engine: Row, run: Row) -> None:
    """A row of the timeline; when its room is full every other goes, and samples come half as often."""
    samples = samples_of(run)
    if run.samples >= len(samples):
        run.samples = len(samples) // 2
        for place in range(run.samples):
            samples[place] = samples[2 * place]
        run.sample_s *= 2.0
    row = samples[run.samples]
    run.samples += 1
    own = counted_blocks(decoding_of(run, me.number), me.decoding, me.step, engine.block)
    row.time_s = me.clock_s
    row.kv_tokens = me.context
    row.kv_blocks = own + me.prompt_blocks + me.pinned_blocks
    row.replica = me.number
    row.running = me.decoding + me.reading
    row.waiting = me.waiting
    me.sample_s = me.clock_s + run.sample_s
