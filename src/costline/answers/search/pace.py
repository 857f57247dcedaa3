"""How a lane of continuous batching moves at some batch, from the times of its steps with and without a prompt.

Knows a load and two step times, not what they are made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from costline.answers.search.load import Load
from costline.architecture.sharding import Layout
from costline.quantities import Array, Numeric, as_array
from costline.serving.steady import loaded_tpot_s, request_cycle_s

LEAST = 1e-6
"""Smallest batch or space, so that an idle lane divides by something."""


@dataclass(frozen=True)
class Intake:
    """How prompts enter a lane: in chunks, where finished requests make room for them."""

    chunks: Array
    """Steps that one prompt takes."""
    prompts: Array
    """Prompts that a lane takes in at once, at least one in each attention group."""


@dataclass(frozen=True)
class Pace:
    """A lane at some batch; arrays of the search's shape."""

    decode_step_s: Array
    """Of a step without a prompt, or of a round."""
    chunk_step_s: Array
    """Of a step that also carries a chunk of a prompt in each attention group."""
    intake: Intake
    cycle_s: Array
    """Time in which the lane takes in and finishes one request."""
    tpot_s: Array

    @property
    def prompts(self) -> Array:
        """Prompts that a lane takes in at once."""
        return self.intake.prompts

    @property
    def own_prefill_s(self) -> Array:
        """Time that a prompt takes once it is its turn."""
        return self.intake.chunks * self.chunk_step_s


class Lane(Protocol):
    """A lane whose pace is known at any batch."""

    def pace(self, batch: Array) -> Pace:
        """The lane while it decodes `batch` sequences and takes in prompts at the rate at which it finishes them."""
        ...

    def limits(self, batch: Array) -> tuple[Array, Array]:
        """Lower bound of a decode step or round, and the index of what most of the time is waited for."""
        ...


def intake(load: Load, where: Layout, batch: Array, *, rounds: Numeric, tokens_a_step: Numeric = 1.0) -> Intake:
    """Chunks of a prompt, and prompts at once, beside `batch` sequences that add tokens in `rounds` steps each.

    A prompt is worked on by one attention group; the groups take in prompts at the same time, sharing the experts. A
    group takes in several at once where it finishes more than one request a step and the chunk has room for them.
    """
    space = np.maximum(load.chunk_tokens - batch * tokens_a_step / where.dp, 1.0)
    finished = batch / where.dp / np.maximum(rounds, 1.0)
    prompts = where.dp * np.clip(finished, 1.0, np.maximum(space / load.new_tokens, 1.0))
    return Intake(np.ceil(load.new_tokens / space), as_array(prompts))


def pace_of(
    load: Load, where: Layout, batch: Array, taken: Intake, *, rounds: Numeric, decode_step_s: Array,
    chunk_step_s: Array,
) -> Pace:  # fmt: skip
    """The pace of a lane whose requests need `rounds` steps each beside those of their prompts."""
    cycle = request_cycle_s(
        batch,
        rounds,
        taken.chunks / taken.prompts,
        decode_step_s=decode_step_s,
        chunk_step_s=chunk_step_s,
        lanes=where.pp,
    )
    return Pace(decode_step_s, chunk_step_s, taken, cycle, loaded_tpot_s(cycle, batch, load.decode_steps))
