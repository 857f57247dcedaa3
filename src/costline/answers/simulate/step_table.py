"""The physics of one replica as the simulator takes it: a table of step times.

Fills `serving.step_table` from `forward.step_parts` and what whole runs of the engine added. Knows no request.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costline.answers.search.columns import Engine
from costline.architecture.formats import bytes_per_weight
from costline.architecture.sharding import Layout, cached_heads, kv_head_share
from costline.architecture.visible import cached_tokens_read
from costline.catalog.records import Model
from costline.catalog.serving_overheads import ServingOverheads, samples_by_top_p, serving_overheads
from costline.forward.kernels.decode_attention import decode_attention_time_s
from costline.forward.machine import Machine
from costline.forward.rates import Rates
from costline.forward.step_parts import StepAxes, StepParts, step_axes, step_parts
from costline.quantities import Array, as_array
from costline.serving.step_table import StepTable

TIMES = ("tokens_s", "outputs_s", "decode_attention_s", "prefill_attention_s", "step_s", "mixed_s")
SMALLEST_GRAPHS = (1, 2, 4)
"""Captured graphs below the first multiple."""
GRAPH_OVER_SEQUENCES = 2
"""The largest captured graph has no more tokens than so many times the sequences that an engine admits."""
_TABLES: deque[tuple[tuple[Any, ...], StepTable]] = deque(maxlen=8)
"""The last tables with what they were asked for."""


@dataclass(frozen=True)
class Reach:
    """How far a table must go."""

    max_batched_tokens: int
    max_sequences: int
    longest_tokens: float
    """Longest prompt and answer together."""
    tokens_a_sequence: int = 1
    """Tokens that a decoding sequence brings: graphs are captured for so many more."""


def served_rates(rates: Rates, added: ServingOverheads) -> Rates:
    """Rates whose step overheads are those of whole runs; the datasheet's stay as they are."""
    if rates.machine is None:
        return rates
    return replace(rates, machine=replace(rates.machine, overheads=added.over(rates.machine.overheads)))


def step_table(engine: Engine, where: Layout, reach: Reach) -> StepTable:
    """Steps of a replica; runs that differ in their load alone share one table."""
    asked = (engine, where, reach, serving_overheads(engine.site.engine.engine))
    for known, table in tuple(_TABLES):
        if known == asked:
            return table
    table = _step_table(*asked)
    _TABLES.append((asked, table))
    return table


def _step_table(engine: Engine, where: Layout, reach: Reach, added: ServingOverheads) -> StepTable:
    """With pipeline stages one step is a pass of each of its lanes, side by side."""
    rates = served_rates(engine.rates, added)
    lanes = int(where.pp)
    tokens = max(reach.max_batched_tokens, reach.tokens_a_sequence * reach.max_sequences) / lanes
    axes = step_axes(np.ceil(tokens), np.ceil(reach.max_sequences / lanes), max(reach.longest_tokens, 32.0))
    parts = step_parts(engine.model, where, engine.formats, rates, axes)
    most, sequences = int(lanes * tokens), _a_lane(reach.max_sequences, lanes)
    times, attention, mixed_s, sampler_s = parts.tokens_s, parts.decode_attention_s, parts.mixed_s, 0.0
    tokens_s = np.interp(_a_lane(most, lanes), _from_zero(axes.tokens), _from_zero(times))
    if rates.machine is not None:
        graph = reach.tokens_a_sequence * min(added.padded_up_to, GRAPH_OVER_SEQUENCES * reach.max_sequences) / lanes
        if graph:
            tokens_s = _launched_s(parts, _a_lane(most, lanes), graph, engine.model, added)
        if added.launch_layer_s > 0:
            mixed_s = 0.0  # what a prompt adds is the launch of a step beyond the graphs, which the tokens have
        attention = attention * served_share(engine, where, axes, rates.machine, added)
        sampler_s = added.sampler_s * engine.model.vocab * samples_by_top_p(engine.model, added)
    return StepTable(
        tokens_s=tokens_s,
        outputs_s=np.interp(sequences, _from_zero(axes.sequences), _from_zero(parts.outputs_s)) + sampler_s * sequences,
        decode_context_tokens=axes.context_tokens,
        decode_attention_s=_rows(axes.sequences, attention, sequences),
        prefill_new_tokens=axes.prompt_tokens,
        prefill_context_tokens=axes.cached_tokens,
        prefill_attention_s=parts.prefill_attention_s,
        step_s=parts.step_s,
        mixed_s=mixed_s,
        request_s=parts.request_s,
    )


