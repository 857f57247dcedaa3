"""Where the loop finds its arrays: the run's row holds their addresses, so that functions pass rows and nothing else.

A tuple of two dozen arrays, handed from function to function, would cost more than the work. Whoever calls the loop
keeps the arrays alive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[import-untyped]
from numba.extending import intrinsic  # type: ignore[import-untyped]

from costline.quantities import Array
from costline.serving.compiled import compiled
from costline.serving.loop.state import (
    CACHED_ITEM,
    DELIVERY,
    ENGINE,
    FAULT,
    REPLICA,
    REQUEST,
    RUN,
    SAMPLE,
    SEQUENCE,
    STEPS,
    Row,
    Rows,
)

_F8, _I4, _I8 = np.float64, np.int32, np.int64
_SEQUENCE_BYTES, _ITEM_BYTES = SEQUENCE.itemsize, CACHED_ITEM.itemsize
_intrinsic: Any = intrinsic


@_intrinsic
def pointer(_context: Any, _address: Any) -> Any:
    """An address as a pointer."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(types.int64), make


@compiled
def run_of(address: int) -> Row:
    """The run's row."""
    return carray(pointer(address), 1, RUN)[0]


@compiled
def requests_of(run: Row) -> Rows:
    """All requests."""
    return carray(pointer(run.requests_at), run.requests_count, REQUEST)


@compiled
def replicas_of(run: Row) -> Rows:
    """All replicas."""
    return carray(pointer(run.replicas_at), run.replicas_count, REPLICA)


@compiled
def engines_of(run: Row) -> Rows:
    """Engines, one a pool."""
    return carray(pointer(run.engines_at), run.engines_count, ENGINE)


@compiled
def numbers_of(run: Row) -> Array:
    """The tables."""
    return carray(pointer(run.numbers_at), run.numbers_count, _F8)


@compiled
def next_s_of(run: Row) -> Array:
    """When something happens to each replica."""
    return carray(pointer(run.next_s_at), run.next_s_count, _F8)


@compiled
def item_start_of(run: Row) -> Any:
    """Where each request's items begin."""
    return carray(pointer(run.item_start_at), run.item_start_count, _I8)


@compiled
def item_of(run: Row) -> Any:
    """Items of the prompts."""
    return carray(pointer(run.item_at), run.item_count, _I4)


@compiled
def item_tokens_of(run: Row) -> Any:
    """Tokens of each of them."""
    return carray(pointer(run.item_tokens_at), run.item_tokens_count, _I4)


@compiled
def kept_tokens_of(run: Row) -> Any:
    """What each request leaves in the cache."""
    return carray(pointer(run.kept_tokens_at), run.kept_tokens_count, _I4)


@compiled
def session_of(run: Row) -> Any:
    """Replica of each session."""
    return carray(pointer(run.session_at), run.session_count, _I4)


@compiled
def session_of_of(run: Row) -> Any:
    """Session of each request."""
    return carray(pointer(run.session_of_at), run.session_of_count, _I4)


@compiled
def first_turn_of(run: Row) -> Any:
    """The first request that waits for each."""
    return carray(pointer(run.first_turn_at), run.first_turn_count, _I4)


@compiled
def other_turn_of(run: Row) -> Any:
    """The next that waits for the same."""
    return carray(pointer(run.other_turn_at), run.other_turn_count, _I4)


@compiled
def by_clock_of(run: Row) -> Any:
    """Requests that come at their own time."""
    return carray(pointer(run.by_clock_at), run.by_clock_count, _I4)


@compiled
def by_turn_of(run: Row) -> Any:
    """Requests of the closed loop."""
    return carray(pointer(run.by_turn_at), run.by_turn_count, _I4)


@compiled
def think_s_of(run: Row) -> Array:
    """Times to think."""
    return carray(pointer(run.think_s_at), run.think_s_count, _F8)


@compiled
def deliveries_of(run: Row) -> Rows:
    """Requests on their way."""
    return carray(pointer(run.deliveries_at), run.deliveries_count, DELIVERY)


@compiled
def faults_of(run: Row) -> Rows:
    """Failures and recoveries."""
    return carray(pointer(run.faults_at), run.faults_count, FAULT)


@compiled
def samples_of(run: Row) -> Rows:
    """The timeline."""
    return carray(pointer(run.samples_at), run.samples_count, SAMPLE)


@compiled
def trace_of(run: Row) -> Rows:
    """The steps."""
    return carray(pointer(run.trace_at), run.trace_count, STEPS)


@compiled
def itl_tokens_of(run: Row) -> Array:
    """The histogram of gaps."""
    return carray(pointer(run.itl_tokens_at), run.itl_tokens_count, _F8)


@compiled
def decoding_of(run: Row, number: int) -> Rows:
    """Decoding sequences of a replica."""
    return carray(pointer(run.decoding_at + number * run.places * _SEQUENCE_BYTES), run.places, SEQUENCE)


@compiled
def reading_of(run: Row, number: int) -> Rows:
    """Sequences of a replica whose prompt is read."""
    return carray(pointer(run.reading_at + number * run.places * _SEQUENCE_BYTES), run.places, SEQUENCE)


@compiled
def cache_of(run: Row, number: int) -> Rows:
    """Prefix cache of a replica."""
    return carray(pointer(run.cache_at + number * run.items * _ITEM_BYTES), run.items, CACHED_ITEM)
