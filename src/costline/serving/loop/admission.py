"""What a replica's next step holds: chunks of prompts, requests that join, sequences that must give way.

Acts on one replica at the start of a step. Knows no other replica.
"""

from __future__ import annotations

import math

from costline.serving.compiled import compiled
from costline.serving.loop.batch import begin_decoding, find_nearest_finish, worst_place
from costline.serving.loop.departures import preempt
from costline.serving.loop.kv_blocks import blocks_of, count_again, free_blocks, has_free
from costline.serving.loop.memory import cache_of, decoding_of, item_start_of, reading_of, requests_of
from costline.serving.loop.prefix_cache import cached_tokens, evict, pin, pinning_need, trim
from costline.serving.loop.state import Row
from costline.serving.loop.waiting import without_root
from costline.serving.scheduler import chunk_tokens, has_come


@compiled
def evict_unused(me: Row, engine: Row, run: Row) -> None:
    """Cached items fill no more than the blocks that are left."""
    if me.cached_blocks > free_blocks(me, engine):
        count_again(me, engine, decoding_of(run, me.number))
        evict(me, cache_of(run, me.number), free_blocks(me, engine))


@compiled
def make_room_to_decode(me: Row, engine: Row, run: Row) -> bool:
    """Preempt until the next decode step fits; whether any was."""
    has_preempted = False
    decoding = decoding_of(run, me.number)
    me.decode_blocks += me.decoding * blocks_of(1 + engine.drafts, engine.block)
    while me.decoding > 0 and not has_free(me, engine, decoding, 0):
        if me.decoding == 1 and trim(me, run, decoding[0], engine.block):
            continue
        preempt(me, engine, run, worst_place(me, requests_of(run), decoding, reading_of(run, me.number)))
        count_again(me, engine, decoding)
        has_preempted = True
    if has_preempted:
        find_nearest_finish(me, decoding)
    return has_preempted


@compiled
def next_chunks(me: Row, engine: Row, run: Row, budget: int) -> None:
    """Prompts under way take their next chunk, in order, as far as the budget goes."""
    reading = reading_of(run, me.number)
    for place in range(me.reading):
        sequence = reading[place]
        left = sequence.target - sequence.read
        sequence.chunk = chunk_tokens(
            left, budget - me.chunk_sum, engine.max_chunk, engine.is_chunked, me.chunk_sum == 0
        )
        me.chunk_sum += sequence.chunk


@compiled
def gives_place(me: Row, engine: Row, run: Row) -> bool:
    """Preempt the worst sequence if the first that waits is of a higher tier; whether it was."""
    if not engine.preempts or me.decoding + me.reading == 0:
        return False
    decoding, reading = decoding_of(run, me.number), reading_of(run, me.number)
    place = worst_place(me, requests_of(run), decoding, reading)
    victim = decoding[place].request if place >= 0 else reading[-1 - place].request
    if requests_of(run)[victim].tier <= requests_of(run)[me.root].tier:
        return False
    preempt(me, engine, run, place)
    find_nearest_finish(me, decoding)
    return True


@compiled
def has_blocks(me: Row, engine: Row, run: Row, need: int) -> bool:
    """Whether the first that waits fits, beside the blocks that admission leaves free while anything runs."""
    reserve = engine.reserve if me.decoding + me.reading > 0 else 0
    return has_free(me, engine, decoding_of(run, me.number), need + reserve)


@compiled
def admit_with_cache(me: Row, engine: Row, run: Row) -> bool:
    """The first that waits decodes at once, from a cache that was handed over; whether it fits."""
    row = requests_of(run)[me.root]
    held = row.input + row.done - 1
    if not has_blocks(me, engine, run, blocks_of(held + 1, engine.block)):
        return False
    sequence = reading_of(run, me.number)[me.reading]
    sequence.request = me.root
    sequence.target = held
    sequence.shared = 0
    sequence.items = 0
    begin_decoding(me, engine, run, sequence)
    me.decode_blocks += blocks_of(1 + engine.drafts, engine.block)
    return True


@compiled
def admit_to_read(me: Row, engine: Row, run: Row, budget: int, is_gated: bool) -> bool:
    """The first that waits begins with its prompt, as far as the cache lacks it; whether it fits."""
    request = me.root
    row, cache = requests_of(run)[request], cache_of(run, me.number)
    target = row.input + row.done
    cached, shared, need, items = 0, 0, 0, 0
    if engine.caches and len(item_start_of(run)) > 1:
        cached = cached_tokens(run, cache, request, engine.block)
        items = item_start_of(run)[request + 1] - item_start_of(run)[request]
        shared, need = pinning_need(run, cache, request, engine.block)
    chunk = chunk_tokens(target - cached, budget - me.chunk_sum, engine.max_chunk, engine.is_chunked, me.chunk_sum == 0)
    own = blocks_of(target, engine.block) - shared
    if (chunk == 0 and not is_gated) or not has_blocks(me, engine, run, own + need):
        return False
    if items > 0:
        pin(me, run, cache, request, engine.block)
    sequence = reading_of(run, me.number)[me.reading]
    sequence.request = request
    sequence.target = target
    sequence.read = cached
    sequence.chunk = chunk
    sequence.shared = shared
    sequence.items = items
    me.reading += 1
    me.chunk_sum += chunk
    me.prompt_blocks += own
    if math.isnan(row.admitted_s):
        row.cached = cached
    return True


@compiled
def admit(me: Row, engine: Row, run: Row, budget: int, is_gated: bool) -> None:
    """Waiting requests join in their order, until one does not fit."""
    was_idle = me.decoding + me.reading == 0
    while me.root >= 0:
        row = requests_of(run)[me.root]
        if not has_come(row.ready_s, me.clock_s, me.last_step_s, was_idle, engine.is_async):
            break
        fits = me.decoding + me.reading < engine.max_sequences
        if fits and row.has_kv:
            fits = admit_with_cache(me, engine, run)
        elif fits:
            fits = admit_to_read(me, engine, run, budget, is_gated)
        if fits:
            if math.isnan(row.admitted_s):
                row.admitted_s = me.clock_s
            me.root = without_root(requests_of(run), me.root, engine.order)
            me.waiting -= 1
        elif me.cached_blocks > 0 and me.decoding + me.reading == 0:
            # A group's longer start would be held beside the prompt; without it every request fits.
            evict(me, cache_of(run, me.number), 0)
        elif not gives_place(me, engine, run):
            break