def slower(table: StepTable, factor: float) -> StepTable:
    """The table with every step so many times as long; what a request costs outside the engine stays."""
    return replace(table, **{name: factor * getattr(table, name) for name in TIMES})


def padded_tokens(tokens: Array, multiple: int, largest: float) -> Array:
    """Tokens that a captured graph computes for so many: the next of its sizes; none is larger than the largest.

    >>> padded_tokens(np.array([1.0, 3.0, 11.0, 600.0]), 8, 512).tolist()
    [1.0, 4.0, 16.0, 600.0]
    """
    whole = np.ceil(tokens / multiple) * multiple
    for size in reversed(SMALLEST_GRAPHS):
        whole = np.where(tokens <= size, float(size), whole)
    return np.where(tokens <= largest, whole, tokens)


def _launched_s(parts: StepParts, tokens: Array, graph: float, model: Model, added: ServingOverheads) -> Array:
    """Work by tokens in captured graphs, filled up to their sizes; beyond the largest, as fast as the host launches."""
    filled = np.where(tokens > 0, padded_tokens(tokens, added.padded_to, graph), 0.0)
    times = np.interp(filled, _from_zero(parts.axes.tokens), _from_zero(parts.tokens_s))
    layers = sum(group.count for group in model.layers)
    moe_layers = sum(group.count for group in model.layers if group.moe is not None)
    host_s = layers * added.launch_layer_s + moe_layers * added.launch_moe_layer_s
    return np.where(tokens > graph, np.maximum(times, host_s), times)


def served_share(engine: Engine, where: Layout, axes: StepAxes, machine: Machine, added: ServingOverheads) -> Array:
    """Decode attention in serving over the kernel's, on the axes: less for setting up sequences and heads."""
    kernel, device = machine.decode_attention(engine.formats.kv)
    less = replace(kernel, item_s=added.attention_item_share * as_array(kernel.item_s))
    sums = [as_array(0.0), as_array(0.0)]
    for group in engine.model.layers:
        attention = group.attention
        if attention is None or attention.latent is not None:
            continue
        seen = cached_tokens_read(attention, axes.context_tokens[np.newaxis, :], as_array(1.0)) + 1.0
        held = attention.kv_heads * kv_head_share(cached_heads(attention), where.tp)
        for place, one in enumerate((kernel, less)):
            time_s = decode_attention_time_s(
                axes.sequences[:, np.newaxis] / where.dp,
                seen,
                attention.heads / where.tp,
                held,
                head_dim=(attention.head_dim + attention.value_dim) / 2,
                bytes_per_value=bytes_per_weight(engine.formats.kv),
                device=device,
                kernel=one,
            )
            sums[place] = sums[place] + group.count * time_s
    timed, served = sums
    return added.decode_attention_share * np.where(timed > 0, served / np.where(timed > 0, timed, 1.0), 1.0)


def _a_lane(most: int, lanes: int) -> Array:
    """What a lane has of 0, 1, 2 … in the replica: an equal share, one at least where there is any."""
    all_together = np.arange(most + 1.0)
    return np.where(all_together > 0, np.maximum(all_together / lanes, 1.0), 0.0)


def _rows(known: Array, times: Array, sequences: Array) -> Array:
    """Attention at every number of sequences, straight lines between those that were computed; none for none."""
    if len(known) == 1:  # one place
        return np.where(sequences[:, np.newaxis] > 0, times[0], 0.0)
    after = np.clip(np.searchsorted(known, sequences), 1, len(known) - 1)
    share = np.clip((sequences - known[after - 1]) / (known[after] - known[after - 1]), 0.0, None)[:, np.newaxis]
    rows = (1 - share) * times[after - 1] + share * times[after]
    return np.where(sequences[:, np.newaxis] > 0, rows, 0.0)


def _from_zero(values: Array) -> Array:
    return np.concatenate([[0.0], values])
