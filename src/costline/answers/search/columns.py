"""What a replica is and does: the engine on its accelerator, a lane in steady state, the room that memory leaves.

The one place where architecture, forward and serving meet; arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costline.answers.search.load import Load
from costline.answers.search.operating import operate_lanes
from costline.answers.search.pace import LEAST, Intake, Pace, intake, pace_of
from costline.architecture.operations import Formats, Segment, decode_segment
from costline.architecture.sharding import Layout
from costline.catalog.records import Model
from costline.deployment.plan import Site
from costline.errors import InputError
from costline.forward.memory import kv_share_of_pool, max_batch, pool_bytes, weight_bytes_per_device
from costline.forward.rates import Rates
from costline.forward.steps import RESOURCES, StepTime, step_time
from costline.quantities import Array, Numeric, as_array
from costline.serving.steady import long_step_share


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

    pace: Pace
    decode: StepTime
    """A step without a prompt, or a round."""
    mixed: StepTime
    """A step with one chunk of a prompt in each attention group."""
    steps: Array
    """Steps in which a lane takes in and finishes one request."""
    mixed_steps: Array
    """Those of them that carry a prompt, in this lane or in another of the pipeline."""

    @property
    def cycle_s(self) -> Array:
        """Time in which the lane takes in and finishes one request."""
        return self.pace.cycle_s

    @property
    def tpot_s(self) -> Array:
        """Time per output token of a sequence, prompts of others in between."""
        return self.pace.tpot_s

    @property
    def chunk_step_s(self) -> Array:
        """Time of a step that also carries a chunk of a prompt."""
        return self.mixed.expected_s

    @property
    def chunks(self) -> Array:
        """Steps that one prompt takes."""
        return self.pace.intake.chunks

    @property
    def prompts(self) -> Array:
        """Prompts that a lane takes in at once, at least one in each attention group."""
        return self.pace.intake.prompts

    @property
    def own_prefill_s(self) -> Array:
        """Time that a prompt takes once it is its turn."""
        return self.pace.own_prefill_s

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


def steady(
    load: Load, where: Layout, batch: Array, taken: Intake, *, rounds: Numeric, decode: StepTime, mixed: StepTime
) -> Steady:
    """A lane of `batch` sequences from its two kinds of steps."""
    share = taken.chunks / taken.prompts
    steps = np.maximum(rounds / batch, share)
    return Steady(
        pace_of(
            load, where, batch, taken, rounds=rounds, decode_step_s=decode.expected_s, chunk_step_s=mixed.expected_s
        ),
        decode=decode,
        mixed=mixed,
        steps=steps,
        mixed_steps=steps * long_step_share(share / steps, where.pp),
    )


def steady_state(engine: Engine, load: Load, where: Layout, lane_batch: Array) -> Steady:
    """A lane that decodes `lane_batch` sequences and takes in prompts at the rate at which it finishes them."""
    batch = np.maximum(as_array(lane_batch), LEAST)
    decoding = decode_segment(batch, load.mean_context_tokens)
    taken = intake(load, where, batch, rounds=load.decode_steps)
    share = taken.prompts / taken.chunks
    prompt = Segment(share, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    return steady(
        load,
        where,
        batch,
        taken,
        rounds=load.decode_steps,
        decode=step_time(engine.model, [decoding], where, engine.formats, engine.rates),
        mixed=step_time(engine.model, [decoding, prompt], where, engine.formats, engine.rates),
    )


@dataclass(frozen=True)
class ExactLane:
    """A lane whose steps are computed anew at every batch."""

    state: Callable[[Array], Steady]

    def pace(self, batch: Array) -> Pace:
        """The lane at a batch."""
        return self.state(batch).pace

    def limits(self, batch: Array) -> tuple[Array, Array]:
        """Lower bound of a decode step, and the index of what most of the time is waited for."""
        now = self.state(batch)
        return now.decode.lower_bound_s, as_array(now.bound)


def room(engine: Engine, where: Layout, context_tokens: Numeric) -> dict[str, Array]:
    """Memory of one device and the sequences that fit into a replica."""
    weights = weight_bytes_per_device(engine.model, engine.formats.weights, where)
    pool = pool_bytes(engine.site.chip, engine.site.engine, weights, where.tp, engine.memory_fraction)
    pool = pool * np.where(pool > 0, kv_share_of_pool(engine.model, engine.site.engine), 1.0)
    fits = max_batch(engine.model, pool, engine.formats.kv, context_tokens=context_tokens, where=where)
    return {"weights_bytes": weights, "pool_bytes": pool, "max_batch": fits}


def operate(
    engine: Engine, load: Load, where: Layout, batch: Array, *, rate_per_replica: Array | None
) -> dict[str, Array]:
    """Latency and throughput of one replica that may hold `batch` requests (see `operate_lanes`)."""
    lane = ExactLane(lambda held: steady_state(engine, load, where, held))
    return operate_lanes(lane, load, where.pp, batch, rate_per_replica=rate_per_replica)
