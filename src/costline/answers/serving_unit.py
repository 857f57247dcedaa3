"""The unit that a load is served by: one replica of the cheapest plan, what it sustains within the targets, and how
its time is shared by prompts and answers.

Composes the search of `plan`; knows no money beyond the price that ranked the plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.answer import Used
from costline.answers.choices import check_context, the_model
from costline.answers.scenario import Scenario
from costline.answers.search import ranked, search
from costline.answers.search.candidates import MOST_UTILIZATION, Candidates, load_of, slo_masks
from costline.answers.search.columns import operate, steady_state
from costline.answers.search.reasons import excluded_by
from costline.answers.search.rows import plain_row
from costline.answers.sources import plan_sources
from costline.architecture.sharding import layout
from costline.catalog.records import Chip, Model, System
from costline.catalog.residuals import basis, model_class, residuals_provenance, spread
from costline.errors import InfeasibleError

LOADS = 128
"""Steps of load at which a replica is tried against the targets."""


@dataclass(frozen=True)
class ServingUnit:
    """One replica of a deployment."""

    model: Model
    chip: Chip
    system: System
    row: Mapping[str, Any]
    """The plan, as `plan` says it."""
    accelerators: int
    sustained_requests_per_s: float
    """Most that it serves within the targets."""
    capacity_requests_per_s: float
    """What it serves with every place taken, targets aside; utilisation is counted against this."""
    prefill_share: float
    """Share of its time that goes to prompts; the rest goes to answers."""
    speed_range: tuple[float, float]
    """Measured over predicted throughput of such systems, p10 and p90; (1, 1) without calibration."""
    speed_basis: str
    """What that range rests on; empty without calibration."""
    speed_source: str
    """Key of where it is from."""
    sources: tuple[Used, ...]


def serving_unit(scenario: Scenario) -> ServingUnit:
    """The cheapest plan's replica; raises InfeasibleError if nothing serves the load within the targets."""
    model = the_model(scenario.model)
    work = scenario.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")
    found = search(scenario, model)
    best = ranked(found)
    if not best:
        raise InfeasibleError(excluded_by(found, scenario, model))
    group, row = found[best[0][0]], best[0][1]
    plain = plain_row(group, row)
    most = sustained_requests_per_s(group, row, scenario)
    whose = group.site.chip, model_class(model), "throughput"
    calibrated = scenario.calibration != "none"
    return ServingUnit(
        model=model,
        chip=group.site.chip,
        system=group.site.system,
        row=plain,
        accelerators=plain["accelerators_per_replica"],
        sustained_requests_per_s=most,
        capacity_requests_per_s=float(group.columns["capacity_requests_per_s"][row]),
        prefill_share=prefill_share(group, row, scenario, most),
        speed_range=spread(*whose) if calibrated else (1.0, 1.0),
        speed_basis=basis(*whose) if calibrated else "",
        speed_source=residuals_provenance(model_class(model)).source if calibrated else "",
        sources=plan_sources([group], scenario, model),
    )


def _at_rate(group: Candidates, row: int, scenario: Scenario, rate: Any) -> dict[str, Any]:
    """The replica's columns at rates, with the targets' own."""
    load, columns = load_of(scenario), group.columns
    where = layout(*(np.full(np.shape(rate), columns[name][row]) for name in ("tp", "pp", "dp", "ep")))
    batch = np.full(np.shape(rate), float(columns["batch"][row]))
    out = operate(group.engine, load, where, batch, rate_per_replica=rate)
    out["e2e_p99_s"] = out["ttft_p99_s"] + load.decode_steps * out["tpot_p99_s"]
    return out


def sustained_requests_per_s(group: Candidates, row: int, scenario: Scenario) -> float:
    """Highest rate at which a replica of this row meets the targets: at least the one that it was planned for."""
    capacity = float(group.columns["capacity_requests_per_s"][row])
    planned = float(group.columns["total_requests_per_s"][row] / group.columns["replicas"][row])
    rates = np.append(MOST_UTILIZATION * capacity * np.arange(1, LOADS + 1) / LOADS, planned)
    masks = list(slo_masks(scenario.slo, _at_rate(group, row, scenario, rates)).values())
    met = np.logical_and.reduce(masks) if masks else np.ones(rates.shape, dtype=bool)
    return float(np.max(np.where(met, rates, planned)))


def prefill_share(group: Candidates, row: int, scenario: Scenario, rate: float) -> float:
    """Share of a busy replica's time that prompts take: what steps with a chunk of one last beyond those without."""
    columns = group.columns
    held = _at_rate(group, row, scenario, np.array([rate]))["running_batch"][0] / columns["pp"][row]
    where = layout(*(columns[name][row] for name in ("tp", "pp", "dp", "ep")))
    lane = steady_state(group.engine, load_of(scenario), where, held)
    prompts_s = lane.mixed_steps * (lane.chunk_step_s - lane.decode.expected_s)
    return float(np.clip(prompts_s / lane.cycle_s, 0.0, 1.0))
