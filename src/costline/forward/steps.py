"""Time of a prefill, a decode step, a mixed step or a verification step, as arrays, with the reason.

One path for a scalar and for a grid: counts from `architecture`, rates from `rates`, kernels from `kernel_times` and
`kernel_messages`. A step is a sum of parts that depend on few numbers each: tokens, sequences and their context,
positions whose logits are needed, and what a step costs whatever it does (see `step_parts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from costline.architecture.cost import Cost, Message
from costline.architecture.messages import distinct_destinations, forward_messages
from costline.architecture.operations import (
    Formats,
    Segment,
    embedding_cost,
    head_cost,
    layer_token_costs,
    sequence_costs,
)
from costline.architecture.products import COMPONENTS, Product, layer_products
from costline.architecture.sharding import Layout
from costline.catalog.records import LayerGroup, Model, Moe
from costline.forward.collectives import collective_time_s
from costline.forward.kernel_messages import exchange_time_s, message_time_s
from costline.forward.kernel_times import Timed, attention_time, experts_time, pass_time, products_time
from costline.forward.kernels.expert_exchange import COMBINE_BYTES, DISPATCH_BYTES
from costline.forward.machine import Machine
from costline.forward.rates import Rates
from costline.forward.roofline import corner_time_s
from costline.quantities import Array, as_array

EXCHANGES = ("expert_dispatch", "expert_combine")
EMBEDDING_BYTES = 2
"""Of one number of the residual stream."""
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


PASSES_A_NORM = 2
"""Kernels that pass over activations for each norm: itself with the residual, and a rotation, activation or copy."""


def _at(rates: Rates) -> Rates:
    """The datasheet behind rates, for the bounds."""
    return rates.ideal or rates


def _add_cost(step: StepTime, cost: Cost, rates: Rates, timed: Timed | None = None) -> None:
    """One operation of `cost.count` layers: as its kernel was timed, or its counts over the rates."""
    limit = _at(rates)
    attention = cost.name in ("attention", "state")
    peak = limit.attention_flop_per_s if attention else limit.flop_per_s[cost.math]
    compute = cost.flop * (cost.count / peak)
    weights = cost.weight_bytes * (cost.count / limit.hbm_bytes_per_s)
    cache = cost.kv_bytes * (cost.count / limit.kv_bytes_per_s)
    memory = weights + cost.activation_bytes * (cost.count / limit.hbm_bytes_per_s) + cache
    step.compute_s = step.compute_s + compute
    step.memory_s = step.memory_s + memory
    step.essential_s = step.essential_s + weights + cache
    if timed is not None:
        floor = timed.floor_s * cost.count
        time = np.maximum(timed.time_s * cost.count, np.maximum(compute, weights + cache) + floor) - floor
    elif rates.exact_corner:
        time, floor = np.maximum(compute, memory), as_array(0.0)
    else:
        slower = limit.attention_flop_per_s / rates.attention_flop_per_s
        less = limit.hbm_bytes_per_s / rates.hbm_bytes_per_s
        time, floor = corner_time_s(compute * slower, memory * less), cost.kernels * cost.count * rates.kernel_floor_s
    step.add(cost.name, time + floor)
    _add_waits(step, time, floor, by_compute=compute >= memory, cache=cache, memory=memory)


def _add_waits(
    step: StepTime, time: Array, floor: Array | float, *, by_compute: NDArray[np.bool_], cache: Array, memory: Array
) -> None:
    waits = step.waits_s
    waits["compute"] = waits["compute"] + np.where(by_compute, time, 0.0)
    from_memory = np.where(by_compute, 0.0, time)
    cache_share = cache / np.maximum(memory, np.finfo(float).tiny)
    waits["cache bandwidth"] = waits["cache bandwidth"] + from_memory * cache_share
    waits["weight bandwidth"] = waits["weight bandwidth"] + from_memory * (1 - cache_share)
    waits["launch and host"] = waits["launch and host"] + floor


def _add_message(
    step: StepTime, message: Message, rates: Rates, time_s: Array | None = None, *, needed: bool = True
) -> None:
    """A collective, by its kernels where there are any; `time_s` is that of one where the caller knows it.

    What an engine sends without need (`needed` false) takes time, but bounds nothing.
    """
    if not np.any((message.group > 1) & (message.count > 0)):
        return
    active = np.where(message.count > 0, message.group, 1.0)
    sent = np.where(message.count > 0, 1.0, 0.0) * np.maximum(message.count, 0.0)
    limit = collective_time_s(message.collective, message.bytes_per_device, active, _at(rates).system)
    ideal = np.where(sent > 0, limit, 0.0) * sent
    step.network_s = step.network_s + (ideal if needed else 0.0)
    time = ideal
    if rates.machine is not None:
        once = message_time_s(message, active, rates.machine, rates.system) if time_s is None else time_s
        waited = np.where(active > 1, once + rates.machine.overheads.collective_floor_s, 0.0)
        time = np.maximum(np.where(sent > 0, waited, 0.0) * sent, ideal)
    step.add(message.name, time)
    outside = active > rates.system.fabric.domain_size
    step.waits_s["scale-up network"] = step.waits_s["scale-up network"] + np.where(outside, 0.0, time)
    step.waits_s["scale-out network"] = step.waits_s["scale-out network"] + np.where(outside, time, 0.0)


def _kernel_of(
    cost: Cost, group: LayerGroup, model: Model, *, tokens: Array, products: dict[str, list[Product]],
    where: Layout, formats: Formats, rates: Rates, machine: Machine,
) -> Timed:
    if cost.name == "experts" and group.moe is not None:
        found = experts_time(group.moe, model.hidden, tokens, where=where, formats=formats, machine=machine)
        once = as_array(machine.overheads.moe_layer_s)
        return found + Timed(once + machine.overheads.moe_token_s * tokens / where.dp, once)
    if cost.name in products:
        rows = tokens / where.dp
        component = COMPONENTS.get(cost.name, cost.name)
        found = products_time(products[cost.name], rows, component=component, formats=formats, machine=machine)
        latent = cost.name == "projections" and group.attention is not None and group.attention.latent is not None
        around = as_array(machine.overheads.latent_layer_s if latent else 0.0)
        return found + Timed(around, around)
    fused = np.where(where.tp > 1, 1.0, 0.0) if machine.overheads.fuses_all_reduce else as_array(0.0)
    kernels = cost.kernels * (PASSES_A_NORM - fused)
    return pass_time(cost, machine=machine, hbm_bytes_per_s=rates.hbm_bytes_per_s, kernels=kernels)


def add_tokens(
    step: StepTime, model: Model, tokens: Array, where: Layout, *, formats: Formats, rates: Rates
) -> None:
    """Work that depends only on how many tokens the lane's step has: products, experts, norms, collectives."""
    machine = rates.machine
    known: dict[tuple[str, float], Timed] = {}
    shape = machine.overheads.routing_shape if machine else rates.routing_shape
    for group, costs in layer_token_costs(model, tokens, where, formats, shape):
        products = layer_products(group, model.hidden, where) if machine else {}
        for cost in costs:
            timed = None
            if machine is not None:
                same = (cost.name, float(np.max(cost.weight_bytes)))
                if same not in known or cost.name == "norms":
                    known[same] = _kernel_of(
                        cost, group, model, tokens=tokens, products=products, where=where, formats=formats,
                        rates=rates, machine=machine,
                    )  # fmt: skip
                timed = known[same]
            _add_cost(step, cost, rates, timed)
    embedding = embedding_cost(model, tokens, where, formats)
    passed = None
    if machine is not None:
        passed = pass_time(embedding, machine=machine, hbm_bytes_per_s=rates.hbm_bytes_per_s, kernels=1)
    _add_cost(step, embedding, rates, passed)
    alone = Segment(tokens, as_array(1.0), as_array(0.0), as_array(0.0))
    _add_token_messages(step, model, alone, where, formats=formats, rates=rates)


