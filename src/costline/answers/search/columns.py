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
from costline.errors import InputError
from costline.forward.memory import kv_share_of_pool, max_batch, pool_bytes, weight_bytes_per_device
from costline.forward.rates import Rates
from costline.forward.steps import RESOURCES, StepTime, step_time
from costline.quantities import Array, Numeric, as_array
from costline.serving.queueing import (
    sakasegawa_wait_s,
    sakasegawa_wait_share,
    schweitzer_response_s,
    tail_wait_s,
)
from costline.serving.steady import crowded_batch, loaded_tpot_s, long_step_share, request_cycle_s

P99_SIGMA = 2.326
QUANTILE = 0.99
LOAD_ITERATIONS = 4
LEAST = 1e-6
"""Smallest batch or space, so that an idle lane divides by something."""


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

    def __post_init__(self) -> None:
        for component in ("", *self.formats.weights):
            kind = self.formats.math(component)
            if kind not in self.rates.flop_per_s:
                where, known = self.site.chip.id, ", ".join(self.rates.flop_per_s)
                raise InputError(f"{where} cannot compute in {kind}; give weights and activations of {known}")


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
    """Prompts that a lane takes in at once, at least one in each attention group."""
    steps: Array
    """Steps in which a lane takes in and finishes one request."""
    mixed_steps: Array
    """Those of them that carry a prompt, in this lane or in another of the pipeline."""
    cycle_s: Array
    tpot_s: Array

    @property
    def chunk_step_s(self) -> Array:
        """Time of a step that also carries a chunk of a prompt."""
        return self.mixed.expected_s

    @property
    def own_prefill_s(self) -> Array:
        """Time that a prompt takes once it is its turn."""
        return self.chunks * self.chunk_step_s

    @property
    def cycle_waits_s(self) -> dict[str, Array]:
        """What the lane waits for while it takes in and finishes one request: prompts and decode steps together."""
        with_prompts, alone = self.mixed_steps, self.steps - self.mixed_steps
        return {
            name: with_prompts * self.mixed.waits_s[name] + alone * self.decode.waits_s[name] for name in RESOURCES
        }

    @property
    def bound(self) -> Array:
        """Index into `RESOURCES` of what most of that time is waited for."""
        return np.argmax(np.stack(np.broadcast_arrays(*self.cycle_waits_s.values())), axis=0)


