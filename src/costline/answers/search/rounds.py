"""A lane of which every step is a round of speculation: the counterpart of `columns.steady_state`.

The steady state is that of rounds: a request takes D / E of them, E tokens each, instead of D steps.
"""

from __future__ import annotations

import numpy as np

from costline.answers.search.columns import Engine, Steady, steady
from costline.answers.search.load import Load
from costline.answers.search.pace import LEAST, intake
from costline.answers.search.speculative import Drafter, together
from costline.architecture.operations import Segment, decode_segment
from costline.architecture.sharding import Layout
from costline.forward.steps import step_time
from costline.quantities import Array, as_array


def speculative_state(
    engine: Engine, drafter: Drafter, load: Load, where: Layout, *, lane_batch: Array, draft_tokens: Array
) -> Steady:
    """A lane that decodes `lane_batch` sequences in rounds and takes in prompts, which the draft reads too."""
    batch, k = np.maximum(as_array(lane_batch), LEAST), as_array(draft_tokens)
    rounds = load.decode_steps / drafter.tokens(k)
    context = load.mean_context_tokens
    verify = decode_segment(batch, context, k + 1)
    drafting = drafter.step(engine, decode_segment(batch, context), where)
    alone = step_time(engine.model, [verify], where, engine.formats, engine.rates)
    alone = together(alone, drafting, k * where.pp)
    taken = intake(load, where, batch, rounds=rounds, tokens_a_step=k + 1)
    share = taken.prompts / taken.chunks
    prompt = Segment(share, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    mixed = step_time(engine.model, [verify, prompt], where, engine.formats, engine.rates)
    mixed = together(mixed, drafting, k * where.pp)
    mixed = together(mixed, drafter.step(engine, prompt, where), where.pp)
    return steady(load, where, batch, taken, rounds=rounds, decode=alone, mixed=mixed)
