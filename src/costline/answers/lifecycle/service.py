"""What serving costs over the years of the question: the cheapest deployment, its bill, and narrower weights.

Composes the search of `plan`; every formula lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costline.answers.answer import Used
from costline.answers.lifecycle.scenario import LifecycleScenario
from costline.answers.plan import plan
from costline.answers.read_scenario import read_scenario
from costline.answers.search import ranked, search
from costline.answers.search.rows import plain_row
from costline.catalog.records import Model
from costline.errors import DomainError
from costline.lifecycle import compression, net_present_value
from costline.lifecycle.facts import CompressionEvidence, compression_evidence
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_YEAR, as_array

DAYS_PER_YEAR = HOURS_PER_YEAR * HOUR_S / DAY_S
FORMATS = ("bf16", "fp8", "int8", "int4")
"""Weight formats that are compared; the first is the original."""
_PLAN_KEYS = (
    "accelerator", "accelerators", "layout", "weights", "batch", "tpot_s", "utilization", "usd_per_hour",
    "price_usd_per_accelerator_hour", "price_source", "bound",
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    """Serving over the life: the numbers, and the sources of the plan behind them."""

    data: Mapping[str, Any]
    sources: tuple[Used, ...]


def service(asked: LifecycleScenario) -> Service:
    """Unit cost and bill of serving; raises InfeasibleError if nothing serves the load within the target."""
    block = asked.serving
    deployment: dict[str, Any] | None = None
    sources: tuple[Used, ...] = ()
    unit = block.usd_per_mtok
    if unit is None:
        answer = plan(_plan_question(asked), top=1)
        row = answer.data["plans"][0]
        deployment, sources, unit = {key: row[key] for key in _PLAN_KEYS}, answer.sources, float(row["usd_per_mtok"])
    first_year = block.output_tokens_per_day * DAYS_PER_YEAR
    flows = service_flows(asked, unit)
    served = [
        float(net_present_value.tokens_over_life(first_year, year, block.growth_per_year))
        for year in range(block.years + 1)
    ]
    data = {
        "usd_per_mtok": unit,
        "usd_per_mtok_source": "assumed" if deployment is None else "plan",
        "deployment": deployment,
        "output_tokens_per_day": block.output_tokens_per_day,
        "years": block.years,
        "output_tokens": served[-1],
        "output_tokens_by_year": served,
        "tokens_per_output_token": 1 + block.input_tokens / block.output_tokens,
        "usd_by_year": flows,
        "usd": sum(flows),
        "present_usd": float(net_present_value.net_present_value(as_array(flows), asked.discount_rate_per_year)),
    }
    return Service(data, sources)


def service_flows(asked: LifecycleScenario, usd_per_mtok: float, upfront_usd: float = 0.0) -> list[float]:
    """Costs of years 0, 1, 2 … at a unit cost."""
    block = asked.serving
    flows = net_present_value.yearly_usd(
        block.output_tokens_per_day * DAYS_PER_YEAR,
        usd_per_mtok,
        block.years,
        upfront_usd=upfront_usd,
        growth_per_year=block.growth_per_year,
        decline_per_year=block.decline_per_year,
    )
    return [float(value) for value in flows]


def compressed(asked: LifecycleScenario, model: Model) -> list[dict[str, Any]]:
    """Unit cost by weight format, alone and with the answers it loses given again by the original.

    Lost answers are the evidence's range; a format without evidence has none. Empty if the unit cost was given.
    """
    if asked.serving.usd_per_mtok is not None:
        return []
    evidence = {one.weights: one for one in compression_evidence().values() if one.weights}
    rows: list[dict[str, Any]] = []
    for name in FORMATS:
        found = _cheapest(asked, model, name)
        if found is None:
            continue
        original = rows[0]["usd_per_mtok"] if rows and rows[0]["weights"] == FORMATS[0] else None
        row: dict[str, Any] = {key: found[key] for key in ("weights", "layout", "accelerator", "usd_per_mtok")}
        rows.append({**row, "weights": name, **_fallback(row["usd_per_mtok"], original, evidence.get(name))})
    return rows


def _fallback(unit: float, original: float | None, known: CompressionEvidence | None) -> dict[str, float | None]:
    """Unit cost when lost answers go back to the original, over the evidence's range."""
    found: dict[str, float | None] = {"fallback_break_even": None}
    if original is not None:
        found["fallback_break_even"] = float(compression.fallback_break_even(unit, original))
    for end, lost in (("low", known and known.lost_low), ("high", known and known.lost_high)):
        found[f"lost_{end}"] = lost
        cost = None if original is None or lost is None else compression.fallback_usd_per_mtok(unit, original, lost)
        found[f"usd_per_mtok_with_fallback_{end}"] = None if cost is None else float(cost)
    return found


def _cheapest(asked: LifecycleScenario, model: Model, weights: str) -> dict[str, Any] | None:
    question = _plan_question(asked)
    question["model"] = {**question["model"], "weights": weights}
    try:
        found = search(read_scenario(question), model)
    except DomainError:  # the accelerator has no arithmetic for the format
        return None
    best = ranked(found)
    return plain_row(found[best[0][0]], best[0][1]) if best else None


def _plan_question(asked: LifecycleScenario) -> dict[str, Any]:
    block = asked.serving
    return {
        "model": asked.model.model_dump(),
        "system": {"accelerator": block.accelerator, "max_accelerators": block.max_accelerators},
        "workload": {
            "input_tokens": block.input_tokens,
            "output_tokens": block.output_tokens,
            "request_rate": block.output_tokens_per_day / DAY_S / block.output_tokens,
        },
        "slo": {"tpot_p99_ms": block.tpot_p99_ms},
        "price": block.price.model_dump(),
        "calibration": asked.calibration,
    }


