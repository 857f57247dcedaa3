"""What would help: the plan again with one thing changed, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.errors import CostlineError

RELAX = 2.0
"""How much wider a target, or larger a workload, is tried."""
DEGREES = ("tp", "pp", "dp", "ep", "batch")
"""What of a deployment may be fixed or free."""
WIDE_CACHES = ("bf16", "fp16")


def changed(scenario: Scenario, blocks: Mapping[str, Any]) -> Scenario:
    """The scenario with keys of its blocks replaced, checked anew; raises InputError if they cannot be."""
    return read_scenario(scenario.model_dump(), **blocks) if blocks else scenario


def targets_ms(scenario: Scenario) -> dict[str, float]:
    """The latency targets that are given, by their key."""
    return {name: target for name, target in scenario.slo.model_dump().items() if isinstance(target, int | float)}


def target_words(key: str) -> str:
    """A target's key in words."""
    return f"{key.split('_', maxsplit=1)[0].upper()} target"


def _changes(scenario: Scenario, best: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for name, target in targets_ms(scenario).items():
        label = f"{target_words(name)} {RELAX * target:g} ms instead of {target:g} ms"
        found.append((label, {"slo": {name: RELAX * target}}))
    if best["kv_cache"] in WIDE_CACHES:
        found.append(("fp8 KV cache", {"model": {"kv_cache": "fp8"}}))
    if "int4" not in str(best["weights"]):
        found.append(("int4 weights (check quality)", {"model": {"weights": "int4"}}))
    if scenario.workload.prefix.cached_tokens == 0 and scenario.workload.input_mean >= 2:
        cached = {"workload": {"prefix": {"cached_tokens": scenario.workload.input_mean / 2}}}
        found.append(("half of each prompt from the prefix cache", cached))
    if any(getattr(scenario.deployment, name) != "auto" for name in DEGREES):
        found.append(("no fixed tp, pp, dp, ep or batch", {"deployment": dict.fromkeys(DEGREES, "auto")}))
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
            cost = cost_of(changed(scenario, change))
        except CostlineError:
            continue
        if cost < now * 0.999:
            rows.append({"change": label, "usd_per_mtok": cost, "saving": 1.0 - cost / now})
    return sorted(rows, key=lambda row: -row["saving"])
