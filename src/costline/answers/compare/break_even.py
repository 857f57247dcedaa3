"""Where one way becomes cheaper than another: volume, utilisation and month, over arrays of assumptions.

Closed forms come from `money.break_even`; where fleets grow in steps, curves are walked along. Knows no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from costline.answers.compare.costs import MONTH_S, Setting, monthly_costs, own_parts_usd
from costline.answers.own_node import owned_node
from costline.money.break_even import break_even_load, break_even_tokens, break_even_utilization
from costline.money.depreciation import resale_usd
from costline.money.own import OwnedNode, owned_usd_per_accelerator_hour
from costline.money.price import fleet_usd_per_hour
from costline.quantities import HOURS_PER_MONTH, MEGA, Array, as_array

PAIRS = (("rent", "api"), ("own", "api"), ("own", "rent"))
"""Which way, against which: the first has the higher fixed cost."""
DECADES, STEPS = 3.0, 480
LONGEST_MONTHS = 600
MONTHS_PER_YEAR = 12


def volumes(setting: Setting) -> Array:
    """Requests a month, from a thousandth to a thousand times the question's."""
    return setting.requests_per_month * 10.0 ** np.linspace(-DECADES, DECADES, STEPS + 1)


def first_and_last_crossing(volume: Array, way: Array, other: Array) -> tuple[Array, Array]:
    """Volumes at which `way` becomes no dearer than `other`: the first time, and for good.

    Curves lie along the last axis. 0 where it is so from the start, inf where it is never so (or never for good).
    """
    least = np.finfo(np.float64).tiny  # what is free has no logarithm
    log_x, gap = np.log(volume), np.log(np.maximum(way, least)) - np.log(np.maximum(other, least))
    below = gap <= 0
    falls = ~below[..., :-1] & below[..., 1:]
    step = gap[..., :-1] - gap[..., 1:]
    share = np.where(falls, gap[..., :-1] / np.where(falls, step, 1.0), 0.0)
    at = np.exp(log_x[:-1] + share * np.diff(log_x))
    first = np.min(np.where(falls, at, np.inf), axis=-1)
    last = np.max(np.where(falls, at, 0.0), axis=-1)
    return np.where(below[..., 0], 0.0, first), np.where(below[..., -1], last, np.inf)


def volume_break_even(setting: Setting, values: Mapping[str, Any], pair: tuple[str, str]) -> tuple[Array, Array]:
    """Tokens a month above which the first way of the pair is no dearer: first, and for good."""
    columns = {name: as_array(value)[..., np.newaxis] for name, value in values.items()}
    grid = volumes(setting)
    usd = monthly_costs(setting, columns, grid).usd
    first, last = first_and_last_crossing(grid, *np.broadcast_arrays(usd[pair[0]], usd[pair[1]]))
    if pair == ("own", "api"):
        exact = own_block_tokens(setting, values) / setting.tokens
        first = np.where(np.isfinite(exact) & (first > 0) & np.isfinite(first), exact, first)
    return first * setting.tokens, last * setting.tokens


def own_block_tokens(setting: Setting, values: Mapping[str, Any]) -> Array:
    """Tokens a month that pay for the first owned nodes at the API's price; inf where they cannot serve so many."""
    idle, slope, capacity = own_block(setting, values)
    variable = slope / (capacity * setting.tokens) * MEGA
    tokens = break_even_tokens(idle, values["api_price"], variable)
    most = capacity * setting.sustained_share / setting.shape.peak * setting.tokens
    return np.where(tokens <= most, tokens, np.inf)


