"""The rows that the simulator's loop works on: requests, sequences in a batch, replicas, engines, the run as a whole.

Knows their fields only. Rows are records of NumPy arrays, so that one function takes one row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costline.quantities import MICRO, Array

Row = Any
"""One record of an array below."""
Rows = Any
"""An array of records."""

IDLE, READING, DECODING = 0, 1, 2
"""What a replica does: nothing, a step with prompts, a run of decode steps."""
OFF, BOOTING, ON, DRAINING, DOWN = 0, 1, 2, 3, 4
"""Modes of a replica."""
BOTH, PREFILL, DECODE = 0, 1, 2
"""Roles of a replica."""
NEVER = 1 << 60
"""A step that never comes."""
BINS_A_DOUBLING = 32
BINS = 32 * BINS_A_DOUBLING
"""Of gaps between tokens: from a microsecond to more than an hour, each 2 % wide."""

REQUEST = np.dtype(
    [
        ("arrival_s", "f8"), ("ready_s", "f8"), ("admitted_s", "f8"), ("first_token_s", "f8"), ("finished_s", "f8"),
        ("input", "i4"), ("output", "i4"),
        ("done", "i4"),  # output tokens so far
        ("cached", "i4"), ("replica", "i4"), ("prefill_replica", "i4"), ("preemptions", "i4"), ("retries", "i4"),
        ("child", "i4"), ("sibling", "i4"),  # links of the waiting queue
        ("tier", "i2"), ("state", "i1"),
        ("has_kv", "i1"),  # its cache was handed over
    ],
    align=True,
)  # fmt: skip

SEQUENCE = np.dtype(
    [
        ("request", "i4"),
        ("target", "i4"), ("read", "i4"), ("chunk", "i4"),  # of the prompt: in all, in the cache, in this step
        ("base", "i4"),  # tokens in the cache when decoding began
        ("shared", "i4"),  # blocks of the prompt that belong to the prefix cache
        ("items", "i4"),  # of the prefix, that it holds
        ("start", "i8"), ("finish", "i8"),  # steps of the replica
        ("rate", "f8"),  # tokens a step
    ],
    align=True,
)  # fmt: skip

REPLICA = np.dtype(
    [
        ("clock_s", "f8"), ("last_step_s", "f8"), ("first_s", "f8"), ("growth_s", "f8"),
        ("steps", "i8"),  # of the run under way
        ("step", "i8"),  # steps before it
        ("nearest_finish", "i8"),
        ("context", "f8"), ("growth_tokens", "f8"),  # cache that decoding sequences hold, and gain a step
        ("decoding", "i4"), ("reading", "i4"), ("waiting", "i4"), ("in_flight", "i4"), ("root", "i4"),
        ("chunk_sum", "i4"),
        ("decode_blocks", "i8"),  # of decoding sequences, or a bound above it
        ("prompt_blocks", "i8"), ("pinned_blocks", "i8"), ("cached_blocks", "i8"),
        ("oldest", "i4"), ("newest", "i4"),  # ends of the list of cached items that nobody uses
        ("number", "i4"), ("pool", "i4"), ("role", "i4"), ("mode", "i4"), ("activity", "i4"), ("boots", "i4"),
        ("on_since_s", "f8"), ("on_s", "f8"), ("busy_s", "f8"), ("sample_s", "f8"), ("decoded_s", "f8"),
        ("all_steps", "i8"), ("prompt_tokens", "i8"), ("output_tokens", "i8"),
    ],
    align=True,
)  # fmt: skip

ENGINE = np.dtype(
    [
        ("max_batched", "i4"), ("max_sequences", "i4"), ("is_chunked", "i4"), ("max_chunk", "i4"), ("policy", "i4"),
        ("batching", "i4"), ("order", "i4"), ("preempts", "i4"), ("is_async", "i4"), ("block", "i4"),
        ("caches", "i4"), ("max_waiting", "i4"), ("decode_tokens", "i4"), ("is_random", "i4"), ("drafts", "i4"),
        ("max_model", "i8"), ("capacity", "i8"), ("reserve", "i8"),  # tokens; blocks; blocks kept free by admission
        ("batch_wait_s", "f8"), ("step_s", "f8"), ("mixed_s", "f8"), ("request_s", "f8"), ("mean_tokens", "f8"),
        # where its table lies among the numbers, and how long its axes are
        ("tokens_at", "i8"), ("tokens", "i8"), ("outputs_at", "i8"), ("outputs", "i8"),
        ("knots_at", "i8"), ("knots", "i8"), ("decode_at", "i8"), ("decode_rows", "i8"),
        ("rows_at", "i8"), ("rows", "i8"), ("columns_at", "i8"), ("columns", "i8"), ("prefill_at", "i8"),
        ("acceptance_at", "i8"),
        # its autoscaler; interval 0: none
        ("first", "i4"), ("count", "i4"), ("floor", "i4"), ("signal", "i4"),
        ("target", "f8"), ("interval_s", "f8"), ("boot_s", "f8"), ("hold_s", "f8"),
        ("tick_s", "f8"), ("low_since_s", "f8"), ("generated", "f8"),
    ],
    align=True,
)  # fmt: skip

ARRAYS = (
    "requests", "replicas", "next_s", "engines", "decoding", "reading", "numbers", "cache", "item_start", "item",
    "item_tokens", "kept_tokens", "session", "session_of", "first_turn", "other_turn", "by_clock", "by_turn",
    "think_s", "deliveries", "faults", "samples", "trace", "itl_tokens",
)  # fmt: skip
RUN = np.dtype(
    [
        ("now_s", "f8"), ("retry_s", "f8"), ("transfer_s", "f8"), ("transfer_token_s", "f8"), ("sample_s", "f8"),
        ("seed", "u8"),
        ("next", "i8"), ("next_turn", "i8"),  # place of the request to come by the clock, and in the closed loop
        ("unsettled", "i8"),  # requests whose end is not known
        ("pending", "i8"),  # deliveries on their way
        ("samples", "i8"), ("traced", "i8"), ("next_fault", "i8"),
        ("turn", "i8"), ("turn_with_kv", "i8"),  # of routing
        ("held", "i4"),  # queue of requests that no replica can take
        ("router", "i4"), ("prefix_load_limit", "i4"), ("max_retries", "i4"), ("is_closed", "i4"), ("is_single", "i4"),
        ("is_draining", "i4"),
        ("places", "i8"), ("items", "i8"),  # of each replica
        *((f"{name}_{part}", "i8") for name in ARRAYS for part in ("at", "count")),  # where the arrays of World lie
    ],
    align=True,
)  # fmt: skip

CACHED_ITEM = np.dtype([("users", "i4"), ("blocks", "i4"), ("newer", "i4"), ("older", "i4")])
DELIVERY = np.dtype([("time_s", "f8"), ("request", "i4"), ("order", "i4")])
FAULT = np.dtype([("time_s", "f8"), ("replica", "i4"), ("is_end", "i4")])
SAMPLE = np.dtype(
    [
        ("time_s", "f8"),
        ("kv_tokens", "f8"),
        ("kv_blocks", "i8"),
        ("replica", "i4"),
        ("running", "i4"),
        ("waiting", "i4"),
    ],
    align=True,
)
STEPS = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("kv_tokens", "f8"), ("steps", "i8"), ("replica", "i4"),
        ("sequences", "i4"), ("prompt_tokens", "i4"),
    ],
    align=True,
)  # fmt: skip


class World(NamedTuple):
    """All that the loop works on."""

    run: Rows
    """[1]"""
    requests: Rows
    replicas: Rows
    next_s: Array
    """[replicas]  when something happens to each"""
    engines: Rows
    """[pools]"""
    decoding: Rows
    """[replicas, places]  sequences that decode, in no order"""
    reading: Rows
    """[replicas, places]  sequences whose prompt is read, in the order of admission"""
    numbers: Array
    """the tables, one after the other"""
    cache: Rows
    """[replicas, items]"""
    item_start: NDArray[np.int64]
    item: NDArray[np.int32]
    item_tokens: NDArray[np.int32]
    kept_tokens: NDArray[np.int32]
    """empty: as many as the item has"""
    session: NDArray[np.int32]
    """replica that a session stays on, by session; empty without sessions"""
    session_of: NDArray[np.int32]
    first_turn: NDArray[np.int32]
    """the first request that waits for the end of each; empty where none does"""
    other_turn: NDArray[np.int32]
    by_clock: NDArray[np.int32]
    """requests that come at a time of their own; empty: all do"""
    by_turn: NDArray[np.int32]
    """requests of the closed loop"""
    think_s: Array
    """empty: none"""
    deliveries: Rows
    """a heap by time"""
    faults: Rows
    samples: Rows
    trace: Rows
    itl_tokens: Array


def bin_edges_s() -> Array:
    """Edges of the histogram of gaps between tokens."""
    return MICRO * np.exp2(np.arange(BINS + 1) / BINS_A_DOUBLING)
