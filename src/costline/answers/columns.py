"""Fills the columns of a search: for every layout and batch the step times, the steady state, memory and money.

The one place where architecture, forward, deployment, serving and money meet; arrays in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.architecture.operations import Formats, Segment, decode_segment
from costline.architecture.sharding import Layout
from costline.catalog.records import Model
from costline.deployment.plan import Site
from costline.forward.memory import kv_share_of_pool, max_batch, pool_bytes, weight_bytes_per_device
from costline.forward.rates import Rates
from costline.forward.steps import RESOURCES, StepTime, step_time
from costline.quantities import Array, Numeric, as_array
from costline.serving.queueing import (
    sakasegawa_wait_s,
    sakasegawa_wait_share,
    tail_wait_s,
)
from costline.serving.steady import crowded_batch, loaded_tpot_s, request_cycle_s

P99_SIGMA = 2.326
QUANTILE = 0.99
LOAD_ITERATIONS = 4


@dataclass(frozen=True)
class Load:
    """A workload as the steady state sees it."""

    input_tokens: float
    cached_tokens: float
    output_tokens: float
    arrival_cv2: float
    length_cv2: float
    """Squared coefficient of variation of output lengths."""
    chunk_tokens: float
    """Most prompt tokens that one step takes in."""

    @property
    def new_tokens(self) -> float:
        """Prompt tokens to compute."""
        return self.input_tokens - self.cached_tokens

    @property
    def decode_steps(self) -> float:
        """Output tokens after the first."""
        return max(self.output_tokens - 1.0, 0.0)

    @property
    def mean_context_tokens(self) -> float:
        """Context of a decoding sequence, averaged over its answer."""
        return self.input_tokens + self.output_tokens / 2

    @property
    def full_context_tokens(self) -> float:
        """Context of a sequence at its end."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Engine:
    """What turns counts into seconds and room: the model, how it is stored, and what it runs on."""

    model: Model
    formats: Formats
    rates: Rates
    site: Site
    memory_fraction: float | None = None


@dataclass(frozen=True)
class Steady:
    """A lane in steady state at some batch; arrays of the search's shape."""

    decode: StepTime
    """A step without a prompt."""
    mixed: StepTime
    """A step with one chunk of a prompt in each attention group."""
    chunks: Array
    """Such steps that one prompt takes."""
    prompts: Array
    """Prompts that a lane takes in at once, one in each attention group."""
    cycle_s: Array
    tpot_s: Array

    @property
    def chunk_step_s(self) -> Array:
        """Time of a step that also carries a chunk of a prompt."""
        return self.mixed.expected_s

    @property
    def mixed_steps(self) -> Array:
        """Steps with prompts in a request's cycle."""
        return self.chunks / self.prompts

    @property
    def cycle_waits_s(self) -> dict[str, Array]:
        """What the lane waits for while it takes in and finishes one request: prompts and decode steps together."""
        alone = self.decode_only_steps
        return {
            name: self.mixed_steps * self.mixed.waits_s[name] + alone * self.decode.waits_s[name] for name in RESOURCES
        }

    @property
    def bound(self) -> Array:
        """Index into `RESOURCES` of what most of that time is waited for."""
        return np.argmax(np.stack(np.broadcast_arrays(*self.cycle_waits_s.values())), axis=0)

    @property
    def decode_only_steps(self) -> Array:
        """Steps of a request's cycle that carry no prompt."""
        left = self.cycle_s - self.mixed_steps * self.chunk_step_s
        return np.maximum(left, 0.0) / self.decode.expected_s