def own_block(setting: Setting, values: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """The smallest owned fleet: USD of a month idle, what full use adds, and its capacity in requests a month."""
    unit = setting.unit
    node = _node(setting, values)
    idle, full = (
        sum(own_parts_usd(node, as_array(setting.nodes_together), as_array(used)).values(), start=np.zeros(()))
        for used in (0.0, 1.0)
    )
    capacity = setting.replicas_together * unit.capacity_requests_per_s * as_array(values["speed"]) * MONTH_S
    return as_array(idle), as_array(full) - as_array(idle), capacity


def utilization_break_even(setting: Setting, values: Mapping[str, Any], pair: tuple[str, str]) -> Array:
    """Share of its capacity at which the first way of the pair costs what the second does; inf where it never does."""
    unit = setting.unit
    if pair == ("own", "rent"):
        return _own_against_rent(setting, values)
    if pair == ("own", "api"):
        idle, slope, capacity = own_block(setting, values)
        price = as_array(values["api_price"]) - slope / (capacity * setting.tokens) * MEGA
        hourly, rate = idle / HOURS_PER_MONTH, capacity / MONTH_S
        return break_even_load(hourly, rate * setting.tokens, np.maximum(price, 0.0))
    replicas = max(setting.replicas_per_lot, 1.0)
    hourly = fleet_usd_per_hour(setting.lot * replicas / setting.replicas_per_lot, values["rent_price"])
    rate = unit.capacity_requests_per_s * replicas * as_array(values["speed"])
    return break_even_load(hourly, rate * setting.tokens, values["api_price"])


def _own_against_rent(setting: Setting, values: Mapping[str, Any]) -> Array:
    """Share of capacity used at which owning costs what renting does: of the hours in use, each as full as allowed."""
    node, full = _node(setting, values), setting.sustained_share
    idle, busy = (owned_usd_per_accelerator_hour(node, used) for used in (0.0, 1.0))
    paid = as_array(values["rent_price"]) - full * (busy - idle)  # less the energy that use adds to what is owned
    if not setting.by_the_hour:  # both are paid in every hour, so use hardly matters
        return np.where(idle <= paid, 0.0, np.inf)
    return full * break_even_utilization(idle, np.maximum(paid, 0.0))


def _node(setting: Setting, values: Mapping[str, Any]) -> OwnedNode:
    assert setting.owning is not None  # asked only where owning is weighed
    return owned_node(setting.owning, values)


def capital_usd(setting: Setting, values: Mapping[str, Any], nodes: Array) -> Array:
    """Purchase price of so many nodes."""
    return _node(setting, values).capital_usd * nodes


def cash_flows(setting: Setting, values: Mapping[str, Any], months: int) -> dict[str, Array]:
    """What each way takes in each month (the last axis), prices of API and rental falling as assumed.

    `own` is running cost alone: the purchase comes before the first month.
    """
    costs = monthly_costs(setting, values)
    month = np.arange(1, months + 1, dtype=np.float64)
    flows: dict[str, Array] = {}
    for way in ("api", "rent"):
        if way in costs.usd:
            kept = 1 - as_array(values[f"{way}_decline"])[..., np.newaxis]
            flows[way] = costs.usd[way][..., np.newaxis] * kept ** ((month - 1) / MONTHS_PER_YEAR)
    if "own" in costs.usd:
        bought = {part.name for part in _node(setting, values).parts}
        running = sum((usd for name, usd in costs.own_parts.items() if name not in bought), start=np.zeros(()))
        flows["own"] = as_array(running)[..., np.newaxis] + np.zeros(month.shape)
    return flows


def payback_months(capital: Array, saved: Array, interest_per_year: Array, resale: Array | None = None) -> Array:
    """Months until discounted savings (by month on the last axis) have paid a purchase; inf where they never do.

    With `resale`, until they have together with what it could be sold for at that month.
    """
    month = np.arange(1, saved.shape[-1] + 1, dtype=np.float64)
    growth = np.log1p(as_array(interest_per_year))[..., np.newaxis] / MONTHS_PER_YEAR
    paid = np.cumsum(saved * np.exp(-growth * month), axis=-1)
    paid = paid if resale is None else paid + resale * np.exp(-growth * month)
    enough = paid >= as_array(capital)[..., np.newaxis]
    reached = np.any(enough, axis=-1)
    place = np.argmax(enough, axis=-1)[..., np.newaxis]
    after = np.take_along_axis(paid, place, axis=-1)[..., 0]
    before = np.where(place[..., 0] > 0, np.take_along_axis(paid, np.maximum(place - 1, 0), axis=-1)[..., 0], 0.0)
    share = (capital - before) / np.where(after > before, after - before, 1.0)
    return np.where(reached, place[..., 0] + share, np.inf)


def resale_by_month(setting: Setting, values: Mapping[str, Any], month: Array) -> Array:
    """What the accelerators could be sold for at each month (the last axis); the rest of a node fetches nothing."""
    nodes = monthly_costs(setting, values).nodes
    price = as_array(values["usd_per_accelerator"]) * setting.node_accelerators * nodes
    loss = 1 - as_array(values["salvage_share"]) ** (1 / as_array(values["years"]))
    return resale_usd(price[..., np.newaxis], loss[..., np.newaxis], month / MONTHS_PER_YEAR)


def month_break_even(
    setting: Setting, values: Mapping[str, Any], other: str, *, with_resale: bool = False
) -> Array:
    """Month at which owning has paid for itself against another way, with or without what it could be sold for."""
    flows = cash_flows(setting, values, LONGEST_MONTHS)
    capital = capital_usd(setting, values, monthly_costs(setting, values).nodes)
    month = np.arange(1, LONGEST_MONTHS + 1, dtype=np.float64)
    resale = resale_by_month(setting, values, month) if with_resale else None
    return payback_months(capital, flows[other] - flows["own"], as_array(values["interest_per_year"]), resale)
