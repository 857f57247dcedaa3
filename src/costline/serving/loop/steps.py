"""Steps of a replica: how long the next one takes, how many equal ones follow, and what they leave.

Starts and ends steps of one replica; what is in them was decided by `admission`.
"""

from __future__ import annotations

import numpy as np

from costline.serving.compiled import compiled
from costline.serving.loop.admission import admit, evict_unused, make_room_to_decode, next_chunks
from costline.serving.loop.batch import (
    NEVER,
    begin_decoding,
    copy_sequence,
    end_together,
    find_nearest_finish,
    leave_reading,
    stop_decoding,
)
from costline.serving.loop.departures import finish, prompt_has_ended
from costline.serving.loop.kv_blocks import fitting_steps
from costline.serving.loop.memory import decoding_of, next_s_of, numbers_of, reading_of, requests_of
from costline.serving.loop.recording import record_gaps, record_sample, record_steps
from costline.serving.loop.state import DECODING, IDLE, READING, Row
from costline.serving.loop.step_time import decode_attention, prefill_attention_s, shared_s
from costline.serving.scheduler import (
    CONTINUOUS,
    DYNAMIC,
    PREFILL_FIRST,
    batch_may_start,
    boundary_at,
    run_time_s,
    steps_below,
)


@compiled
def start_reading(me: Row, engine: Row, run: Row, is_apart: bool) -> None:
    """A step with the chunks that were given out, and with the decoding sequences unless prompts go apart."""
    numbers, reading = numbers_of(run), reading_of(run, me.number)
    sequences = 0 if is_apart else me.decoding
    ended, attention_s = 0, 0.0
    for place in range(me.reading):
        sequence = reading[place]
        if sequence.chunk > 0:
            attention_s += prefill_attention_s(engine, numbers, sequence.chunk, sequence.read)
            ended += sequence.read + sequence.chunk == sequence.target
    if sequences > 0:
        attention_s += decode_attention(engine, numbers, sequences, me.context)[0]
    tokens = sequences * engine.decode_tokens
    me.activity = READING
    me.steps = 1 if sequences > 0 else 0
    me.growth_s = 0.0
    me.first_s = shared_s(engine, numbers, tokens + me.chunk_sum, tokens + ended) + engine.mixed_s + attention_s
    next_s_of(run)[me.number] = me.clock_s + me.first_s


@compiled
def start_decoding(me: Row, engine: Row, run: Row) -> None:
    """Decode steps until a sequence ends, a slope of the table, the cache or a request that waits for the next step."""
    attention_s, slope_s, end_tokens = decode_attention(engine, numbers_of(run), me.decoding, me.context)
    tokens = me.decoding * engine.decode_tokens
    steps = min(me.nearest_finish - me.step, steps_below(me.context, me.growth_tokens, end_tokens))
    comes_next = me.root >= 0 and requests_of(run)[me.root].ready_s > me.last_step_s and engine.batching == CONTINUOUS
    if comes_next or run.is_single:
        steps = 1
    me.activity = DECODING
    me.steps = fitting_steps(me, engine, decoding_of(run, me.number), steps)
    me.first_s = shared_s(engine, numbers_of(run), tokens, tokens) + attention_s
    me.growth_s = slope_s * me.growth_tokens
    next_s_of(run)[me.number] = me.clock_s + run_time_s(me.first_s, me.growth_s, me.steps)


@compiled
def batch_wait_ends_s(me: Row, engine: Row, run: Row) -> float:
    """When an engine that forms batches stops to wait for a full one."""
    return requests_of(run)[me.root].ready_s + engine.batch_wait_s if me.root >= 0 else np.inf


