"""Why: the limit that binds a plan in words, its distance, and what excludes everything when nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, load_of
from costline.answers.search.columns import Engine, Steady, steady_state
from costline.answers.search.pool_reasons import pool_reason
from costline.answers.search.rounds import speculative_state
from costline.architecture.sharding import layout
from costline.catalog.records import Model
from costline.forward.steps import RESOURCES
from costline.quantities import MILLI, PERCENT, format_bytes, format_seconds

TARGETS = {"ttft": "ttft_p99_ms", "tpot": "tpot_p99_ms", "e2e": "e2e_p99_ms"}
"""Key of each latency target in the scenario."""
LIMIT_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "end-to-end latency", "load": "the request rate"}
_ADVICE = {
    "compute": "cached prompts, narrower arithmetic or more FLOP/s would help",
    "weight bandwidth": "a larger batch or narrower weights would help",
    "cache bandwidth": "a narrower cache or more bandwidth would help",
    "launch and host": "fewer, larger steps would help",
    "scale-up network": "less tensor parallelism or faster links would help",
    "scale-out network": "a replica inside one fast domain would help",
}


def lane_at(group: Candidates, row: int, scenario: Scenario, batch: float, engine: Engine | None = None) -> Steady:
    """The lane of a row whose replica decodes so many sequences, on its own engine or another."""
    columns, load = group.columns, load_of(scenario)
    where = layout(*(columns[name][row] for name in ("tp", "pp", "dp", "ep")))
    mine = batch / where.pp
    if group.drafter is None:
        return steady_state(engine or group.engine, load, where, mine)
    drafted = columns["draft_tokens"][row]
    return speculative_state(
        engine or group.engine, group.drafter, load, where, lane_batch=mine, draft_tokens=drafted
    )


def running(group: Candidates, row: int, scenario: Scenario) -> Steady:
    """The lane of a row at its running batch."""
    return lane_at(group, row, scenario, float(group.columns["running_batch"][row]))


def reason(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any]:
    """The binding limit of one row: of its time, of a decode step, and of the targets."""
    found = pool_reason(group, row, scenario, _ADVICE) if group.prefill else _lane_reason(group, row, scenario)
    words, advice = found.pop("words"), found.pop("advice")
    margins = slo_margins(group, row, scenario)
    step, floor = sum(found["waits_s"].values()), float(group.columns["decode_lower_bound_s"][row])
    if group.drafter is not None:
        drafted = float(group.columns["draft_tokens"][row])
        gained = float(group.drafter.tokens(drafted))
        words.append(f"a round drafts {drafted:.0f} and adds {gained:.2f} tokens")
        floor *= gained
    if floor > 0:
        words.append(f"a decode step is {step / floor:.1f}× its bound at these rates")
    if margins:
        tight = min(margins, key=lambda name: margins[name])
        words.append(f"{LIMIT_NAMES[tight]} leaves {margins[tight] * PERCENT:.0f} % of its target")
    return {**found, "slo_margin": margins, "reason": "; ".join([*words, advice])}


def _lane_reason(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any]:
    lane = running(group, row, scenario)
    waits = {name: float(value) for name, value in lane.cycle_waits_s.items()}
    cycle = sum(waits.values())
    bound = max(waits, key=lambda name: waits[name])
    prefill = float(group.columns["prefill_share"][row])
    return {
        "bound": bound,
        "bound_share": waits[bound] / cycle,
        "terms_s": {name: float(value) for name, value in lane.decode.terms_s.items() if float(value) > 0},
        "waits_s": {name: float(lane.decode.waits_s[name]) for name in RESOURCES},
        "words": [
            f"{bound} takes {waits[bound] / cycle * PERCENT:.0f} % of a replica's time",
            f"steps with prompts take {prefill * PERCENT:.0f} %",
        ],
        "advice": _ADVICE[bound],
    }


def slo_margins(group: Candidates, row: int, scenario: Scenario) -> dict[str, float]:
    """Unused share of each target."""
    slo = scenario.slo
    targets = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    return {
        name: 1.0 - float(group.columns[f"{name}_p99_s"][row]) / (target * MILLI)
        for name, target in targets.items()
        if target is not None
    }


def excluded_by(found: Sequence[Candidates], scenario: Scenario, model: Model) -> str:
    """One line: which limit excludes the nearest deployment, and what would let it in."""
    if not any(group.rows for group in found):
        return _no_room(found, scenario, model)
    failures = Counter[str]()
    for group in found:
        failures.update(str(name) for name in group.why_not[~group.ok])
    slo = scenario.slo
    targets = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    nearest: list[tuple[float, str]] = []
    for group in found:
        for name, target in targets.items():
            if target is None or not group.rows:
                continue
            others = [
                group.columns[f"{other}_p99_s"] <= limit * MILLI
                for other, limit in targets.items()
                if limit is not None and other != name
            ]
            possible = np.logical_and.reduce([group.columns["carries"] > 0, *others])
            times = np.where(possible, group.columns[f"{name}_p99_s"], np.inf)
            if np.isfinite(best := float(np.min(times))):
                ratio = best / (target * MILLI)
                text = (
                    f"{LIMIT_NAMES[name]} p99 of {format_seconds(target * MILLI)} excludes every deployment of "
                    f"{model.id}; the nearest reaches {format_seconds(best)} on {group.accelerator}: "
                    f"set slo.{name}_p99_ms to {np.ceil(best / MILLI):.0f} or allow other accelerators"
                )
                nearest.append((ratio, text))
    if nearest:
        return min(nearest)[1]
    limit = LIMIT_NAMES.get(failures.most_common(1)[0][0], "the targets together")
    return f"{limit} excludes every deployment of {model.id}: relax slo or fix fewer degrees in deployment"


def _no_room(found: Sequence[Candidates], scenario: Scenario, model: Model) -> str:
    smallest = min(found, key=lambda group: group.smallest_need_bytes / group.site.chip.visible_memory_bytes)
    have = smallest.site.chip.visible_memory_bytes
    if not np.isfinite(smallest.smallest_need_bytes):
        return (
            f"deployment degrees leave no legal layout of {model.id} on {smallest.site.system.id} with at most "
            f"{scenario.system.max_accelerators} accelerators; fix fewer of tp, pp, dp, ep or raise max_accelerators"
        )
    batch = scenario.deployment.batch
    wanted = "one sequence" if batch == "auto" else f"a batch of {batch}"
    return (
        f"memory excludes {model.id} at {load_of(scenario).full_context_tokens:,.0f} tokens: weights, reserve and the "
        f"share that the engine leaves free take {format_bytes(smallest.smallest_need_bytes)} of the "
        f"{format_bytes(have)} of one {smallest.site.chip.id} in the widest layout, which leaves no room for {wanted}; "
        f"use narrower weights{'' if batch == 'auto' else ', a smaller batch'}, "
        f"raise max_accelerators above {scenario.system.max_accelerators}, or a larger accelerator"
    )
