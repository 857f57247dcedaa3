"""A step as tables of its parts, for what asks for millions of steps: simulators and searches.

A step of one lane is the sum of a few parts that each depend on one or two numbers; `step_time` of the same step is the
same sum. Knows no queue and no schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.architecture.operations import Formats, Segment
from costline.architecture.sharding import Layout
from costline.catalog.records import Model
from costline.forward.rates import Rates
from costline.forward.steps import StepTime, add_outputs, add_sequences, add_step, add_tokens
from costline.quantities import Array, as_array

POINTS_AN_OCTAVE = 4
"""Density of default axes; between their points, straight lines are within one per cent."""
DENSE_TO = 32
"""Every whole number up to here stands on a default axis of tokens or sequences."""


@dataclass(frozen=True)
class StepAxes:
    """Points at which the parts are tabulated, rising."""

    tokens: Array
    sequences: Array
    context_tokens: Array
    prompt_tokens: Array
    cached_tokens: Array


@dataclass(frozen=True)
class StepParts:
    """Seconds of the parts of a step of one lane, tabulated on `axes`."""

    axes: StepAxes
    tokens_s: Array
    """[tokens]: products, experts, norms and collectives of so many tokens, prompts' and answers' together."""
    decode_attention_s: Array
    """[sequences, context_tokens]: one new token for each of so many sequences of that mean context."""
    prefill_attention_s: Array
    """[prompt_tokens, cached_tokens]: so many new tokens of one prompt after so many cached ones."""
    outputs_s: Array
    """[sequences]: logits and sampling of so many positions: each decoding sequence and each prompt that ends."""
    step_s: float
    """What every step costs."""
    mixed_s: float
    """What a step that carries a prompt costs beyond."""
    request_s: float
    """Client, tokeniser and scheduler: once a request, in its time to the first token."""


def rising(least: float, most: float) -> Array:
    """Whole numbers from `least` to `most`: each up to `DENSE_TO`, then some an octave; both ends included.

    >>> rising(1, 3).tolist(), rising(0, 64).size
    ([1.0, 2.0, 3.0], 37)
    """
    few = np.arange(least, min(DENSE_TO, most) + 1)
    if most <= DENSE_TO:
        return as_array(few)
    octaves = np.log2(most / DENSE_TO)
    many = np.round(np.geomspace(DENSE_TO, most, int(np.ceil(octaves * POINTS_AN_OCTAVE)) + 1))
    return as_array(np.unique(np.concatenate([few, many, [most]])))


def step_axes(max_tokens: float, max_sequences: float, max_context_tokens: float) -> StepAxes:
    """Axes up to the largest step, batch and context that will be asked for."""
    context = np.unique(np.concatenate([[0.0], np.geomspace(16, max(max_context_tokens, 32), 40).round()]))
    prompts = rising(1, max_tokens)
    return StepAxes(rising(1, max_tokens), rising(1, max_sequences), as_array(context), prompts, as_array(context))


def step_parts(model: Model, where: Layout, formats: Formats, rates: Rates, axes: StepAxes) -> StepParts:
    """The parts of a step of one lane of a single layout.

    For any mixed step of N sequences of context S that takes in p tokens of one prompt after c:
    `tokens_s(N + p) + decode_attention_s(N, S) + prefill_attention_s(p, c) + outputs_s(N + 1) + step_s + mixed_s`
    is `step_time(...).expected_s`.
    """
    one = as_array(1.0)
    tokens, outputs, alone, mixed = (StepTime() for _ in range(4))
    add_tokens(tokens, model, axes.tokens, where, formats=formats, rates=rates)
    add_outputs(outputs, model, axes.sequences, where, formats=formats, rates=rates)
    add_step(alone, model, as_array(0.0), rates)
    add_step(mixed, model, one, rates)
    decode = Segment(axes.sequences[:, None], one, axes.context_tokens[None, :], one)
    prompt = Segment(one, axes.prompt_tokens[:, None], axes.cached_tokens[None, :], as_array(0.0))
    attention: list[Array] = []
    for part in (decode, prompt):
        step = StepTime()
        add_sequences(step, model, part, where, formats=formats, rates=rates)
        shape = np.broadcast_shapes(part.sequences.shape, part.new_tokens.shape, part.context_tokens.shape)
        attention.append(np.broadcast_to(step.expected_s, shape))
    step_s = float(alone.expected_s)
    return StepParts(
        axes=axes,
        tokens_s=np.broadcast_to(tokens.expected_s, axes.tokens.shape),
        decode_attention_s=attention[0],
        prefill_attention_s=attention[1],
        outputs_s=np.broadcast_to(outputs.expected_s, axes.sequences.shape),
        step_s=step_s,
        mixed_s=float(mixed.expected_s) - step_s,
        request_s=rates.machine.overheads.request_s if rates.machine else 0.0,
    )
