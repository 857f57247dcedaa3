"""A comparison as rows of plain data: the volume, the decision, what it hangs on, break-evens, the cash flow."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from costline.answers.assumption import likely_values
from costline.answers.compare import assumptions as assume
from costline.answers.compare import break_even as turning
from costline.answers.compare.costs import Setting, monthly_costs
from costline.answers.compare.question import Question
from costline.money.break_even import cumulative_usd
from costline.quantities import Array, as_array


def volume_row(setting: Setting) -> dict[str, Any]:
    requests = setting.requests_per_month
    return {
        "requests_per_month": requests,
        "input_tokens_per_month": requests * setting.input_tokens,
        "output_tokens_per_month": requests * setting.output_tokens,
        "total_tokens_per_month": requests * setting.tokens,
        "peak_over_mean": setting.shape.peak,
        "most_utilization": setting.sustained_share / setting.shape.peak,
        "shape": setting.shape.words,
        "shape_source": setting.shape.source,
    }


def decision_row(setting: Setting, likely: Mapping[str, float], corners: Mapping[str, Array]) -> dict[str, Any]:
    """The cheapest way, what it saves, and in how many corners of the assumptions each way is the cheapest."""
    usd = {way: float(cost) for way, cost in monthly_costs(setting, likely).usd.items()}
    best = cheapest(usd)
    others = sorted((cost, way) for way, cost in usd.items() if way != best)
    leads = assume.lead_usd(setting, corners, best)
    ends = monthly_costs(setting, corners).usd
    winners = np.argmin(np.stack(np.broadcast_arrays(*ends.values())), axis=0)
    return {
        "cheapest": best,
        "usd_per_month": usd[best],
        "runner_up": others[0][1],
        "saving_usd_per_month": others[0][0] - usd[best],
        "saving_range_usd_per_month": [float(np.min(leads)), float(np.max(leads))],
        "corners": int(winners.size),
        "corners_cheapest": {way: int(np.sum(winners == place)) for place, way in enumerate(ends)},
    }


def cheapest(usd: Mapping[str, Any]) -> str:
    """The way that costs least; the first of equals."""
    return min(usd, key=lambda way: float(usd[way]))


def assumption_rows(
    question: Question, moved: Mapping[str, Any], lead: Callable[..., Any], day: datetime.date
) -> list[dict[str, Any]]:
    likely = likely_values(question.assumptions)
    rows: list[dict[str, Any]] = []
    for name, (span, (at_low, at_high)) in moved.items():
        one = question.assumptions[name]
        rows.append(
            one.row(day)
            | {
                "certain": one.certain,
                "moved_from": span[0],
                "moved_to": span[2],
                "saving_at_low_usd_per_month": at_low,
                "saving_at_high_usd_per_month": at_high,
                "swing_usd_per_month": abs(at_high - at_low),
                "flips_at": assume.flips_at(one, likely, lead) if at_low != at_high else None,
            }
        )
    return rows


def break_even_rows(setting: Setting, corners: Mapping[str, Array]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for pair in turning.PAIRS:
        if not set(pair) <= set(setting.ways):
            continue
        first, for_good = turning.volume_break_even(setting, corners, pair)
        row: dict[str, Any] = {
            "way": pair[0],
            "against": pair[1],
            "tokens_per_month": _interval(first),
            "for_good_tokens_per_month": _interval(for_good),
            "utilization": _interval(turning.utilization_break_even(setting, corners, pair)),
            "month": None,
            "month_with_resale": None,
        }
        if pair[0] == "own":
            row["month"] = _interval(turning.month_break_even(setting, corners, pair[1]))
            sold = turning.month_break_even(setting, corners, pair[1], with_resale=True)
            row["month_with_resale"] = _interval(sold)
            row["life_months"] = float(corners["years"][0]) * turning.MONTHS_PER_YEAR
        rows.append(row)
    return rows


def _interval(values: Array) -> dict[str, float]:
    """Least, likely and greatest over the corners, the first of which is the likely point."""
    flat = np.ravel(values)
    return {"low": float(np.min(flat)), "likely": float(flat[0]), "high": float(np.max(flat))}


def cash_flow_rows(setting: Setting, likely: Mapping[str, float], months: int) -> list[dict[str, Any]]:
    """What each way has cost by the end of each month; owning with its purchase, and less what it could be sold for."""
    flows = {way: as_array(flow) for way, flow in turning.cash_flows(setting, likely, months).items()}
    month = np.arange(months + 1, dtype=np.float64)
    columns = {
        f"{way}_usd": np.concatenate([[0.0], np.cumsum(flow)]) for way, flow in flows.items() if way != "own"
    }
    if "own" in flows:
        nodes = monthly_costs(setting, likely).nodes
        capital = float(turning.capital_usd(setting, likely, nodes))
        running = float(flows["own"][0])
        resale = turning.resale_by_month(setting, likely, month)
        columns["own_usd"] = cumulative_usd(month, upfront_usd=capital, usd_per_month=running)
        columns["own_less_resale_usd"] = cumulative_usd(
            month, upfront_usd=capital, usd_per_month=running, salvage_usd=resale
        )
    return [
        {"month": int(place), **{name: float(column[place]) for name, column in columns.items()}}
        for place in range(months + 1)
    ]
