"""The requests of a load as arrays, one element a request.

Knows when they come, how long they are and what their prompts share; knows no engine and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.errors import InputError
from costline.quantities import Array

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Prefixes:
    """What prompts have in common, for the prefix cache: items that follow each other from the prompt's start.

    An item is a block of tokens known by a hash that stands for all before it too, or the common start of a group of
    prompts. Request i has the items `item[start[i]:start[i + 1]]`.
    """

    start: Integers
    """[requests + 1]"""
    item: Integers
    """[items in all]  ids, 0 to `ids` − 1"""
    tokens: Integers
    """[items in all]  tokens that the item covers"""
    kept_tokens: Integers | None = None
    """[requests]  tokens from the prompt's start that the request leaves in the cache when it ends, under its last item
    (a turn of a conversation leaves its answer too); as many as its items cover where this is None"""


@dataclass(frozen=True)
class Requests:
    """Requests in the order in which they arrive."""

    arrival_s: Array
    """non-decreasing; inf or NaN where a request waits for its turn (closed loop, or `after` another)"""
    input_tokens: Integers
    output_tokens: Integers
    """at least 1"""
    prefixes: Prefixes | None = None
    session: Integers | None = None
    """for routing that keeps a session on its replica"""
    tier: Integers | None = None
    """0 comes first"""
    tenant: Integers | None = None
    stage: Integers | None = None
    """labels; the simulator does not read them"""
    after: Integers | None = None
    """index of the request that must end before this one is sent (−1: none); `arrival_s` is then not read"""
    think_s: Array | None = None
    """time between that end, or in a closed loop the end that frees a place, and this request"""

    def __post_init__(self) -> None:
        count = len(self.arrival_s)
        for name in ("input_tokens", "output_tokens", "session", "tier", "tenant", "stage", "after", "think_s"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise InputError(f"{name} has {len(values)} elements, arrival_s {count}; give one a request")
        if count and (np.min(self.input_tokens) < 1 or np.min(self.output_tokens) < 1):
            raise InputError("input_tokens and output_tokens must be 1 or more")
        known = self.arrival_s[np.isfinite(self.arrival_s)]
        if np.any(known[1:] < known[:-1]) or np.any(known < 0):
            raise InputError("arrival_s must not fall and must start at 0 or later; sort the requests")
        if self.after is not None and np.any(np.asarray(self.after) >= np.arange(count)):
            raise InputError("after must name an earlier request, or -1")
        if self.prefixes is not None and len(self.prefixes.start) != count + 1:
            raise InputError(f"prefixes.start has {len(self.prefixes.start)} elements; give requests + 1 = {count + 1}")

    def __len__(self) -> int:
        return len(self.arrival_s)


def grouped_prefixes(group: Integers, shared_tokens: Integers, kept_tokens: Integers | None = None) -> Prefixes:
    """Prompts of a group share their first tokens; group −1 shares with none.

    >>> grouped_prefixes(np.array([3, -1, 3]), np.array([100, 0, 120])).start
    array([0, 1, 1, 2])
    """
    has = np.asarray(group) >= 0
    start = np.concatenate([[0], np.cumsum(has)])
    _, item = np.unique(np.asarray(group)[has], return_inverse=True)
    return Prefixes(start, item.astype(np.int32), np.asarray(shared_tokens)[has], kept_tokens)


def hashed_prefixes(start: Integers, hashes: Integers, *, hash_tokens: int) -> Prefixes:
    """Blocks of `hash_tokens` tokens known by hashes that stand for all before them; `start` as of `Prefixes`.

    >>> hashed_prefixes(np.array([0, 2, 3]), np.array([70, 90, 70]), hash_tokens=512).item
    array([0, 1, 0], dtype=int32)
    """
    _, item = np.unique(np.asarray(hashes), return_inverse=True)
    return Prefixes(start, item.astype(np.int32), np.full(len(item), hash_tokens, dtype=np.int32))
