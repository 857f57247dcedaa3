"""Blocks of KV cache that sequences hold.

Decoding sequences fill blocks as they go. Their sum is known exactly when it is counted, and is otherwise a bound
from above, `decode_blocks`; it is counted again whenever the bound would decide something.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.state import Row, Rows


@compiled
def blocks_of(tokens: int, block: int) -> int:
    """Blocks that so many tokens fill."""
    return (tokens + block - 1) // block


@compiled
def held_tokens(sequence: Row, step: int) -> int:
    """Tokens that a decoding sequence has in the cache before a step."""
    return sequence.base + int(sequence.rate * (step - sequence.start) + 1e-6)


@compiled
def counted_blocks(decoding: Rows, count: int, step: int, block: int) -> int:
    """Blocks of its own that each decoding sequence holds before a step, summed."""
    total = 0
    for place in range(count):
        sequence = decoding[place]
        total += blocks_of(held_tokens(sequence, step), block) - sequence.shared
    return total


@compiled
def free_blocks(me: Row, engine: Row) -> int:
    """Blocks that no running request holds, by the bound; those of cached items that nobody uses are among them."""
    return engine.capacity - me.pinned_blocks - me.prompt_blocks - me.decode_blocks


@compiled
def count_again(me: Row, engine: Row, decoding: Rows) -> None:
    """Replace the bound by the blocks that the next step needs."""
    me.decode_blocks = counted_blocks(decoding, me.decoding, me.step + 1, engine.block)


@compiled
def has_free(me: Row, engine: Row, decoding: Rows, blocks: int) -> bool:
    """Whether so many blocks are free beside what the next step needs."""
    if blocks <= free_blocks(me, engine):
        return True
    count_again(me, engine, decoding)
    return blocks <= free_blocks(me, engine)


@compiled
def fitting_steps(me: Row, engine: Row, decoding: Rows, steps: int) -> int:
    """Of so many decode steps, those that the cache has room for; takes the blocks for them."""
    most_a_sequence = blocks_of(steps * (1 + engine.drafts) + 1, engine.block)
    more = me.decoding * most_a_sequence
    if more <= free_blocks(me, engine):
        me.decode_blocks += more
        return steps
    room = engine.capacity - me.pinned_blocks - me.prompt_blocks
    low, high = 1, steps
    while low < high:
        middle = (low + high + 1) // 2
        if counted_blocks(decoding, me.decoding, me.step + middle, engine.block) <= room:
            low = middle
        else:
            high = middle - 1
    me.decode_blocks = counted_blocks(decoding, me.decoding, me.step + low, engine.block)
    return low
