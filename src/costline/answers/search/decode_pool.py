"""Pools of replicas that only decode, as columns: each row a kind of replica and a number of them.

Every token of an answer is a step of such a replica, or a part of a round where it drafts. Nothing here depends on the
other pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import MOST_UTILIZATION, Prepared, copies
from costline.answers.search.columns import Engine
from costline.answers.search.load import Load
from costline.answers.search.operating import P99_SIGMA, held_batch, place_waits
from costline.answers.search.pace import LEAST
from costline.answers.search.prefill_pool import Columns, port_waits
from costline.answers.search.speculative import Drafter, round_time
from costline.answers.search.tabulated import Replicas
from costline.architecture.kv_cache import kv_bytes_per_sequence
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout, stage_share
from costline.forward.steps import StepTime, step_time
from costline.money.price import fleet_usd_per_hour
from costline.quantities import Array, Numeric, as_array
from costline.serving.steady import crowded_batch

SIZES = (1.0, 2.0, 3.0, 4.0)
"""Replicas that are tried where neither a rate nor a concurrency says how many there have to be."""
HALF = 0.5
"""Of the step that runs when a sequence arrives is still to come."""


def decode_state(
    engine: Engine, drafter: Drafter | None, load: Load, where: Layout, *, lane_batch: Array, draft_tokens: Numeric
) -> tuple[StepTime, Array]:
    """A step of a decode lane, or a round where it drafts, and the tokens that it adds to each sequence."""
    batch = np.maximum(as_array(lane_batch), LEAST)
    if drafter is not None:
        took = round_time(engine, drafter, load, where, batch=batch, draft_tokens=draft_tokens)
        return took, drafter.tokens(draft_tokens)
    step = decode_segment(batch, load.mean_context_tokens)
    return step_time(engine.model, [step], where, engine.formats, engine.rates), as_array(1.0)


@dataclass(frozen=True)
class _Decoding:
    """Rows of replicas that only decode, each a layout and a batch."""

    ours: Replicas
    rows: Columns

    @property
    def output_tokens(self) -> float:
        return self.ours.load.output_tokens

    def at(self, row: NDArray[np.intp]) -> _Decoding:
        """Some of the rows."""
        return _Decoding(self.ours, {name: column[row] for name, column in self.rows.items()})

    def tokens(self, drafted: Array) -> Numeric:
        """Tokens that a step or round adds to a sequence."""
        return 1.0 if self.ours.drafter is None else self.ours.drafter.tokens(drafted)

    def tpot_s(self, batch: Array, drafted: Array) -> Array:
        return self.ours.decode_step(self.rows, drafted, batch) / self.tokens(drafted)

    def drafted(self, batch: Array) -> Array:
        return self.ours.draft_tokens(self.rows, batch)

    def held(self, rate: Array, slots: Array, drafted: Array) -> Array:
        """The batch at which a lane serves `rate`."""
        return held_batch(lambda batch: self.tpot_s(batch, drafted), rate * self.output_tokens, slots)

    def settled(self, rate: Array, slots: Array, drafted: Array) -> tuple[Array, Array]:
        """The batch at a rate, and the draft that fits it best, unless full batches of that cannot carry the rate."""
        held = self.held(rate, slots, drafted)
        if self.ours.drafter is None:
            return held, drafted
        better = self.drafted(held)
        most = slots / (self.tpot_s(slots, better) * self.output_tokens)
        drafted = np.where(MOST_UTILIZATION * most >= rate, better, drafted)
        return self.held(rate, slots, drafted), drafted


def cache_bytes(engine: Engine, drafter: Drafter | None, input_tokens: float, where: Layout) -> tuple[Array, Array]:
    """Bytes that a device receives of one prompt, and that the replica receives in all."""
    own = kv_bytes_per_sequence(engine.model, input_tokens, engine.formats.kv, tp=where.tp)
    held = own * stage_share(engine.model, where.pp)
    if drafter is None:
        return held, own * where.tp
    extra = drafter.kv_bytes(input_tokens, where)
    return held + extra, (own + extra) * where.tp


def decode_rows(engine: Engine, scenario: Scenario, price: Price, ready: Prepared) -> Columns:
    """Pools of decode replicas with the wait for a place and for their network port; nothing where none fits."""
    ours, columns, work = ready.replicas, ready.grid.rows(), scenario.workload
    if not columns["batch"].size:
        return {}
    decoding, load = _Decoding(ours, columns), ours.load
    places = columns["batch"] / columns["pp"]
    drafted = decoding.drafted(places)
    capacity = columns["batch"] / (decoding.tpot_s(places, drafted) * load.output_tokens)
    counts = _sizes(scenario, columns["batch"], capacity)
    row, choice = np.nonzero(counts)
    replicas, decoding = counts[row, choice], decoding.at(row)
    columns, slots, capacity, drafted = decoding.rows, places[row], capacity[row], drafted[row]
    where = Layout(columns["tp"], columns["pp"], columns["dp"], columns["ep"])
    if work.concurrency is not None:
        slots = np.minimum(slots, work.concurrency / replicas / where.pp)
    held, rate, most = slots, work.peak_request_rate, capacity
    if rate is not None:
        held, drafted = decoding.settled(rate / replicas / where.pp, slots, drafted)
    found = _latency(decoding, held, slots=slots, drafted=drafted, open_loop=rate is not None)
    if rate is None:
        most = where.pp * held / (found["tpot_s"] * load.output_tokens)
    devices = where.devices * replicas
    received, moved = cache_bytes(engine, ours.drafter, load.input_tokens, where)
    carried = most * replicas if rate is None else np.full(replicas.shape, rate)
    system = engine.rates.system
    port = np.full(replicas.shape, max(system.scale_out_bytes_per_s, LEAST))
    wait, tail = port_waits(received / port, carried / replicas / where.dp)
    return {
        **{name: columns[name] for name in ("tp", "pp", "dp", "ep", "batch")},
        "replicas": replicas,
        "accelerators": devices,
        "usd_per_hour": fleet_usd_per_hour(devices, price.usd_per_hour),
        "capacity_requests_per_s": capacity,
        "requests_per_s": carried,
        "running_batch": held * where.pp,
        "draft_tokens": drafted,
        **found,
        "first_s": found["first_s"] + wait,
        "first_p99_s": found["first_p99_s"] + tail,
        "received_bytes": received,
        "moved_bytes": moved,
        "in_bytes_per_s": port,
        "latency_s": np.full(replicas.shape, system.scale_out_latency_s),
    }


def _sizes(scenario: Scenario, batch: Array, capacity: Array) -> Array:
    """Replicas of each row (last axis: the choices), 0 where a choice repeats the one before."""
    work = scenario.workload
    if work.peak_request_rate is None and work.concurrency is None:
        return np.broadcast_to(as_array(SIZES), (batch.size, len(SIZES)))
    counts = copies(scenario, batch, capacity)
    counts[:, 1:] = np.where(counts[:, 1:] == counts[:, :-1], 0.0, counts[:, 1:])
    return counts


def _latency(decoding: _Decoding, held: Array, *, slots: Array, drafted: Array, open_loop: bool) -> Columns:
    tokens = decoding.tokens(drafted)
    tpot = decoding.tpot_s(held, drafted)
    step = tpot * tokens
    wait, tail, crowd = np.zeros(held.shape), np.zeros(held.shape), held
    if open_loop:
        wait, tail = place_waits(decoding.ours.load, tpot * decoding.output_tokens, slots=slots, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(slots, held))
    slow = decoding.tpot_s(crowd, drafted)
    lower_bound, bound = decoding.ours.decode_limits(decoding.rows, drafted, held)
    return {
        "decode_step_s": step,
        "decode_lower_bound_s": lower_bound / tokens,
        "tpot_s": tpot,
        "tpot_p99_s": np.maximum(slow, tpot),
        "first_s": wait + (1 + HALF) * step,
        "first_p99_s": tail + 2 * np.maximum(slow * tokens, step),
        "bound": bound,
    }
