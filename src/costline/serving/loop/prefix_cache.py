"""The prefix cache of a replica: items that running requests share, and the rest in order of last use.

An item is a hashed block or the common start of a group of prompts. Items that nobody uses fill the blocks that are
left and go, the longest unused first, when those are needed. All operations take a time that does not grow.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.memory import cache_of, item_of, item_start_of, item_tokens_of, kept_tokens_of, requests_of
from costline.serving.loop.state import Row, Rows


@compiled
def item_end(run: Row, position: int, covered: int, prompt: int) -> int:
    """Tokens of a prompt that an item and those before it cover."""
    return min(covered + int(item_tokens_of(run)[position]), prompt)


@compiled
def cached_tokens(run: Row, cache: Rows, request: int, block: int) -> int:
    """Tokens at the start of a prompt that are in the cache; the last token is always computed."""
    prompt = requests_of(run)[request].input
    covered, found = 0, 0
    for position in range(item_start_of(run)[request], item_start_of(run)[request + 1]):
        end = item_end(run, position, covered, prompt)
        blocks = end // block - covered // block
        held = min(blocks, int(cache[item_of(run)[position]].blocks))
        found += held
        if held < blocks:
            break
        covered = end
    return min(found * block, (prompt - 1) // block * block)


@compiled
def pinning_need(run: Row, cache: Rows, request: int, block: int) -> tuple[int, int]:
    """Blocks of the prompt that its items cover, and those of them that no running request holds yet."""
    prompt = requests_of(run)[request].input
    covered, need = 0, 0
    for position in range(item_start_of(run)[request], item_start_of(run)[request + 1]):
        end = item_end(run, position, covered, prompt)
        blocks = end // block - covered // block
        item = cache[item_of(run)[position]]
        need += max(blocks, int(item.blocks)) - (int(item.blocks) if item.users > 0 else 0)
        covered = end
    return covered // block, need


@compiled
def unlink(me: Row, cache: Rows, number: int) -> None:
    """Take an unused item out of the order of last use."""
    item = cache[number]
    if item.older >= 0:
        cache[item.older].newer = item.newer
    else:
        me.oldest = item.newer
    if item.newer >= 0:
        cache[item.newer].older = item.older
    else:
        me.newest = item.older
    me.cached_blocks -= item.blocks


@compiled
def link(me: Row, cache: Rows, number: int) -> None:
    """Put an item that nobody uses any more at the end of the order of last use."""
    item = cache[number]
    item.newer = -1
    item.older = me.newest
    if me.newest >= 0:
        cache[me.newest].newer = number
    else:
        me.oldest = number
    me.newest = number
    me.cached_blocks += item.blocks


@compiled
def pin(me: Row, run: Row, cache: Rows, request: int, block: int) -> None:
    """A request holds its items from now on; what was not cached is, as soon as it is scheduled."""
    prompt = requests_of(run)[request].input
    covered = 0
    for position in range(item_start_of(run)[request], item_start_of(run)[request + 1]):
        number = item_of(run)[position]
        item = cache[number]
        end = item_end(run, position, covered, prompt)
        blocks = end // block - covered // block
        covered = end
        if item.users == 0:
            if item.blocks > 0:
                unlink(me, cache, number)
            me.pinned_blocks += item.blocks
        item.users += 1
        if blocks > item.blocks:
            me.pinned_blocks += blocks - item.blocks
            item.blocks = blocks


@compiled
def unpin(me: Row, run: Row, cache: Rows, request: int, items: int) -> None:
    """A request lets go of its items, the last of them first, so that starts of prompts stay longest."""
    start = item_start_of(run)[request]
    for position in range(start + items - 1, start - 1, -1):
        number = item_of(run)[position]
        item = cache[number]
        item.users -= 1
        if item.users == 0:
            me.pinned_blocks -= item.blocks
            if item.blocks > 0:
                link(me, cache, number)


@compiled
def trim(me: Row, run: Row, sequence: Row, block: int) -> bool:
    """Items that only this sequence holds shrink to what they cover of its prompt; whether any did."""
    request, cache = sequence.request, cache_of(run, me.number)
    prompt = requests_of(run)[request].input
    before, covered = me.pinned_blocks, 0
    start = item_start_of(run)[request] if sequence.items > 0 else 0
    for position in range(start, start + sequence.items):
        item = cache[item_of(run)[position]]
        end = item_end(run, position, covered, prompt)
        blocks = end // block - covered // block
        covered = end
        if item.users == 1 and item.blocks > blocks:
            me.pinned_blocks -= item.blocks - blocks
            item.blocks = blocks
    return me.pinned_blocks < before


@compiled
def keep_answer(me: Row, run: Row, request: int, held: int, block: int) -> None:
    """What a group's request leaves behind when it ends, of the tokens that it holds: its next turn starts with it."""
    start, end = item_start_of(run)[request], item_start_of(run)[request + 1]
    if len(kept_tokens_of(run)) == 0 or end == start:
        return
    before = 0
    for position in range(start, end - 1):
        before += item_tokens_of(run)[position]
    item = cache_of(run, me.number)[item_of(run)[end - 1]]
    blocks = min(int(kept_tokens_of(run)[request]), held) // block - before // block
    if blocks > item.blocks:
        me.pinned_blocks += blocks - item.blocks
        item.blocks = blocks


@compiled
def evict(me: Row, cache: Rows, room: int) -> None:
    """Drop the items that were unused longest until the others fit."""
    while me.cached_blocks > room and me.oldest >= 0:
        number = me.oldest
        unlink(me, cache, number)
        cache[number].blocks = 0


@compiled
def wipe(me: Row, cache: Rows) -> None:
    """The cache of a replica that was lost or released."""
    for number in range(len(cache)):
        cache[number].users = 0
        cache[number].blocks = 0
    me.oldest = -1
    me.newest = -1
    me.cached_blocks = 0
    me.pinned_blocks = 0
