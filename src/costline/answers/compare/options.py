"""The ways of a comparison as rows: a month's exact bill, input and output apart, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from costline.answers.api_way import ApiWay
from costline.answers.compare.costs import Costs, Setting, monthly_costs
from costline.answers.compare.question import Question
from costline.answers.phase_split import INPUT, OUTPUT, by_phase
from costline.money.api_bill import Usage, request_bill
from costline.money.ledger import Ledger
from costline.quantities import MEGA, Array


def option_rows(
    question: Question, likely: Mapping[str, float], corners: Mapping[str, Array]
) -> list[dict[str, Any]]:
    """A row for each way, cheapest first; its parts add up to its total."""
    setting = question.setting
    now, ends = monthly_costs(setting, likely), monthly_costs(setting, corners)
    rows: list[dict[str, Any]] = []
    for way in setting.ways:
        parts, phases = _bills(question, way, now)
        span = [float(np.min(ends.usd[way])), float(np.max(ends.usd[way]))]
        rows.append({**_fleet(question, way, now), **_row(setting, way, parts, phases), "usd_per_month_range": span})
    return sorted(rows, key=lambda row: row["usd_per_month"])


def _bills(question: Question, way: str, now: Costs) -> tuple[Ledger, Ledger]:
    """By component, and by phase; both have the same total."""
    setting, unit = question.setting, question.setting.unit
    if way == "api" and question.api is not None:
        return api_bills(question.api, question.usage, int(setting.requests_per_month))
    parts = Ledger.of({"accelerator-hours": now.usd["rent"]} if way == "rent" else dict(now.own_parts))
    return parts, by_phase(parts.total, unit.prefill_share)


def api_bills(api: ApiWay, usage: Usage, requests: int) -> tuple[Ledger, Ledger]:
    """An API's bill of equal requests, by kind of token and by phase."""
    bill = request_bill(api.rates, usage, requests)
    parts = Ledger(())
    phases = Ledger(((INPUT, Decimal(0)), (OUTPUT, Decimal(0))))
    for line in bill.lines:
        parts += Ledger.of({line.what.replace("_", " "): line.usd})
        phases += Ledger.of({OUTPUT if line.what in ("output", "reasoning") else INPUT: line.usd})
    return parts, phases


def _row(setting: Setting, way: str, parts: Ledger, phases: Ledger) -> dict[str, Any]:
    requests, total = setting.requests_per_month, float(parts.total)
    return {
        "way": way,
        "usd_per_month": total,
        "usd_per_mtok": total / (requests * setting.tokens) * MEGA,
        "usd_per_mtok_input": float(phases[INPUT]) / (requests * setting.input_tokens) * MEGA,
        "usd_per_mtok_output": float(phases[OUTPUT]) / (requests * setting.output_tokens) * MEGA,
        "usd_per_request": total / requests,
        "parts_usd": {name: float(usd) for name, usd in parts.parts},
        "phases_usd": {name: float(usd) for name, usd in phases.parts},
        "total_usd": str(parts.total),
    }


def _fleet(question: Question, way: str, now: Costs) -> dict[str, Any]:
    setting = question.setting
    if way == "api":
        return {"name": question.api.name if question.api else "", "accelerators": None, "utilization": None}
    source = "computed" if setting.typed_utilization is None else "assumed"
    if way == "rent":
        count, used = now.rented_peak, now.rent_utilization
        name = question.rental.name if question.rental else ""
    else:
        count, used, name = now.nodes * setting.node_accelerators, now.own_utilization, "owned"
    return {
        "name": name,
        "accelerators": int(count),
        "utilization": float(used),
        "utilization_source": source,
    }
