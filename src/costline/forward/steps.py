"""Time of a prefill, a decode step, a mixed step or a verification step, as arrays, with the reason.

One path for a scalar and for a grid: counts from `architecture`, rates from `rates`, collectives from `collectives`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from costline.architecture.cost import Cost, Message
from costline.architecture.messages import forward_messages
from costline.architecture.operations import Formats, Segment, forward_costs
from costline.architecture.sharding import Layout
from costline.catalog.records import Model
from costline.forward.collectives import collective_time_s
from costline.forward.rates import Rates
from costline.forward.roofline import corner_time_s
from costline.quantities import Array, as_array

RESOURCES = (
    "compute", "weight bandwidth", "cache bandwidth", "launch and host", "scale-up network", "scale-out network",
)  # fmt: skip
"""What a step can wait for; `StepTime.bound` indexes this tuple."""


def _zeros() -> dict[str, Array]:
    return {name: as_array(0.0) for name in RESOURCES}


@dataclass
class StepTime:
    """Seconds of one step of one lane; every array has the broadcast shape of the inputs or broadcasts to it."""

    terms_s: dict[str, Array] = field(default_factory=dict[str, Array])
    """Expected time by operation and collective; they add up to `expected_s`."""
    waits_s: dict[str, Array] = field(default_factory=_zeros)
    """The same time by what it waits for."""
    compute_s: Array = field(default_factory=lambda: as_array(0.0))
    essential_s: Array = field(default_factory=lambda: as_array(0.0))
    """Memory traffic that nothing can avoid: weights and cache, without activations."""
    memory_s: Array = field(default_factory=lambda: as_array(0.0))
    network_s: Array = field(default_factory=lambda: as_array(0.0))

    @property
    def expected_s(self) -> Array:
        """Operations one after another, each at the rates given."""
        return sum(self.terms_s.values(), start=as_array(0.0))

    @property
    def lower_bound_s(self) -> Array:
        """Compute, weights and cache, and network of the whole step perfectly overlapped at the rates given."""
        return np.maximum(np.maximum(self.compute_s, self.essential_s), self.network_s)

    @property
    def serial_s(self) -> Array:
        """Compute, memory and network one after another at the rates given."""
        return self.compute_s + self.memory_s + self.network_s

    @property
    def bound(self) -> Array:
        """Index into `RESOURCES` of what most of the time is waited for."""
        stacked = np.stack(np.broadcast_arrays(*(self.waits_s[name] for name in RESOURCES)))
        return np.argmax(stacked, axis=0)

    def add(self, term: str, seconds: Array) -> None:
        """Adds time to a term."""
        self.terms_s[term] = self.terms_s.get(term, as_array(0.0)) + seconds


def _add_cost(step: StepTime, cost: Cost, rates: Rates) -> None:
    attention = cost.name in ("attention", "state")
    peak = rates.attention_flop_per_s if attention else rates.flop_per_s[cost.math]
    compute = cost.flop * (cost.count / peak)
    weights = (cost.weight_bytes + cost.activation_bytes) * (cost.count / rates.hbm_bytes_per_s)
    cache = cost.kv_bytes * (cost.count / rates.kv_bytes_per_s)
    memory = weights + cache
    floor = cost.kernels * cost.count * rates.kernel_floor_s
    time = np.maximum(compute, memory) if rates.exact_corner else corner_time_s(compute, memory)
    by_compute = compute >= memory
    step.add(cost.name, time + floor)
    step.compute_s = step.compute_s + compute
    step.memory_s = step.memory_s + memory
    step.essential_s = step.essential_s + cost.weight_bytes * (cost.count / rates.hbm_bytes_per_s) + cache
    waits = step.waits_s
    waits["compute"] = waits["compute"] + np.where(by_compute, time, 0.0)
    from_memory = np.where(by_compute, 0.0, time)
    cache_share = cache / np.maximum(memory, np.finfo(float).tiny)
    waits["cache bandwidth"] = waits["cache bandwidth"] + from_memory * cache_share
    waits["weight bandwidth"] = waits["weight bandwidth"] + from_memory * (1 - cache_share)
    waits["launch and host"] = waits["launch and host"] + floor


def _add_message(step: StepTime, message: Message, rates: Rates) -> None:
    if not np.any((message.group > 1) & (message.count > 0)):
        return
    active = np.where(message.count > 0, message.group, 1.0)
    once = collective_time_s(message.collective, message.bytes_per_device, active, rates.system)
    time = np.where(message.count > 0, once, 0.0) * np.maximum(message.count, 0.0)
    step.add(message.name, time)
    step.network_s = step.network_s + time
    outside = active > rates.system.fabric.domain_size
    step.waits_s["scale-up network"] = step.waits_s["scale-up network"] + np.where(outside, 0.0, time)
    step.waits_s["scale-out network"] = step.waits_s["scale-out network"] + np.where(outside, time, 0.0)


def step_time(
    model: Model, segments: Sequence[Segment], where: Layout, formats: Formats, rates: Rates
) -> StepTime:
    """Time of one pass of a lane over `segments`: all pipeline stages, one after another.

    Arrays in `segments` and `where` broadcast; the result has their shape. A step of a pipelined replica is a pass of
    each of its `pp` lanes, one behind the other, so a token's time is the time of one pass.
    """
    step = StepTime()
    for cost in forward_costs(model, segments, where, formats):
        _add_cost(step, cost, rates)
    for message in forward_messages(model, segments, where, formats):
        _add_message(step, message, rates)
    host = as_array(rates.host_step_s)
    step.add("host", host)
    step.waits_s["launch and host"] = step.waits_s["launch and host"] + host
    return step
