"""The sequences of a replica: who decodes, whose prompt is read, who leaves.

Keeps the counts of a replica in step with its sequences. Knows neither queues nor times.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.kv_blocks import blocks_of, held_tokens
from costline.serving.loop.memory import cache_of, decoding_of, numbers_of, requests_of
from costline.serving.loop.prefix_cache import keep_answer, unpin
from costline.serving.loop.state import NEVER, Row, Rows
from costline.serving.loop.step_time import mixed_bits, verification_steps


@compiled
def begin_decoding(me: Row, engine: Row, run: Row, sequence: Row) -> None:
    """A sequence whose prompt is in the cache decodes from the next step on."""
    request = requests_of(run)[sequence.request]
    left = request.output - request.done
    seed = mixed_bits(run.seed, sequence.request)
    steps = verification_steps(engine, numbers_of(run), seed, left)
    place = decoding_of(run, me.number)[me.decoding]
    place.request = sequence.request
    place.target = sequence.target
    place.shared = sequence.shared
    place.items = sequence.items
    place.base = sequence.target
    place.rate = left / steps if steps > 0 else 0.0
    place.start = me.step
    place.finish = me.step + steps
    me.decoding += 1
    me.context += place.base
    me.growth_tokens += place.rate
    me.decode_blocks += blocks_of(place.base, engine.block) - place.shared
    me.nearest_finish = min(me.nearest_finish, place.finish)


@compiled
def copy_sequence(to: Row, source: Row) -> None:
    """A sequence moves to another place."""
    to.request = source.request
    to.target = source.target
    to.read = source.read
    to.chunk = source.chunk
    to.base = source.base
    to.shared = source.shared
    to.items = source.items
    to.start = source.start
    to.finish = source.finish
    to.rate = source.rate


@compiled
def stop_decoding(me: Row, engine: Row, run: Row, place: int, is_end: bool) -> int:
    """Take a decoding sequence out, its blocks are free; returns its request, whose count of tokens is brought up."""
    decoding = decoding_of(run, me.number)
    sequence = decoding[place]
    number = sequence.request
    held = held_tokens(sequence, me.step)
    requests_of(run)[number].done += held - sequence.base
    me.decode_blocks -= blocks_of(held, engine.block) - sequence.shared
    me.context -= held
    me.growth_tokens -= sequence.rate
    if sequence.items > 0:
        if is_end:
            keep_answer(me, run, number, held, engine.block)
        unpin(me, run, cache_of(run, me.number), number, sequence.items)
    me.decoding -= 1
    if place < me.decoding:
        copy_sequence(sequence, decoding[me.decoding])
    if me.decoding == 0:
        me.context = 0.0
        me.growth_tokens = 0.0
        me.decode_blocks = 0
    return number


@compiled
def find_nearest_finish(me: Row, decoding: Rows) -> None:
    """The first step after which a decoding sequence ends."""
    nearest = NEVER
    for place in range(me.decoding):
        nearest = min(nearest, decoding[place].finish)
    me.nearest_finish = nearest


@compiled
def leave_reading(me: Row, engine: Row, run: Row, sequence: Row, is_end: bool) -> None:
    """A prompt's blocks are free again."""
    me.prompt_blocks -= blocks_of(sequence.target, engine.block) - sequence.shared
    if sequence.items > 0:
        if is_end:
            keep_answer(me, run, sequence.request, sequence.target, engine.block)
        unpin(me, run, cache_of(run, me.number), sequence.request, sequence.items)


@compiled
def close_gap(me: Row, reading: Rows, place: int) -> None:
    """Those behind a place whose prompt is read no more move up."""
    me.reading -= 1
    for later in range(place, me.reading):
        copy_sequence(reading[later], reading[later + 1])


@compiled
def end_together(me: Row, decoding: Rows) -> None:
    """All sequences of a padded batch end with its longest."""
    longest = me.step
    for place in range(me.decoding):
        longest = max(longest, decoding[place].finish)
    me.growth_tokens = 0.0
    for place in range(me.decoding):
        sequence = decoding[place]
        if longest > sequence.start:
            sequence.rate *= (sequence.finish - sequence.start) / (longest - sequence.start)
        sequence.finish = longest
        me.growth_tokens += sequence.rate
    me.nearest_finish = longest


@compiled
def is_worse(requests: Rows, one: int, other: int) -> bool:
    """Whether one request gives way before the other: lower tier, then later come."""
    a, b = requests[one], requests[other]
    return (a.tier, a.ready_s, one) > (b.tier, b.ready_s, other)


@compiled
def worst_place(me: Row, requests: Rows, decoding: Rows, reading: Rows) -> int:
    """Where the request is that gives way first: a decoding place, or −1 − a reading one."""
    worst, request = 0, -1
    for place in range(me.decoding):
        if request < 0 or is_worse(requests, decoding[place].request, request):
            worst, request = place, decoding[place].request
    for place in range(me.reading):
        if request < 0 or is_worse(requests, reading[place].request, request):
            worst, request = -1 - place, reading[place].request
    return worst
