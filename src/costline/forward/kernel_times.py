"""Time of the operations of a pass by the kernels that an engine runs them with.

Shapes from `architecture`, kernels from `machine`. Each function gives the time of one layer and, apart, the part of it
that is launch and drain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.architecture.cost import Cost
from costline.architecture.experts import touched_experts
from costline.architecture.formats import bytes_per_weight
from costline.architecture.operations import Formats, Segment
from costline.architecture.products import Product
from costline.architecture.sharding import Layout, cached_heads, kv_head_share
from costline.architecture.visible import attention_pairs, cached_tokens_read
from costline.catalog.records import Attention, Latent, Moe
from costline.forward.kernels.decode_attention import decode_attention_time_s
from costline.forward.kernels.experts import (
    ALL_PAIRS,
    LARGE_TILE_ROWS,
    expert_traffic_bytes,
    experts_time_s,
    padded_rows,
    padded_sides,
)
from costline.forward.kernels.gemm import gemm_time_s
from costline.forward.kernels.mla import ABSORBED_WIDTH, ABSORBS_PROMPTS, mla_decode_time_s
from costline.forward.kernels.prefill_attention import attention_traffic_bytes, prefill_attention_time_s
from costline.forward.machine import Machine, kernel_word
from costline.quantities import Array, as_array

GATED_MATRICES = 3
LATENT_TRAFFIC_BYTES = 2
"""Of one number of queries, keys, values and results of latent attention."""


@dataclass(frozen=True)
class Timed:
    """Seconds, and the part of them that is launch and drain."""

    time_s: Array
    floor_s: Array

    def __add__(self, other: Timed) -> Timed:
        return Timed(self.time_s + other.time_s, self.floor_s + other.floor_s)


NOTHING = Timed(as_array(0.0), as_array(0.0))


def products_time(
    products: Sequence[Product], rows: Array, *, component: str, formats: Formats, machine: Machine
) -> Timed:
    """Matrix products one after another, on `rows` tokens each."""
    weights = formats.weight(component)
    how = machine.product(kernel_word(machine.chip, weights, formats.math(component)))
    found = NOTHING
    for one in products:
        time_s = gemm_time_s(
            rows,
            one.columns,
            one.depth,
            bytes_per_weight=bytes_per_weight(weights),
            bytes_per_activation=how.bytes_per_activation,
            device=how.device,
            kernel=how.kernel,
        )
        found = found + Timed(time_s, as_array(how.kernel.floor_s))
    return found


BALANCED_BEYOND = 8
"""Experts on more devices than one node's are dealt anew by load, popular ones held twice: only chance is left."""


def experts_time(
    moe: Moe, hidden: int, tokens: Array, *, where: Layout, formats: Formats, machine: Machine
) -> Timed:
    """Routed experts of one layer on the busiest device of a lane with `tokens` tokens."""
    weights = formats.weight("experts")
    word = kernel_word(machine.chip, weights, formats.math("experts"))
    kernel, device, kind = machine.experts(word, weights)
    devices = where.ep
    shape = machine.overheads.routing_shape
    distinct = np.maximum(touched_experts(moe.experts, moe.top_k, tokens, shape) / devices, 1.0)
    alike = np.where(devices > BALANCED_BEYOND, np.inf, moe.experts * shape)
    pairs = np.maximum(busiest_pairs(tokens * moe.top_k, devices, alike), distinct)
    width = as_array(moe.expert_width * moe.matrices / GATED_MATRICES) * devices / (where.tp * where.dp)
    dim, width = padded_sides(moe.latent_dim or hidden, width, kind, weights)
    near = tokens / where.dp
    traffic = expert_traffic_bytes(pairs, near, moe.top_k, hidden=dim, width=width, all_pairs=kind in ALL_PAIRS)
    time_s = experts_time_s(
        distinct,
        padded_rows(pairs, distinct),
        padded_rows(pairs, distinct, LARGE_TILE_ROWS) / LARGE_TILE_ROWS,
        hidden=dim,
        width=width,
        bytes_per_weight=bytes_per_weight(weights),
        traffic_bytes=traffic,
        device=device,
        kernel=kernel,
    )
    return Timed(time_s, as_array(kernel.floor_s))


def busiest_pairs(pairs: Array, devices: Array, alike: Array | float = math.inf) -> Array:
    """Pairs of token and expert on the busiest of the devices that experts are spread over.

    Equation
        p = P / R + sqrt(2 ln R (P / R (1 - 1 / R) + (P / R)^2 (R - 1) / n))

    Parameters
        pairs    P  [1]  array   >= 0, of all devices
        devices  R  [1]  array   >= 1
        alike    n  [1]  array   > 0, experts times the shape of their popularity; inf = tokens choose uniformly

    Returns
        p  [1]  array, the broadcast shape; P for one device

    Holds when  P is much above R; the largest of R normal loads; popularity has variance 1 / shape around 1.
    Source      [derived]
    Raises      nothing

    >>> [busiest_pairs(as_array(1024.0), as_array([1.0, 8.0]), alike).round().tolist() for alike in (math.inf, 128)]
    [[1024.0, 150.0], [1024.0, 193.0]]
    """
    mean = pairs / devices
    variance = mean * (1 - 1 / devices) + mean**2 * (devices - 1) / alike
    return mean + np.sqrt(2 * np.log(devices) * variance)