def steady_state(engine: Engine, load: Load, where: Layout, lane_batch: Array) -> Steady:
    """A lane that decodes `lane_batch` sequences and takes in prompts at the rate at which it finishes them.

    A prompt is worked on by one attention group; the groups take in one each at the same time, sharing the experts.
    """
    batch = np.maximum(as_array(lane_batch), 1e-9)
    decoding = decode_segment(batch, load.mean_context_tokens)
    alone = step_time(engine.model, [decoding], where, engine.formats, engine.rates)
    chunks = np.ceil(load.new_tokens / np.maximum(load.chunk_tokens - batch / where.dp, 1.0))
    prompt = Segment(where.dp / chunks, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    mixed = step_time(engine.model, [decoding, prompt], where, engine.formats, engine.rates)
    cycle = request_cycle_s(
        batch, load.decode_steps, chunks / where.dp, decode_step_s=alone.expected_s, chunk_step_s=mixed.expected_s
    )
    return Steady(alone, mixed, chunks, where.dp, cycle, loaded_tpot_s(cycle, batch, load.decode_steps))


def room(engine: Engine, where: Layout, context_tokens: Numeric) -> dict[str, Array]:
    """Memory of one device and the sequences that fit into a replica."""
    weights = weight_bytes_per_device(engine.model, engine.formats.weights, where)
    pool = pool_bytes(engine.site.chip, engine.site.engine, weights, where.tp, engine.memory_fraction)
    pool = pool * np.where(pool > 0, kv_share_of_pool(engine.model, engine.site.engine), 1.0)
    fits = max_batch(engine.model, pool, engine.formats.kv, context_tokens=context_tokens, where=where)
    return {"weights_bytes": weights, "pool_bytes": pool, "max_batch": fits}


def _waits(
    load: Load, now: Steady, busy: Array, own_prefill: Array, *, slots: Array, held: Array
) -> tuple[Array, Array]:
    """Mean and p99 of the wait before a prompt starts: for a place in the batch, then for the prompts ahead."""
    stay = now.tpot_s * load.decode_steps
    full = np.minimum(held / slots, 1.0)
    ahead = sakasegawa_wait_s(now.prompts, busy, own_prefill, load.arrival_cv2)
    place = np.where(stay > 0, sakasegawa_wait_s(slots, full, stay, load.arrival_cv2 + load.length_cv2), 0.0)
    behind = tail_wait_s(ahead, sakasegawa_wait_share(now.prompts, busy), QUANTILE)
    outside = tail_wait_s(place, sakasegawa_wait_share(slots, full), QUANTILE)
    return ahead + place, behind + outside


def operate(
    engine: Engine, load: Load, where: Layout, batch: Array, *, rate_per_replica: Array | None
) -> dict[str, Array]:
    """Latency and throughput of one replica that may hold `batch` sequences.

    With `rate_per_replica` (requests/s) the batch settles where it serves that rate; without, it stays full.
    """
    limit = as_array(batch) / where.pp
    full = steady_state(engine, load, where, limit)
    capacity = where.pp / full.cycle_s
    held, now, lane_rate = limit, full, 1.0 / full.cycle_s
    if rate_per_replica is not None:
        lane_rate = np.minimum(rate_per_replica, capacity) / where.pp
        held = limit * np.minimum(lane_rate * full.cycle_s, 1.0)
        for _ in range(LOAD_ITERATIONS):
            now = steady_state(engine, load, where, held)
            held = np.minimum(lane_rate * now.tpot_s * load.decode_steps, limit)
            held = np.maximum(held, 1e-6)
    own_prefill = now.chunks * now.chunk_step_s
    busy = np.minimum(lane_rate * own_prefill / where.dp, 1.0)
    wait, wait_p99 = as_array(0.0), as_array(0.0)
    crowd = held
    if rate_per_replica is not None:
        wait, wait_p99 = _waits(load, now, busy, own_prefill, slots=limit, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(limit, held))
    slow = steady_state(engine, load, where, crowd)
    tpot_p99 = slow.decode.expected_s + (now.tpot_s - now.decode.expected_s)
    first = own_prefill + now.decode.expected_s / 2
    ttft_p99 = slow.chunks * slow.chunk_step_s + now.decode.expected_s + wait_p99
    return {
        "capacity_requests_per_s": capacity,
        "requests_per_s": lane_rate * where.pp,
        "running_batch": held * where.pp,
        "decode_step_s": now.decode.expected_s,
        "decode_lower_bound_s": now.decode.lower_bound_s,
        "ttft_s": first + wait,
        "ttft_p99_s": np.maximum(ttft_p99, first + wait),
        "tpot_s": now.tpot_s,
        "tpot_p99_s": np.maximum(tpot_p99, now.tpot_s),
        "prefill_share": busy,
        "bound": as_array(now.bound),
    }