def _add_token_messages(
    step: StepTime, model: Model, alone: Segment, where: Layout, *, formats: Formats, rates: Rates
) -> None:
    machine = rates.machine
    merged: dict[tuple[str, Moe | None], Message] = {}
    for group in model.layers:
        for message in forward_messages(replace(model, layers=(group,)), [alone], where, formats):
            key = (message.name, group.moe if message.name in EXCHANGES else None)
            if key not in merged:
                merged[key] = message
            elif message.name != "pipeline":
                merged[key] = replace(merged[key], count=merged[key].count + message.count)
    for (name, moe), message in merged.items():
        time_s = None
        if machine is not None and moe is not None and np.any(message.count > 0):
            time_s = _exchange_s(message, moe, model, alone.tokens / where.dp / where.tp, machine)
        if name != "logits":
            _add_message(step, message, rates, time_s)
    if machine is not None:
        vectors = alone.tokens / where.dp * (model.hidden * EMBEDDING_BYTES)
        cut = Message("embedding_all_reduce", "all_reduce", where.tp, vectors, as_array(1.0))
        _add_message(step, cut, rates, needed=False)


def _exchange_s(message: Message, moe: Moe, model: Model, tokens: Array, machine: Machine) -> Array:
    """Dispatch or combine; what the datasheet's message would be stands in `message`."""
    direction = message.name.removeprefix("expert_")
    sent = DISPATCH_BYTES if direction == "dispatch" else COMBINE_BYTES
    copies = distinct_destinations(message.group, moe.top_k)
    return exchange_time_s(
        tokens,
        copies,
        shape=(moe.experts, moe.top_k, model.hidden),
        direction=direction,
        bytes_per_number=sent,
        devices=message.group,
        machine=machine,
    )


