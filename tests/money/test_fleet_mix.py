"""The cheapest mix: against the quantile rule, against trying every mix, and against what must always hold."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.errors import DomainError, InfeasibleError
from costline.money.fleet_mix import FleetMix, Supply, cheapest_mix, reserved_quantile
from costline.money.ledger import Ledger

demands = st.lists(st.integers(0, 40), min_size=1, max_size=30)
prices = st.floats(0.05, 4)

RESERVED = Supply(name="reserved", usd_per_hour=2.0, reserved=True)
ON_DEMAND = Supply(name="on-demand", usd_per_hour=3.0)
SPOT = Supply(name="spot", usd_per_hour=1.2, demand_share=0.3, most=6)


def cost_of(demand: np.ndarray, reserved: float, prices: tuple[float, float]) -> float:
    return prices[0] * reserved * demand.size + prices[1] * float(np.maximum(demand - reserved, 0).sum())


@given(demands, prices, prices)
@settings(max_examples=60)
def test_reserved_and_on_demand_follow_the_quantile(demand: list[int], reserved: float, on_demand: float):
    needed = np.array(demand, dtype=float)
    best = float(reserved_quantile(needed, reserved, on_demand))
    by_rule = cost_of(needed, best, (reserved, on_demand))
    assert by_rule <= min(cost_of(needed, count, (reserved, on_demand)) for count in range(42)) * (1 + 1e-12)
    mix = cheapest_mix(needed, [replace(RESERVED, usd_per_hour=reserved), replace(ON_DEMAND, usd_per_hour=on_demand)])
    assert mix.total_usd == pytest.approx(by_rule, rel=2e-6)


def enumerated(demand: list[int], supplies: list[Supply]) -> float:
    """Least cost by trying every reservation, and for each hour every number of the other lots."""
    fixed, hourly = ([s for s in supplies if s.reserved is kind] for kind in (True, False))
    peak = max(demand)

    def lots(supply: Supply, needed: int) -> range:
        most = min(supply.most, supply.demand_share * needed + 1e-9 if supply.demand_share < 1 else needed + supply.lot)
        return range(int(most // supply.lot) + 1)

    best = np.inf
    for held in product(*(lots(supply, peak) for supply in fixed)):
        have = sum(supply.lot * count for supply, count in zip(fixed, held, strict=True))
        usd = len(demand) * sum(s.lot * s.usd_per_hour * count for s, count in zip(fixed, held, strict=True))
        for needed in demand:
            usd += min(
                (
                    sum(s.lot * s.usd_per_hour * count for s, count in zip(hourly, taken, strict=True))
                    for taken in product(*(lots(supply, needed) for supply in hourly))
                    if have + sum(s.lot * count for s, count in zip(hourly, taken, strict=True)) >= needed
                ),
                default=np.inf,
            )
        best = min(best, usd)
    return best


@pytest.mark.parametrize("supplies", [
    [RESERVED, ON_DEMAND, SPOT],
    [replace(RESERVED, lot=4), replace(ON_DEMAND, lot=4), SPOT],
    [replace(RESERVED, lot=8, most=8), replace(ON_DEMAND, lot=2), replace(SPOT, lot=2)],
    [replace(RESERVED, most=5), replace(RESERVED, name="longer", usd_per_hour=1.7, most=7), ON_DEMAND],
    [replace(ON_DEMAND, lot=3), replace(SPOT, demand_share=0.5)],
])  # fmt: skip
def test_no_mix_that_can_be_tried_costs_less(supplies: list[Supply]):
    demand = [0, 3, 9, 9, 14, 17, 5, 1]
    mix = cheapest_mix(demand, supplies)
    assert mix.total_usd == pytest.approx(enumerated(demand, supplies), rel=2e-6)


def holds(mix: FleetMix, demand: np.ndarray, supplies: list[Supply]) -> None:
    total = sum(mix.accelerators.values())
    assert np.all(total >= demand - 1e-9)
    for supply in supplies:
        taken = mix.accelerators[supply.name]
        assert taken.shape == demand.shape
        assert np.all(taken % supply.lot == 0)
        assert np.all(taken <= supply.most)
        assert supply.demand_share == 1 or np.all(taken <= supply.demand_share * np.ceil(demand) + 1e-6)
        assert not supply.reserved or np.all(taken == taken[0])
        assert mix.usd[supply.name] == pytest.approx(supply.usd_per_hour * float(taken.sum()))
    assert Ledger.of(mix.usd).total == sum(usd for _, usd in Ledger.of(mix.usd).parts)


@given(demands, prices, prices, prices, st.sampled_from([1, 4, 8]))
@settings(max_examples=40)
def test_every_mix_meets_the_demand_within_its_terms(
    demand: list[int], reserved: float, on_demand: float, spot: float, lot: int
):
    supplies = [
        replace(RESERVED, usd_per_hour=reserved, lot=lot),
        replace(ON_DEMAND, usd_per_hour=on_demand, lot=lot),
        replace(SPOT, usd_per_hour=spot),
    ]
    needed = np.array(demand, dtype=float)
    mix = cheapest_mix(needed, supplies)
    holds(mix, needed, supplies)
    # fewer choices, or a dearer one, never cost less
    assert cheapest_mix(needed, supplies[:2]).total_usd >= mix.total_usd * (1 - 2e-6)
    dearer = [supplies[0], replace(supplies[1], usd_per_hour=on_demand * 1.5), supplies[2]]
    assert cheapest_mix(needed, dearer).total_usd >= mix.total_usd * (1 - 2e-6)


def test_quantile_at_its_limits():
    day = np.array([2.0] * 12 + [8.0] * 8 + [10.0] * 4)
    assert reserved_quantile(day, np.array([0.0, 1.0, 2.0, 3.0]), 2.0).tolist() == [10, 2, 0, 0]
    assert float(reserved_quantile(np.zeros(5), 0.5, 1.0)) == 0


def test_a_year_by_the_hour_takes_a_moment():
    hours = np.arange(8760)
    wave = 800 + 480 * np.sin(2 * np.pi * hours / 24) + 120 * np.sin(2 * np.pi * hours / 168)
    demand = np.maximum(wave + np.random.default_rng(0).normal(0, 60, hours.size), 0)
    supplies = [replace(RESERVED, lot=8), replace(ON_DEMAND, lot=8), replace(SPOT, most=256)]
    start = time.perf_counter()
    mix = cheapest_mix(demand, supplies)
    assert time.perf_counter() - start < 10
    holds(mix, demand, supplies)


@pytest.mark.parametrize(("demand", "supplies", "words"), [
    ([1, 9, 12], [replace(ON_DEMAND, most=8)], "demand=9 accelerators exceeds the 8"),
    ([10], [SPOT], "exceeds the 3"),
    ([9], [replace(ON_DEMAND, lot=8, most=12)], "exceeds the 8"),
])  # fmt: skip
def test_a_demand_out_of_reach_is_named(demand: list[float], supplies: list[Supply], words: str):
    with pytest.raises(InfeasibleError, match=words):
        cheapest_mix(demand, supplies)


@pytest.mark.parametrize(("demand", "supplies", "words"), [
    ([], [ON_DEMAND], "shape"),
    ([-1.0], [ON_DEMAND], "demand"),
    ([float("inf")], [ON_DEMAND], "demand"),
    ([1.0], [ON_DEMAND, ON_DEMAND], "name of its own"),
    ([0.0], [], "at least one"),
    ([1.0], [replace(ON_DEMAND, usd_per_hour=float("inf"))], "finite usd_per_hour"),
    ([1.0], [replace(ON_DEMAND, lot=0)], "lot >= 1"),
    ([1.0], [replace(RESERVED, demand_share=0.5)], "reserved"),
])  # fmt: skip
def test_what_makes_no_sense_is_named(demand: list[float], supplies: list[Supply], words: str):
    with pytest.raises(DomainError, match=words):
        cheapest_mix(demand, supplies)
