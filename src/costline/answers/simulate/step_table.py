"""The physics of one replica as the simulator takes it: a table of step times.

Fills `serving.step_table` from `forward.step_parts` and what whole runs of the engine added. Knows no request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from costline.answers.search.columns import Engine
from costline.architecture.sharding import Layout
from costline.catalog.serving_overheads import ServingOverheads, samples_by_top_p, serving_overheads
from costline.forward.rates import Rates
from costline.forward.step_parts import StepParts, step_axes, step_parts
from costline.quantities import Array
from costline.serving.step_table import StepTable

TIMES = ("tokens_s", "outputs_s", "decode_attention_s", "prefill_attention_s", "step_s", "mixed_s")
SMALLEST_GRAPHS = (1, 2, 4)
"""Captured graphs below the first multiple."""


@dataclass(frozen=True)
class Reach:
    """How far a table must go."""

    max_batched_tokens: int
    max_sequences: int
    longest_tokens: float
    """Longest prompt and answer together."""


def served_rates(rates: Rates, added: ServingOverheads) -> Rates:
    """Rates whose step overheads are those of whole runs; the datasheet's stay as they are."""
    if rates.machine is None:
        return rates
    return replace(rates, machine=replace(rates.machine, overheads=added.over(rates.machine.overheads)))


def step_table(engine: Engine, where: Layout, reach: Reach) -> StepTable:
    """Steps of a replica; with pipeline stages one step is a pass of each of its lanes, side by side."""
    added = serving_overheads(engine.site.engine.engine)
    rates = served_rates(engine.rates, added)
    lanes = int(where.pp)
    tokens = max(reach.max_batched_tokens, reach.max_sequences) / lanes
    axes = step_axes(np.ceil(tokens), np.ceil(reach.max_sequences / lanes), max(reach.longest_tokens, 32.0))
    parts = step_parts(engine.model, where, engine.formats, rates, axes)
    timed = rates.machine is not None
    sampler_s = added.sampler_s * engine.model.vocab if timed and samples_by_top_p(engine.model) else 0.0
    sequences = _a_lane(reach.max_sequences, lanes)
    outputs = np.concatenate([[0.0], parts.outputs_s])
    share = added.decode_attention_share if timed else 1.0
    return StepTable(
        tokens_s=_tokens_s(parts, int(lanes * tokens), lanes, added if timed else None),
        outputs_s=np.interp(sequences, _from_zero(axes.sequences), outputs) + sampler_s * sequences,
        decode_context_tokens=axes.context_tokens,
        decode_attention_s=share * _rows(parts, sequences),
        prefill_new_tokens=axes.prompt_tokens,
        prefill_context_tokens=axes.cached_tokens,
        prefill_attention_s=parts.prefill_attention_s,
        step_s=parts.step_s,
        mixed_s=parts.mixed_s,
        request_s=parts.request_s,
    )


def slower(table: StepTable, factor: float) -> StepTable:
    """The table with every step so many times as long; what a request costs outside the engine stays."""
    return replace(table, **{name: factor * getattr(table, name) for name in TIMES})


def padded_tokens(tokens: Array, added: ServingOverheads) -> Array:
    """Tokens that a captured graph computes for so many: the next of its sizes.

    >>> from costline.catalog.serving_overheads import serving_overheads
    >>> padded_tokens(np.array([1.0, 3.0, 11.0, 600.0]), serving_overheads("vllm")).tolist()
    [1.0, 4.0, 16.0, 600.0]
    """
    whole = np.ceil(tokens / added.padded_to) * added.padded_to
    for size in reversed(SMALLEST_GRAPHS):
        whole = np.where(tokens <= size, float(size), whole)
    return np.where(tokens <= added.padded_up_to, whole, tokens)


def _tokens_s(parts: StepParts, most: int, lanes: int, added: ServingOverheads | None) -> Array:
    """Dense from no token on; a lane has its share of the tokens."""
    each = _a_lane(most, lanes)
    filled = padded_tokens(each, added) if added is not None else each
    return np.interp(np.where(each > 0, filled, 0.0), _from_zero(parts.axes.tokens), _with_zero(parts.tokens_s))


def _a_lane(most: int, lanes: int) -> Array:
    """What a lane has of 0, 1, 2 … in the replica: an equal share, one at least where there is any."""
    all_together = np.arange(most + 1.0)
    return np.where(all_together > 0, np.maximum(all_together / lanes, 1.0), 0.0)


def _rows(parts: StepParts, sequences: Array) -> Array:
    """Attention at every number of sequences, straight lines between those that were computed; none for none."""
    known, times = parts.axes.sequences, parts.decode_attention_s
    after = np.clip(np.searchsorted(known, sequences), 1, len(known) - 1)
    share = np.clip((sequences - known[after - 1]) / (known[after] - known[after - 1]), 0.0, None)[:, np.newaxis]
    rows = (1 - share) * times[after - 1] + share * times[after]
    return np.where(sequences[:, np.newaxis] > 0, rows, 0.0)


def _from_zero(axis: Array) -> Array:
    return np.concatenate([[0.0], axis])


def _with_zero(times: Array) -> Array:
    return np.concatenate([[0.0], times])
