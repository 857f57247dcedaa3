"""The simulator's rows filled from requests and a fleet.

Knows what the settings mean to the loop; not what the loop does.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from costline.errors import InputError
from costline.quantities import Array
from costline.serving import fleet as settings
from costline.serving.fleet import Engine, Fleet, Pool
from costline.serving.loop.state import (
    ARRAYS,
    BINS,
    CACHED_ITEM,
    DELIVERY,
    ENGINE,
    FAULT,
    NEVER,
    OFF,
    ON,
    REPLICA,
    REQUEST,
    RUN,
    SAMPLE,
    SEQUENCE,
    STEPS,
    Rows,
    World,
)
from costline.serving.requests import Requests
from costline.serving.step_table import StepTable
from costline.serving.timestamps import UNSENT

SAMPLES = 1 << 16
_MOST = 1 << 40
_NO_INDEX: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
_ENGINE_NUMBERS = {
    "max_batched": "max_batched_tokens", "max_sequences": "max_sequences", "is_chunked": "chunked_prefill",
    "max_chunk": "max_chunk_tokens", "preempts": "preempt_lower_tier", "is_async": "async_scheduling",
    "block": "block_tokens", "caches": "prefix_caching", "max_waiting": "max_waiting", "batch_wait_s": "batch_wait_s",
}  # fmt: skip
"""Fields of an engine's row that are its settings as they are."""


def code(choice: Any, value: str) -> int:
    """The number of a closed choice, by its place among them."""
    values = get_args(choice)
    if value not in values:
        raise InputError(f"{value!r} is none of {', '.join(values)}")
    return values.index(value)


def world_of(requests: Requests, fleet: Fleet, concurrency: int | None) -> World:
    """Everything as it is before the first request comes."""
    rows = request_rows(requests)
    engines, numbers = engine_rows(fleet.pools)
    replicas = replica_rows(fleet.pools)
    waits = ~np.isfinite(requests.arrival_s) if requests.arrival_s.size else np.zeros(0, dtype=bool)
    follows = np.zeros(len(requests), dtype=bool) if requests.after is None else np.asarray(requests.after) >= 0
    if concurrency is not None:
        waits = np.ones(len(requests), dtype=bool)
    by_turn = np.flatnonzero(waits & ~follows).astype(np.int32)
    by_clock = np.flatnonzero(~waits & ~follows).astype(np.int32) if np.any(waits | follows) else _NO_INDEX
    if len(by_turn) and concurrency is None:
        raise InputError("arrival_s is inf or NaN for requests that follow no other; give times, or a concurrency")
    places = max(pool.engine.max_sequences for pool in fleet.pools)
    start, item, item_tokens, kept = prefix_arrays(requests, fleet)
    session, session_of = session_arrays(requests)
    first_turn, other_turn = turn_links(requests)
    return World(
        run=run_row(len(rows), fleet, len(by_turn)),
        requests=rows,
        replicas=replicas,
        next_s=np.full(len(replicas), np.inf),
        engines=engines,
        decoding=np.zeros((len(replicas), places), dtype=SEQUENCE),
        reading=np.zeros((len(replicas), places), dtype=SEQUENCE),
        numbers=numbers,
        cache=np.zeros((len(replicas), int(item.max()) + 1 if item.size else 0), dtype=CACHED_ITEM),
        item_start=start,
        item=item,
        item_tokens=item_tokens,
        kept_tokens=kept,
        session=session,
        session_of=session_of,
        first_turn=first_turn,
        other_turn=other_turn,
        by_clock=by_clock,
        by_turn=by_turn,
        think_s=np.zeros(0) if requests.think_s is None else np.asarray(requests.think_s, dtype=np.float64),
        deliveries=np.empty(len(rows) + 1, dtype=DELIVERY),
        faults=fault_rows(fleet, len(replicas)),
        samples=np.empty(SAMPLES, dtype=SAMPLE),
        trace=np.empty(0, dtype=STEPS),
        itl_tokens=np.zeros(BINS),
    )