def steady_state(engine: Engine, load: Load, where: Layout, lane_batch: Array) -> Steady:
    """A lane that decodes `lane_batch` sequences and takes in prompts at the rate at which it finishes them.

    A prompt is worked on by one attention group; the groups take in prompts at the same time, sharing the experts. A
    group takes in several at once where it finishes more than one request a step and the chunk has room for them.
    """
    batch = np.maximum(as_array(lane_batch), LEAST)
    decoding = decode_segment(batch, load.mean_context_tokens)
    alone = step_time(engine.model, [decoding], where, engine.formats, engine.rates)
    space = np.maximum(load.chunk_tokens - batch / where.dp, 1.0)
    chunks = np.ceil(load.new_tokens / space)
    finished = batch / where.dp / max(load.decode_steps, 1.0)
    prompts = where.dp * np.clip(finished, 1.0, np.maximum(space / load.new_tokens, 1.0))
    prompt = Segment(prompts / chunks, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    mixed = step_time(engine.model, [decoding, prompt], where, engine.formats, engine.rates)
    cycle = request_cycle_s(
        batch,
        load.decode_steps,
        chunks / prompts,
        decode_step_s=alone.expected_s,
        chunk_step_s=mixed.expected_s,
        lanes=where.pp,
    )
    steps = np.maximum(load.decode_steps / batch, chunks / prompts)
    return Steady(
        decode=alone,
        mixed=mixed,
        chunks=chunks,
        prompts=prompts,
        steps=steps,
        mixed_steps=steps * long_step_share(chunks / prompts / steps, where.pp),
        cycle_s=cycle,
        tpot_s=loaded_tpot_s(cycle, batch, load.decode_steps),
    )


def room(engine: Engine, where: Layout, context_tokens: Numeric) -> dict[str, Array]:
    """Memory of one device and the sequences that fit into a replica."""
    weights = weight_bytes_per_device(engine.model, engine.formats.weights, where)
    pool = pool_bytes(engine.site.chip, engine.site.engine, weights, where.tp, engine.memory_fraction)
    pool = pool * np.where(pool > 0, kv_share_of_pool(engine.model, engine.site.engine), 1.0)
    fits = max_batch(engine.model, pool, engine.formats.kv, context_tokens=context_tokens, where=where)
    return {"weights_bytes": weights, "pool_bytes": pool, "max_batch": fits}


@dataclass(frozen=True)
class _Full:
    """A lane whose places are always taken: who decodes, how long a prompt takes, what leaves."""

    lane: Steady
    decoding: Array
    first_token_s: Array
    requests_per_s: Array


def _full(engine: Engine, load: Load, where: Layout, places: Array) -> _Full:
    """A lane with `places` requests in flight at all times: some wait for their prompt or are in it, others decode."""
    decoding = places
    lane = steady_state(engine, load, where, decoding)
    first, away = lane.own_prefill_s, lane.tpot_s * load.decode_steps
    for _ in range(LOAD_ITERATIONS - 1):
        share = lane.own_prefill_s / lane.prompts
        away = lane.tpot_s * load.decode_steps
        first = schweitzer_response_s(places, away, share) + lane.own_prefill_s - share
        decoding = np.maximum(places * away / (first + away), LEAST)
        lane = steady_state(engine, load, where, decoding)
    return _Full(lane, decoding, first, places / (first + away))


def _settled(engine: Engine, load: Load, where: Layout, full: _Full, lane_rate: Array) -> tuple[Steady, Array]:
    """The batch at which a lane serves `lane_rate`, by Little's law over the decode phase."""
    held = np.maximum(full.decoding * np.minimum(lane_rate / full.requests_per_s, 1.0), LEAST)
    lane = full.lane
    for _ in range(LOAD_ITERATIONS):
        lane = steady_state(engine, load, where, held)
        held = np.clip(lane_rate * lane.tpot_s * load.decode_steps, LEAST, np.maximum(full.decoding, LEAST))
    return lane, held


def _waits(load: Load, now: Steady, busy: Array, *, slots: Array, held: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait before a prompt starts: for a place in the batch, then for the prompts ahead."""
    stay = now.tpot_s * load.decode_steps
    full = np.minimum(held / slots, 1.0)
    ahead = sakasegawa_wait_s(now.prompts, busy, now.own_prefill_s, load.arrival_cv2)
    place = np.where(stay > 0, sakasegawa_wait_s(slots, full, stay, load.arrival_cv2 + load.length_cv2), 0.0)
    behind = tail_wait_s(ahead, sakasegawa_wait_share(now.prompts, busy), QUANTILE)
    outside = tail_wait_s(place, sakasegawa_wait_share(slots, full), QUANTILE)
    return ahead + place, behind + outside


def operate(
    engine: Engine, load: Load, where: Layout, batch: Array, *, rate_per_replica: Array | None
) -> dict[str, Array]:
    """Latency and throughput of one replica that may hold `batch` requests.

    With `rate_per_replica` (requests/s) the batch settles where it serves that rate; without, it stays full.
    """
    places = as_array(batch) / where.pp
    full = _full(engine, load, where, places)
    now, held, lane_rate = full.lane, full.decoding, full.requests_per_s
    first, crowd = full.first_token_s, held
    queued = np.minimum((first - now.own_prefill_s) * -np.log(1 - QUANTILE), places * now.own_prefill_s / now.prompts)
    first_p99 = now.own_prefill_s + np.maximum(queued, first - now.own_prefill_s)
    busy = np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0)
    if rate_per_replica is not None:
        lane_rate = np.minimum(rate_per_replica / where.pp, full.requests_per_s)
        now, held = _settled(engine, load, where, full, lane_rate)
        busy = np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0)
        wait, wait_p99 = _waits(load, now, busy, slots=places, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(places, held))
        first = now.own_prefill_s + wait
        first_p99 = now.own_prefill_s + wait_p99
    slow = steady_state(engine, load, where, crowd)
    half_step = now.decode.expected_s / 2
    tpot_p99 = slow.decode.expected_s + (now.tpot_s - now.decode.expected_s)
    return {
        "capacity_requests_per_s": where.pp * full.requests_per_s,
        "requests_per_s": lane_rate * where.pp,
        "running_batch": held * where.pp,
        "decode_step_s": now.decode.expected_s,
        "decode_lower_bound_s": now.decode.lower_bound_s,
        "ttft_s": first + half_step,
        "ttft_p99_s": np.maximum(first_p99, first) + 2 * half_step,
        "tpot_s": now.tpot_s,
        "tpot_p99_s": np.maximum(tpot_p99, now.tpot_s),
        "prefill_share": busy,
        "bound": as_array(now.bound),
    }
