"""The numbers that a comparison rests on: all of them with their ranges, which of them it hangs on, and where each
would turn it.

Finite differences over each range; a certain number is moved by a tenth either way. Knows no words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from costline.answers.assumption import Assumption, likely_values
from costline.answers.compare.costs import Setting, monthly_costs
from costline.answers.money_blocks import ApiBlock, RentBlock
from costline.answers.serving_unit import ServingUnit
from costline.money.break_even import Interval, swings
from costline.quantities import Array, as_array

NUDGE = 0.1
"""How far a certain number is moved, to rank it beside the others."""
FARTHEST, SCANNED = 10.0, 800
"""A number is tried from a tenth of its value to ten times it."""
UNCERTAIN_AT_MOST = 8
"""Corners grow as 2^k: the ranges that move the result least stay at their likely value."""
DECLINE = (0.0, 0.0, 0.3)
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "pue": (1.0, np.inf), "salvage_share": (0.0, 1.0), "busy_fraction": (0.0, 1.0), "idle_fraction": (0.0, 1.0),
    "api_decline": (0.0, 1.0), "rent_decline": (0.0, 1.0),
}  # fmt: skip


def speed(unit: ServingUnit) -> Assumption:
    """Throughput over the predicted one: what systems with models of this kind were measured at."""
    low, high = unit.speed_range
    return Assumption(
        name="speed", label="speed of the deployment", unit="of the predicted", low=low, likely=1.0, high=high,
        kind="measured" if unit.speed_basis else "computed", source=unit.speed_source, note=unit.speed_basis,
    )  # fmt: skip


def decline(way: str, block: ApiBlock | RentBlock, *, fixed: bool = False) -> Assumption:
    """Yearly fall of a price; 0 and certain where a contract fixes it."""
    span = (0.0, 0.0, 0.0) if fixed else DECLINE
    given = block.decline_per_year
    low, likely, high = span if given is None else given if isinstance(given, tuple) else (given,) * 3
    what = {"api": "API price", "rent": "rental price"}[way]
    return Assumption(
        name=f"{way}_decline", label=f"yearly fall of the {what}", unit="a year", low=low, likely=likely, high=high,
        kind="assumed" if given is None else "given", source="assumed" if given is None else "scenario",
    )  # fmt: skip


def lead_usd(setting: Setting, values: Mapping[str, Any], way: str) -> Array:
    """What a way costs less in the month than the cheapest of the others; negative where it is dearer."""
    usd = monthly_costs(setting, values).usd
    others = [usd[other] for other in usd if other != way]
    return as_array(np.minimum.reduce(np.broadcast_arrays(*others))) - usd[way]


def ranked(
    assumptions: Mapping[str, Assumption], result: Callable[..., Any]
) -> dict[str, tuple[Interval, tuple[float, float]]]:
    """By name, the range that a number was moved over and the result at its ends; the one that moves it most first."""
    likely = likely_values(assumptions)
    found: dict[str, tuple[Interval, tuple[float, float]]] = {}
    for name, one in assumptions.items():
        span = _span(one)

        def moved(name: str = name, **value: float) -> float:
            return float(result(likely | {name: value["x"]}))

        found[name] = span, swings(moved, {"x": span})["x"]
    return dict(sorted(found.items(), key=lambda item: abs(item[1][1][1] - item[1][1][0]), reverse=True))


def most_uncertain(assumptions: Mapping[str, Assumption], moved: Mapping[str, Any]) -> tuple[str, ...]:
    """The ranges that move the result most, as many as corners are made of."""
    wide = [name for name, (_, (low, high)) in moved.items() if not assumptions[name].certain and low != high]
    return tuple(wide[:UNCERTAIN_AT_MOST])


def _span(one: Assumption) -> Interval:
    if not one.certain:
        return one.range
    low, high = _BOUNDS.get(one.name, (0.0, np.inf))
    return max(one.likely * (1 - NUDGE), low), one.likely, max(min(one.likely * (1 + NUDGE), high), one.likely)


def flips_at(one: Assumption, likely: Mapping[str, float], result: Callable[..., Any]) -> float | None:
    """The value nearest to the likely one at which a result changes its sign; None if none lies near."""
    low, high = _BOUNDS.get(one.name, (0.0, np.inf))
    factors = np.geomspace(1 / FARTHEST, FARTHEST, SCANNED + 1)
    tried = one.likely * factors if one.likely else np.linspace(low, min(high, 1.0), SCANNED + 1)
    tried = np.unique(np.clip(tried, low, high))
    columns = {name: np.full(tried.shape, value) for name, value in likely.items()} | {one.name: tried}
    lead = as_array(result(columns))
    turns = np.flatnonzero(np.sign(lead[:-1]) * np.sign(lead[1:]) < 0)
    if not turns.size:
        return None
    share = lead[turns] / (lead[turns] - lead[turns + 1])
    at = tried[turns] + share * np.diff(tried)[turns]
    return float(at[np.argmin(np.abs(at - one.likely))])