def attention_time(
    attention: Attention, part: Segment, *, where: Layout, formats: Formats, machine: Machine
) -> Timed:
    """Attention of one layer for the sequences of one segment: a prompt's kernel, or decoding's."""
    prompt = part.new_tokens > part.outputs
    find = (_latent_prompt, _latent_decode) if attention.latent else (_prompt, _decode)
    if np.all(prompt):
        found = find[0](attention, part, where, formats, machine)
    elif not np.any(prompt):
        found = find[1](attention, part, where, formats, machine)
    else:
        long, short = (one(attention, part, where, formats, machine) for one in find)
        found = Timed(np.where(prompt, long.time_s, short.time_s), np.where(prompt, long.floor_s, short.floor_s))
    runs = np.where(part.sequences > 0, 1.0, 0.0)
    return Timed(found.time_s * runs, found.floor_s * runs)


def _decode(attention: Attention, part: Segment, where: Layout, formats: Formats, machine: Machine) -> Timed:
    kernel, device = machine.decode_attention(formats.kv)
    held = attention.kv_heads * kv_head_share(cached_heads(attention), where.tp)
    time_s = decode_attention_time_s(
        part.sequences / where.dp,
        cached_tokens_read(attention, part.context_tokens, part.new_tokens) + part.new_tokens,
        attention.heads / where.tp * part.new_tokens,
        held,
        head_dim=(attention.head_dim + attention.value_dim) / 2,
        bytes_per_value=bytes_per_weight(formats.kv),
        device=device,
        kernel=kernel,
    )
    return Timed(time_s, as_array(kernel.floor_s))


def _latent_decode(attention: Attention, part: Segment, where: Layout, formats: Formats, machine: Machine) -> Timed:
    kernel, device = machine.latent_decode(formats.kv)
    time_s = mla_decode_time_s(
        part.sequences / where.dp,
        cached_tokens_read(attention, part.context_tokens, part.new_tokens) + part.new_tokens,
        attention.heads / where.tp * part.new_tokens,
        bytes_per_value=bytes_per_weight(formats.kv),
        device=device,
        kernel=kernel,
    )
    return Timed(time_s, as_array(kernel.floor_s))


def _as_prefix(attention: Attention, part: Segment) -> Array:
    """The cached prefix with which a full causal prompt has as many query-key pairs as this one."""
    pairs = attention_pairs(attention, part.context_tokens, part.new_tokens)
    return (2 * pairs / part.new_tokens - part.new_tokens - 1) / 2


def _prompt(attention: Attention, part: Segment, where: Layout, formats: Formats, machine: Machine) -> Timed:
    kernel, device = machine.prefill_attention(formats.kv)
    mine, heads = part.sequences / where.dp, attention.heads / where.tp
    held = attention.kv_heads * kv_head_share(cached_heads(attention), where.tp)
    width, number = attention.head_dim + attention.value_dim, bytes_per_weight(formats.kv)
    before = cached_tokens_read(attention, part.context_tokens, part.new_tokens)
    traffic = attention_traffic_bytes(
        mine, part.new_tokens, heads, held, head_dim=width / 2, bytes_per_value=number
    )
    time_s = prefill_attention_time_s(
        mine,
        part.new_tokens,
        heads,
        pair_width=width,
        traffic_bytes=traffic + mine * before * held * width * number,
        device=device,
        kernel=kernel,
        prefix_tokens=_as_prefix(attention, part),
    )
    return Timed(time_s, as_array(kernel.floor_s))


def _latent_prompt(attention: Attention, part: Segment, where: Layout, formats: Formats, machine: Machine) -> Timed:
    kernel, device = machine.latent_prefill(formats.kv)
    mine, heads = part.sequences / where.dp, attention.heads / where.tp
    absorbs = (machine.chip.family, machine.engine) in ABSORBS_PROMPTS
    time_s = prefill_attention_time_s(
        mine,
        part.new_tokens,
        heads,
        pair_width=ABSORBED_WIDTH if absorbs else expanded_width(attention, attention.latent),
        traffic_bytes=2 * LATENT_TRAFFIC_BYTES * expanded_width(attention, attention.latent) * mine * heads
        * (part.new_tokens + part.context_tokens / 2),
        device=device,
        kernel=kernel,
        prefix_tokens=_as_prefix(attention, part),
    )
    return Timed(time_s, as_array(kernel.floor_s))


def expanded_width(attention: Attention, latent: Latent | None) -> float:
    """Width of a key plus width of a value once a latent cache is expanded."""
    return (latent.nope_dim + latent.rope_dim if latent else attention.head_dim) + attention.value_dim


def pass_time(cost: Cost, *, machine: Machine, hbm_bytes_per_s: float, kernels: Array | float) -> Timed:
    """Kernels that only pass over activations, the datasheet's bandwidth times a fraction."""
    floor_s = as_array(kernels * machine.overheads.pointwise_floor_s)
    return Timed(cost.hbm_bytes / hbm_bytes_per_s + floor_s, floor_s)