def add_sequences(
    step: StepTime, model: Model, part: Segment, where: Layout, *, formats: Formats, rates: Rates
) -> None:
    """Work that depends on each sequence's context: attention and recurrent states of one segment."""
    machine = rates.machine
    for group in model.layers:
        for cost in sequence_costs(group, [part], where, formats):
            timed = None
            if machine is not None and cost.name == "attention" and group.attention is not None:
                timed = attention_time(group.attention, part, where=where, formats=formats, machine=machine)
            _add_cost(step, cost, rates, timed)


def add_outputs(
    step: StepTime, model: Model, outputs: Array, where: Layout, *, formats: Formats, rates: Rates
) -> None:
    """Logits of `outputs` positions of the lane, their exchange, and sampling."""
    machine, cost = rates.machine, head_cost(model, outputs, where, formats)
    timed = None
    if machine is not None:
        head = Product(model.vocab / where.tp, as_array(float(model.hidden)))
        timed = products_time([head], outputs / where.dp, component="head", formats=formats, machine=machine)
    _add_cost(step, cost, rates, timed)
    only = Segment(outputs, as_array(0.0), as_array(0.0), as_array(1.0))
    for message in forward_messages(model, [only], where, formats):
        if message.name == "logits":
            _add_message(step, message, rates)
    if machine is not None:
        _add_host(step, "sampling", outputs / where.dp * machine.overheads.host_sequence_s)


def add_step(step: StepTime, model: Model, prompts: Array, rates: Rates) -> None:
    """What a step costs whatever it computes, and what it costs to carry a prompt."""
    machine = rates.machine
    if machine is None:
        _add_host(step, "host", as_array(rates.host_step_s))
        return
    overheads = machine.overheads
    _add_host(step, "host", as_array(overheads.host_step_s))
    layers = sum(group.count for group in model.layers)
    moe_layers = sum(group.count for group in model.layers if group.moe is not None)
    latent_layers = sum(group.count for group in model.layers if group.attention and group.attention.latent)
    broken = (
        overheads.mixed_step_s
        + layers * overheads.mixed_layer_s
        + moe_layers * overheads.mixed_moe_layer_s
        + latent_layers * overheads.mixed_latent_layer_s
    )
    _add_host(step, "prompt_step", np.where(prompts > 0, broken, 0.0))


def _add_host(step: StepTime, term: str, seconds: Array) -> None:
    step.add(term, seconds)
    step.waits_s["launch and host"] = step.waits_s["launch and host"] + seconds


def step_time(
    model: Model, segments: Sequence[Segment], where: Layout, formats: Formats, rates: Rates
) -> StepTime:
    """Time of one pass of a lane over `segments`: all pipeline stages, one after another.

    Arrays in `segments` and `where` broadcast; the result has their shape. A step of a pipelined replica is a pass of
    each of its `pp` lanes, one behind the other, so a token's time is the time of one pass. Segments with fewer outputs
    than new tokens are prompts. Bounds are the datasheet's, whatever the rates.
    """
    zero = as_array(0.0)
    step = StepTime()
    tokens = sum((part.tokens for part in segments), start=zero)
    outputs = sum((part.sequences * part.outputs for part in segments), start=zero)
    prompts = sum((np.where(part.new_tokens > part.outputs, part.sequences, 0.0) for part in segments), start=zero)
    add_tokens(step, model, tokens, where, formats=formats, rates=rates)
    for part in segments:
        add_sequences(step, model, part, where, formats=formats, rates=rates)
    add_outputs(step, model, outputs, where, formats=formats, rates=rates)
    add_step(step, model, prompts, rates)
    return step
