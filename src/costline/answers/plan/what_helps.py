"""What would help: the plan again with one thing changed, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costline.answers.read_scenario import validate
from costline.answers.scenario import Scenario
from costline.errors import CostlineError

_RELAX = 2.0


def _changes(scenario: Scenario, best: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for name in ("ttft_p99_ms", "tpot_p99_ms", "e2e_p99_ms"):
        target = getattr(scenario.slo, name)
        if target is not None:
            label = f"{name.split('_')[0].upper()} target {_RELAX * target:g} ms instead of {target:g} ms"
            found.append((label, {"slo": {name: _RELAX * target}}))
    if best["kv_cache"] in ("bf16", "fp16"):
        found.append(("fp8 KV cache", {"model": {"kv_cache": "fp8"}}))
    if "int4" not in str(best["weights"]):
        found.append(("int4 weights (check quality)", {"model": {"weights": "int4"}}))
    if scenario.workload.prefix.cached_tokens == 0 and scenario.workload.input_mean >= 2:
        cached = {"workload": {"prefix": {"cached_tokens": scenario.workload.input_mean / 2}}}
        found.append(("half of each prompt from the prefix cache", cached))
    if any(getattr(scenario.deployment, name) != "auto" for name in ("tp", "pp", "dp", "ep", "batch")):
        free = dict.fromkeys(("tp", "pp", "dp", "ep", "batch"), "auto")
        found.append(("no fixed tp, pp, dp, ep or batch", {"deployment": free}))
    return found


def what_helps(
    scenario: Scenario, best: Mapping[str, Any], cost_of: Callable[[Scenario], float]
) -> list[dict[str, Any]]:
    """Changes that lower the cost of the best plan, the most helpful first.

    `cost_of` searches a changed scenario and returns its least USD per million output tokens.
    """
    now = float(best["usd_per_mtok"])
    rows: list[dict[str, Any]] = []
    for label, change in _changes(scenario, best):
        try:
            cost = cost_of(_changed(scenario, change))
        except CostlineError:
            continue
        if cost < now * 0.999:
            rows.append({"change": label, "usd_per_mtok": cost, "saving": 1.0 - cost / now})
    return sorted(rows, key=lambda row: -row["saving"])


def _changed(scenario: Scenario, change: Mapping[str, Mapping[str, Any]]) -> Scenario:
    given = scenario.model_dump()
    for block, values in change.items():
        given[block] = {**given[block], **values}
    return validate(given)