def point(world: World) -> None:
    """Write down where the arrays lie; they must stay alive and in place while the loop runs."""
    run = world.run
    for name in ARRAYS:
        array = getattr(world, name)
        run[f"{name}_at"], run[f"{name}_count"] = array.ctypes.data, len(array)
    run["places"], run["items"] = world.decoding.shape[1], world.cache.shape[1]


def request_rows(requests: Requests) -> Rows:
    """Requests before anything happened to them."""
    rows = np.zeros(len(requests), dtype=REQUEST)
    for name in ("admitted_s", "first_token_s", "finished_s"):
        rows[name] = np.nan
    arrival_s = requests.arrival_s
    rows["arrival_s"] = np.where(np.isfinite(arrival_s), arrival_s, np.nan)
    rows["input"], rows["output"] = requests.input_tokens, requests.output_tokens
    rows["replica"] = rows["prefill_replica"] = rows["child"] = rows["sibling"] = -1
    rows["tier"] = 0 if requests.tier is None else requests.tier
    rows["state"] = UNSENT
    return rows


def run_row(count: int, fleet: Fleet, turns: int) -> Rows:
    """Settings and counters of the whole run."""
    run = np.zeros(1, dtype=RUN)
    run["unsettled"], run["held"], run["is_closed"] = count, -1, turns > 0
    run["router"] = code(settings.Router, fleet.router)
    for name in ("retry_s", "transfer_s", "transfer_token_s", "prefix_load_limit", "max_retries"):
        run[name] = getattr(fleet, name)
    return run


def replica_rows(pools: tuple[Pool, ...]) -> Rows:
    """Replicas, idle and empty; of a pool that scales only the floor is up."""
    counts = [pool.replicas for pool in pools]
    rows = np.zeros(sum(counts), dtype=REPLICA)
    rows["number"] = np.arange(len(rows))
    rows["pool"] = np.repeat(np.arange(len(pools)), counts)
    rows["role"] = np.repeat([code(settings.Role, pool.role) for pool in pools], counts)
    rows["root"] = rows["oldest"] = rows["newest"] = -1
    rows["nearest_finish"] = NEVER
    rows["mode"] = ON
    first = 0
    for pool in pools:
        if pool.autoscaler is not None:
            rows["mode"][first + min(pool.autoscaler.floor, pool.replicas) : first + pool.replicas] = OFF
        first += pool.replicas
    return rows


def engine_rows(pools: tuple[Pool, ...]) -> tuple[Rows, Array]:
    """Engines, and the numbers of their tables one after the other."""
    rows = np.zeros(len(pools), dtype=ENGINE)
    parts: list[Array] = []
    first = at = 0
    for row, pool in zip(rows, pools, strict=True):
        fill_engine(row, pool.engine)
        row["first"], row["count"] = first, pool.replicas
        first += pool.replicas
        fill_scaler(row, pool)
        arrays = fill_table(row, pool.table, pool.engine, at)
        parts += arrays
        at += sum(part.size for part in arrays)
    return rows, np.concatenate(parts)


def fill_engine(row: Any, engine: Engine) -> None:
    """One engine's settings."""
    for name, setting in _ENGINE_NUMBERS.items():
        row[name] = getattr(engine, setting)
    row["policy"] = code(settings.Policy, engine.policy)
    row["batching"] = code(settings.Batching, engine.batching)
    row["order"] = code(settings.Order, engine.order)
    blocks = int(min(engine.kv_capacity_tokens / engine.block_tokens, _MOST))
    row["capacity"] = blocks
    row["reserve"] = int(engine.watermark * blocks) if blocks < _MOST else 0
    row["max_model"] = engine.max_model_tokens or _MOST
    speculation = engine.speculation
    row["mean_tokens"] = 1.0
    if speculation is not None:
        row["drafts"] = len(speculation.acceptance)
        row["is_random"] = speculation.random
        row["mean_tokens"] = 1.0 + float(np.cumprod(speculation.acceptance).sum())


