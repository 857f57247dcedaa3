"""Pools of replicas that only decode, as columns: each row a kind of replica and a number of them.

Every token of an answer is a step of such a replica, or a part of a round where it drafts. Nothing here depends on the
other pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import MOST_UTILIZATION, copies, grid
from costline.answers.search.columns import Engine
from costline.answers.search.load import Load
from costline.answers.search.operating import LOAD_ITERATIONS, P99_SIGMA, place_waits
from costline.answers.search.pace import LEAST
from costline.answers.search.prefill_pool import Columns, port_waits
from costline.answers.search.speculative import Drafter, best_draft_tokens, round_time
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
    """One kind of engine that decodes, with its draft if it has one."""

    engine: Engine
    drafter: Drafter | None
    load: Load

    def step(self, where: Layout, batch: Array, drafted: Array) -> tuple[StepTime, Array]:
        return decode_state(self.engine, self.drafter, self.load, where, lane_batch=batch, draft_tokens=drafted)

    def tpot_s(self, where: Layout, batch: Array, drafted: Array) -> Array:
        took, tokens = self.step(where, batch, drafted)
        return took.expected_s / tokens

    def drafted(self, where: Layout, batch: Array) -> Array:
        if self.drafter is None:
            return np.zeros(batch.shape)
        return best_draft_tokens(self.engine, self.drafter, self.load, where, batch)

    def held(self, where: Layout, rate: Array, slots: Array, drafted: Array) -> Array:
        """The batch at which a lane serves `rate`, by Little's law, from a full one down."""
        batch = slots
        for _ in range(LOAD_ITERATIONS):
            stay = self.tpot_s(where, batch, drafted) * self.load.output_tokens
            batch = np.clip(rate * stay, LEAST, slots)
        return batch

    def settled(self, where: Layout, rate: Array, slots: Array, drafted: Array) -> tuple[Array, Array]:
        """The batch at a rate, and the draft that fits it best, unless full batches of that cannot carry the rate."""
        held = self.held(where, rate, slots, drafted)
        if self.drafter is None:
            return held, drafted
        better = self.drafted(where, held)
        most = slots / (self.tpot_s(where, slots, better) * self.load.output_tokens)
        drafted = np.where(MOST_UTILIZATION * most >= rate, better, drafted)
        return self.held(where, rate, slots, drafted), drafted

    def cache(self, where: Layout) -> tuple[Array, Array]:
        """Bytes that a device receives of one prompt, and that the replica receives in all."""
        tokens, share = self.load.input_tokens, stage_share(self.engine.model, where.pp)
        own = kv_bytes_per_sequence(self.engine.model, tokens, self.engine.formats.kv, tp=where.tp)
        if self.drafter is None:
            return own * share, own * where.tp
        extra = self.drafter.kv_bytes(tokens, where)
        return own * share + extra, (own + extra) * where.tp


def decode_rows(
    engine: Engine, scenario: Scenario, load: Load, price: Price, drafter: Drafter | None = None
) -> Columns:
    """Pools of decode replicas with the wait for a place and for their network port; nothing where none fits."""
    decoding = _Decoding(engine, drafter, load)
    where, batch, _, _ = grid(engine, scenario, load, drafter)
    if not batch.size:
        return {}
    places = batch / where.pp
    drafted = decoding.drafted(where, places)
    capacity = where.pp * places / (decoding.tpot_s(where, places, drafted) * load.output_tokens)
    counts = _sizes(scenario, batch, capacity)
    row, choice = np.nonzero(counts)
    replicas = counts[row, choice]
    where = Layout(where.tp[row], where.pp[row], where.dp[row], where.ep[row])
    slots, capacity, drafted = places[row], capacity[row], drafted[row]
    if scenario.workload.concurrency is not None:
        slots = np.minimum(slots, scenario.workload.concurrency / replicas / where.pp)
    held, rate, most = slots, scenario.workload.peak_request_rate, capacity
    if rate is not None:
        lane_rate = rate / replicas / where.pp
        held, drafted = decoding.settled(where, lane_rate, slots, drafted)
    found = _latency(decoding, where, held, slots=slots, drafted=drafted, open_loop=rate is not None)
    if rate is None:
        most = where.pp * held / (found["tpot_s"] * load.output_tokens)
    devices = where.devices * replicas
    received, moved = decoding.cache(where)
    carried = most * replicas if rate is None else np.full(replicas.shape, rate)
    system = engine.rates.system
    port = np.full(replicas.shape, max(system.scale_out_bytes_per_s, LEAST))
    wait, tail = port_waits(received / port, carried / replicas / where.dp)
    return {
        **{name: getattr(where, name) for name in ("tp", "pp", "dp", "ep")},
        "batch": batch[row],
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


def _latency(
    decoding: _Decoding, where: Layout, held: Array, *, slots: Array, drafted: Array, open_loop: bool
) -> Columns:
    load = decoding.load
    took, tokens = decoding.step(where, held, drafted)
    step = np.broadcast_to(took.expected_s, held.shape)
    tpot = step / tokens
    wait, tail, crowd = np.zeros(held.shape), np.zeros(held.shape), held
    if open_loop:
        wait, tail = place_waits(load, tpot * load.output_tokens, slots=slots, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(slots, held))
    slow, _ = decoding.step(where, crowd, drafted)
    return {
        "decode_step_s": step,
        "decode_lower_bound_s": np.broadcast_to(took.lower_bound_s, held.shape) / tokens,
        "tpot_s": tpot,
        "tpot_p99_s": np.maximum(slow.expected_s / tokens, tpot),
        "first_s": wait + (1 + HALF) * step,
        "first_p99_s": tail + 2 * np.maximum(slow.expected_s, step),
        "bound": np.broadcast_to(as_array(took.bound), held.shape),
    }
