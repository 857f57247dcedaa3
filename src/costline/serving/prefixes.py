"""What prompts have in common: a start that all share, a few prompts that come again and again, blocks known by hash.

Makes the items of `Prefixes`; knows no cache, only what one that never forgets would find.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import Array, as_array
from costline.serving.requests import Integers, Prefixes


def repeated_prompts(prompt_tokens: Array, prompt: Integers, *, shared_tokens: int = 0) -> Prefixes:
    """Requests that send one of a few prompts, known by their lengths, all with a common start.

    Items: the start, then the rest of the prompt. A cache of blocks finds the rest only after a start of whole blocks.
    """
    if not shared_tokens >= 0 or (prompt_tokens.size and np.min(prompt_tokens) <= shared_tokens):
        raise DomainError(f"shared_tokens={shared_tokens} must be >= 0 and less than every prompt; lower it")
    begins, count = int(shared_tokens > 0), len(prompt)
    item = np.zeros((count, begins + 1), np.int64)
    tokens = np.full((count, begins + 1), shared_tokens, np.int64)
    item[:, -1] = begins + np.asarray(prompt)
    tokens[:, -1] = prompt_tokens[prompt] - shared_tokens
    return Prefixes(np.arange(count + 1, dtype=np.int64) * (begins + 1), item.ravel(), tokens.ravel())


def chosen_prefixes(prefixes: Prefixes, chosen: Integers) -> Prefixes:
    """The items of some of the requests, in the order given."""
    start = np.asarray(prefixes.start)
    lengths = np.diff(start)[chosen]
    begin = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(int(begin[-1])) + np.repeat(start[chosen] - begin[:-1], lengths)
    kept = None if prefixes.kept_tokens is None else np.asarray(prefixes.kept_tokens)[chosen]
    return Prefixes(begin, np.asarray(prefixes.item)[place], np.asarray(prefixes.tokens)[place], kept)


def block_prefixes(start: Integers, hashes: Integers, input_tokens: Array, *, hash_tokens: int) -> Prefixes:
    """Blocks of `hash_tokens` known by hashes that stand for all before them; the last may be a shorter rest."""
    item = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    before = (np.arange(item.size) - np.asarray(start)[owner]) * hash_tokens
    tokens = np.clip(input_tokens[owner] - before, 0, hash_tokens).astype(np.int64)
    return Prefixes(np.asarray(start), item, tokens)


@dataclass(frozen=True)
class PrefixReuse:
    """How much of a row of prompts came before, if a cache never forgot."""

    items: int
    distinct_items: int
    item_tokens: float
    """Tokens in all items."""
    seen_tokens: float
    """Tokens of items that an earlier prompt had."""
    cached_tokens: Array
    """Of each prompt: tokens seen before with nothing new ahead of them, which is what a prefix cache can find."""

    @property
    def seen_share(self) -> float:
        """Tokens seen before over tokens of all items."""
        return self.seen_tokens / self.item_tokens if self.item_tokens else 0.0


def prefix_reuse(prefixes: Prefixes) -> PrefixReuse:
    """What comes again, prompts taken in their order."""
    start, item, tokens = (np.asarray(values) for values in (prefixes.start, prefixes.item, prefixes.tokens))
    lengths = np.diff(start)
    first = np.unique(item, return_index=True)[1]
    fresh = np.zeros(item.size, bool)
    fresh[first] = True
    owner = np.repeat(np.arange(lengths.size), lengths)
    place = np.arange(item.size) - start[owner]
    leading: NDArray[np.int64] = lengths.astype(np.int64)
    np.minimum.at(leading, owner[fresh], place[fresh])
    sums = np.concatenate([[0.0], np.cumsum(tokens)])
    return PrefixReuse(
        items=int(item.size),
        distinct_items=int(first.size),
        item_tokens=float(sums[-1]),
        seen_tokens=float(sums[-1] - np.sum(tokens[fresh])),
        cached_tokens=as_array(sums[start[:-1] + leading] - sums[start[:-1]]),
    )
