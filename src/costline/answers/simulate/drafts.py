"""Speculation in a simulation: a round is so many steps of the draft and one pass of the target over all its tokens.

Uses the draft that `search.speculative` describes. Knows no request.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from costline.answers.deployment_block import SpeculationBlock
from costline.answers.search.columns import Engine
from costline.answers.search.speculative import Drafter, room_with_draft, the_drafter
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout
from costline.deployment.plan import Option
from costline.forward.memory import kv_capacity_tokens
from costline.forward.step_parts import rising
from costline.quantities import Array
from costline.serving.fleet import Speculation
from costline.serving.step_table import StepTable


def drafter_of(block: SpeculationBlock, engine: Engine, label: str) -> Drafter:
    """The draft that a scenario names, in the formats of the target."""
    return the_drafter(block, engine.model, Option(label, engine.formats))


def speculation(drafter: Drafter) -> Speculation:
    """How likely each drafted token is kept, given those before it."""
    places = np.arange(drafter.most_tokens)
    return Speculation(tuple((drafter.acceptance * drafter.decay**places).tolist()))


def capacity_tokens(engine: Engine, drafter: Drafter, where: Layout, context_tokens: float) -> float:
    """Tokens that the cache holds beside the draft's weights, each with the draft's own."""
    pool = room_with_draft(engine, drafter, where, context_tokens)["pool_bytes"]
    alone = float(kv_capacity_tokens(engine.model, pool, engine.formats.kv, where))
    if not 0 < alone < math.inf:
        return alone
    target = float(pool) * float(where.dp) / alone
    return alone * target / (target + float(drafter.kv_bytes(context_tokens, where)) / context_tokens)


def with_drafts(table: StepTable, engine: Engine, drafter: Drafter, where: Layout) -> StepTable:
    """The table of rounds: each decoding sequence brings its drafted tokens, and drafting them takes its time."""
    most = len(table.decode_attention_s) - 1
    known = rising(1, max(most, 2))
    segment = decode_segment(known[:, np.newaxis] / where.pp, table.decode_context_tokens[np.newaxis, :])
    each = np.broadcast_to(
        drafter.step(engine, segment, where).expected_s, (known.size, table.decode_context_tokens.size)
    )
    drafting = drafter.most_tokens * _at_each(known, each, most)
    return replace(
        table, decode_attention_s=table.decode_attention_s + drafting, decode_tokens=drafter.most_tokens + 1
    )


def _at_each(known: Array, times: Array, most: int) -> Array:
    """Rows for every number of sequences from none, which takes nothing."""
    counts = np.arange(most + 1.0)
    after = np.clip(np.searchsorted(known, counts), 1, known.size - 1)
    share = ((counts - known[after - 1]) / (known[after] - known[after - 1]))[:, np.newaxis]
    rows = (1 - share) * times[after - 1] + share * times[after]
    return np.where(counts[:, np.newaxis] > 0, rows, 0.0)