@compiled
def start_step(me: Row, engine: Row, run: Row) -> None:
    """Decide on the next step of a replica and start it."""
    is_gated = engine.batching != CONTINUOUS
    is_apart = is_gated or engine.policy == PREFILL_FIRST
    is_idle = me.decoding + me.reading == 0
    me.chunk_sum = 0
    if me.cached_blocks > 0:
        evict_unused(me, engine, run)
    has_preempted = make_room_to_decode(me, engine, run) if me.decoding > 0 else False
    budget = engine.max_batched - (0 if is_apart else me.decoding * engine.decode_tokens)
    next_chunks(me, engine, run, budget)
    may_join = me.root >= 0 and not has_preempted
    if may_join and is_gated:
        waited_out = run.is_draining or me.clock_s >= batch_wait_ends_s(me, engine, run)
        may_join = is_idle and batch_may_start(engine.batching, me.waiting, engine.max_sequences, waited_out)
    if may_join:
        admit(me, engine, run, budget, is_gated)
    if me.clock_s >= me.sample_s:
        record_sample(me, engine, run)
    if me.chunk_sum > 0:
        start_reading(me, engine, run, is_apart)
    elif me.decoding > 0:
        start_decoding(me, engine, run)
    else:
        me.activity = IDLE
        next_s_of(run)[me.number] = batch_wait_ends_s(me, engine, run) if is_gated else np.inf


@compiled
def end_decoded(me: Row, engine: Row, run: Row, time_s: float) -> None:
    """Sequences whose last token is out leave."""
    decoding = decoding_of(run, me.number)
    place = 0
    while place < me.decoding:
        if decoding[place].finish <= me.step:
            finish(me, engine, run, stop_decoding(me, engine, run, place, True), time_s)
        else:
            place += 1
    find_nearest_finish(me, decoding)


@compiled
def end_chunks(me: Row, engine: Row, run: Row, time_s: float) -> None:
    """Chunks are in the cache; sequences whose prompt is read decode or leave, the others stay in order."""
    reading, stay = reading_of(run, me.number), 0
    is_padded = engine.batching >= DYNAMIC
    for place in range(me.reading):
        sequence = reading[place]
        sequence.read += sequence.chunk
        sequence.chunk = 0
        if sequence.read < sequence.target:
            if stay < place:
                copy_sequence(reading[stay], sequence)
            stay += 1
        elif is_padded or prompt_has_ended(me, engine, run, sequence.request, time_s):
            if is_padded:
                first_token_of_batch(engine, run, sequence, time_s)
            begin_decoding(me, engine, run, sequence)
            own = (sequence.target + engine.block - 1) // engine.block - sequence.shared
            me.prompt_blocks -= own
        else:
            leave_reading(me, engine, run, sequence, True)
    me.reading = stay
    if is_padded and me.reading == 0:
        end_together(me, decoding_of(run, me.number))
        if me.nearest_finish <= me.step:
            end_decoded(me, engine, run, time_s)


@compiled
def first_token_of_batch(engine: Row, run: Row, sequence: Row, time_s: float) -> None:
    """A prompt of a padded batch is read; its request stays until all end."""
    row = requests_of(run)[sequence.request]
    row.done += 1
    engine.generated += 1.0
    if np.isnan(row.first_token_s):
        row.first_token_s = time_s + engine.request_s


@compiled
def end_step(me: Row, engine: Row, run: Row, time_s: float) -> None:
    """What the step or steps under way leave."""
    is_reading = me.activity == READING
    record_steps(me, run, time_s)
    if me.steps > 0:
        record_gaps(me, run, time_s)
        engine.generated += me.growth_tokens * me.steps
    if is_reading:
        me.last_step_s = me.clock_s
        me.prompt_tokens += me.chunk_sum
        me.all_steps += 1
    else:
        me.last_step_s = time_s - (me.first_s + me.growth_s * (me.steps - 1))
        me.all_steps += me.steps
    me.busy_s += time_s - me.clock_s
    me.clock_s = time_s
    me.step += me.steps
    me.context += me.growth_tokens * me.steps
    if me.decoding == 0:
        me.nearest_finish = NEVER
        me.decoded_s = time_s
    elif me.step >= me.nearest_finish:
        end_decoded(me, engine, run, time_s)
    if is_reading:
        end_chunks(me, engine, run, time_s)
    me.activity = IDLE


@compiled
def shorten_run(me: Row, engine: Row, run: Row, time_s: float) -> None:
    """A request came that may join: decode steps go on only to where it does."""
    if me.activity != DECODING or me.steps <= 1 or engine.batching != CONTINUOUS:
        return
    if me.decoding + me.reading >= engine.max_sequences and not engine.preempts:
        return
    last = boundary_at(time_s - me.clock_s, me.first_s, me.growth_s, me.steps)
    if engine.is_async:
        last += 1
    if last < me.steps:
        me.steps = last
        next_s_of(run)[me.number] = me.clock_s + run_time_s(me.first_s, me.growth_s, last)
