"""What an answer says about the draft of one plan: its length, what it gains at the batch that runs, when it pays."""

from __future__ import annotations

from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, load_of
from costline.answers.search.speculative import round_time
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import layout
from costline.forward.steps import step_time
from costline.serving.speculation import least_acceptance, loaded_speedup


def speculation(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any] | None:
    """The draft of one row against the same step without it; None where the scenario names no draft."""
    asked = scenario.deployment.speculation
    if asked is None:
        return None
    drafter, columns, load = group.drafter, group.columns, load_of(scenario)
    if drafter is None:
        return {"draft": asked.draft, "draft_tokens": 0, "speedup": 1.0, "acceptance": asked.acceptance}
    where = layout(*(columns[name][row] for name in ("tp", "pp", "dp", "ep")))
    batch = columns["running_batch"][row] / where.pp
    drafted = float(columns["draft_tokens"][row])
    alone = decode_segment(batch, load.mean_context_tokens)
    step_s = float(step_time(group.engine.model, [alone], where, group.engine.formats, group.engine.rates).expected_s)
    whole = round_time(group.engine, drafter, load, where, batch=batch, draft_tokens=drafted)
    round_s, tokens = float(whole.expected_s), float(drafter.tokens(drafted))
    least = float(least_acceptance(drafter.decay, drafted, round_s / step_s))
    return {
        "draft": drafter.name,
        "draft_tokens": int(drafted),
        "speedup": float(loaded_speedup(step_s, round_s, tokens)),
        "acceptance": drafter.acceptance,
        "acceptance_decay": drafter.decay,
        "tokens_per_round": tokens,
        "round_s": round_s,
        "draft_s": float(whole.terms_s["draft"]),
        "break_even_acceptance": None if np.isnan(least) else least,
        "draft_weights_bytes_per_accelerator": float(drafter.weight_bytes(where)),
    }