def fill_scaler(row: Any, pool: Pool) -> None:
    """One pool's autoscaler; without one it never looks."""
    row["tick_s"] = row["low_since_s"] = np.inf
    scaler = pool.autoscaler
    if scaler is None:
        return
    row["signal"] = code(settings.Signal, scaler.signal)
    row["tick_s"] = scaler.interval_s
    for name in ("floor", "target", "interval_s", "boot_s", "hold_s"):
        row[name] = getattr(scaler, name)


def fill_table(row: Any, table: StepTable, engine: Engine, at: int) -> list[Array]:
    """Where one table's arrays lie."""
    arrays = {
        "tokens_at": table.tokens_s,
        "outputs_at": table.outputs_s,
        "knots_at": table.decode_context_tokens,
        "decode_at": table.decode_attention_s,
        "rows_at": table.prefill_new_tokens,
        "columns_at": table.prefill_context_tokens,
        "prefill_at": table.prefill_attention_s,
        "acceptance_at": np.array(engine.speculation.acceptance if engine.speculation else (), dtype=np.float64),
    }
    for name, array in arrays.items():
        row[name] = at
        at += array.size
    row["tokens"], row["outputs"], row["knots"] = len(table.tokens_s), len(table.outputs_s), len(arrays["knots_at"])
    row["decode_rows"], row["rows"], row["columns"] = len(table.decode_attention_s), *table.prefill_attention_s.shape
    for name in ("step_s", "mixed_s", "request_s", "decode_tokens"):
        row[name] = getattr(table, name)
    return [array.ravel() for array in arrays.values()]


def prefix_arrays(
    requests: Requests, fleet: Fleet
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Items of all prompts, empty without prefixes or where no engine caches them."""
    prefixes = requests.prefixes
    if prefixes is None or not any(pool.engine.prefix_caching for pool in fleet.pools):
        return np.zeros(1, dtype=np.int64), _NO_INDEX, _NO_INDEX, _NO_INDEX
    kept = _NO_INDEX if prefixes.kept_tokens is None else np.ascontiguousarray(prefixes.kept_tokens, dtype=np.int32)
    return (
        np.ascontiguousarray(prefixes.start, dtype=np.int64),
        np.ascontiguousarray(prefixes.item, dtype=np.int32),
        np.ascontiguousarray(prefixes.tokens, dtype=np.int32),
        kept,
    )


def session_arrays(requests: Requests) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The replica of each session, none yet; the session of each request."""
    if requests.session is None or not len(requests):
        return _NO_INDEX, _NO_INDEX
    sessions, session_of = np.unique(requests.session, return_inverse=True)
    return np.full(len(sessions), -1, dtype=np.int32), session_of.astype(np.int32)


def turn_links(requests: Requests) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """For each request the first that waits for its end, and the next that waits for the same."""
    if requests.after is None:
        return _NO_INDEX, _NO_INDEX
    first, other = np.full((2, len(requests)), -1, dtype=np.int32)
    for number in range(len(requests) - 1, -1, -1):
        parent = requests.after[number]
        if parent >= 0:
            other[number], first[parent] = first[parent], number
    return first, other


def fault_rows(fleet: Fleet, count: int) -> Rows:
    """Failures and recoveries in the order of time."""
    events: list[tuple[float, int, int]] = []
    for failure in fleet.failures:
        if not 0 <= failure.replica < count:
            raise InputError(f"failures name replica {failure.replica}; there are 0 to {count - 1}")
        events.append((failure.fail_s, failure.replica, 0))
        if np.isfinite(failure.recover_s):
            events.append((failure.recover_s, failure.replica, 1))
    return np.array(sorted(events), dtype=FAULT)
