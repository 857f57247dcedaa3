"""What the figures of a comparison draw: cost of a million tokens over volume and over utilisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from costline.answers.compare import break_even as turning
from costline.answers.compare.costs import Setting, monthly_costs, own_parts_usd
from costline.answers.own_node import owned_node
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import HOURS_PER_MONTH, MEGA, Array, as_array

DRAWN_DECADES = 1.75
LEAST_UTILIZATION, POINTS = 0.01, 120


def curves(setting: Setting, likely: Mapping[str, float]) -> dict[str, Any]:
    """USD per million tokens, all tokens, of each way."""
    return {"volume": _over_volume(setting, likely), "utilization": _over_utilization(setting, likely)}


def _over_volume(setting: Setting, likely: Mapping[str, float]) -> dict[str, Any]:
    grid = turning.volumes(setting)
    grid = grid[np.abs(np.log10(grid / setting.requests_per_month)) <= DRAWN_DECADES]
    tokens = grid * setting.tokens
    usd = monthly_costs(setting, likely, grid).usd
    return {
        "total_tokens_per_month": tokens,
        "usd_per_month": {way: np.broadcast_to(cost, tokens.shape) for way, cost in usd.items()},
        "usd_per_mtok": {way: cost / tokens * MEGA for way, cost in usd.items()},
    }


def _over_utilization(setting: Setting, likely: Mapping[str, float]) -> dict[str, Any]:
    """One smallest fleet of each kind, more or less used; rented time is paid always, or only while in use."""
    unit = setting.unit
    used = np.geomspace(LEAST_UTILIZATION, 1.0, POINTS)
    rate = unit.capacity_requests_per_s * likely["speed"] * setting.tokens
    usd: dict[str, Array] = {}
    if "api" in setting.ways:
        usd["api"] = np.full(used.shape, likely["api_price"])
    if "rent" in setting.ways:
        hourly = fleet_usd_per_hour(unit.accelerators, likely["rent_price"])
        usd["rent"] = usd_per_mtok(hourly, rate, used)
    if setting.owning is not None:
        node = owned_node(setting.owning, likely)
        parts = own_parts_usd(node, as_array(setting.nodes_together), used)
        hourly = as_array(sum(parts.values(), start=np.zeros(()))) / HOURS_PER_MONTH
        usd["own"] = usd_per_mtok(hourly, rate * setting.replicas_together, used)
    if "rent" in setting.ways and setting.by_the_hour:
        in_use = fleet_usd_per_hour(unit.accelerators, likely["rent_price"])
        full = min(setting.sustained_share, 1.0)
        usd["rent_in_use"] = np.full(used.shape, float(usd_per_mtok(in_use, rate, full)))
    return {"utilization": used, "usd_per_mtok": usd}
