"""Carbon: the best moment and place against a linear program, and the arithmetic of grams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from costline.errors import DomainError
from costline.money.carbon import (
    embodied_kg_per_hour,
    emissions_kg,
    grams_per_mtok,
    market_emissions_kg,
    needs_major_permit,
    priced_site_usd,
    shifted_load_kwh,
)

share = st.floats(0, 1)
hours = st.integers(2, 8).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 50), min_size=n, max_size=n) for _ in range(3)))
)


@given(hours, share)
def test_shifting_is_the_optimum_of_a_linear_program(day: tuple[list[int], list[int], list[int]], part: float):
    load, score, room = (np.array(values, dtype=float) for values in day)
    cap = load + room
    shifted = shifted_load_kwh(load, score, deferrable_share=part, cap_kwh=cap)
    bounds = list(zip(load * (1 - part), cap, strict=True))
    best = linprog(score, A_eq=np.ones((1, load.size)), b_eq=[load.sum()], bounds=bounds)
    assert float(score @ shifted) == pytest.approx(best.fun, abs=1e-6)
    assert float(shifted.sum()) == pytest.approx(load.sum())
    assert np.all(shifted <= cap + 1e-9)
    assert np.all(shifted >= load * (1 - part) - 1e-9)


@given(hours, share)
def test_shifting_never_emits_more(day: tuple[list[int], list[int], list[int]], part: float):
    load, grams, _ = (np.array(values, dtype=float) for values in day)
    shifted = shifted_load_kwh(load, grams, deferrable_share=part)
    assert float(emissions_kg(shifted, grams).sum()) <= float(emissions_kg(load, grams).sum()) + 1e-9


def test_load_moves_to_another_site_up_to_its_cap():
    # slots: home by day and night, then a cleaner site by day and night, which has room for 6 kWh an hour
    load, grams = [10.0, 10.0, 0.0, 0.0], [500.0, 400.0, 100.0, 50.0]
    moved = shifted_load_kwh(load, grams, deferrable_share=0.8, cap_kwh=[10, 20, 6, 6])
    assert moved.tolist() == pytest.approx([2, 6, 6, 6])


def test_a_cap_below_the_load_forces_it_away():
    assert shifted_load_kwh([10.0, 2.0], [1, 2], deferrable_share=0.5, cap_kwh=6.0).tolist() == [6, 6]
    with pytest.raises(DomainError, match="cap_kwh"):
        shifted_load_kwh([10.0, 3.0], [1, 2], deferrable_share=0.5, cap_kwh=6.0)
    with pytest.raises(DomainError, match="cap_kwh"):
        shifted_load_kwh([10.0, 0.0], [1, 2], deferrable_share=0.3, cap_kwh=6.0)


@given(st.floats(0, 1e9), share, st.floats(0, 900), st.floats(0, 900))
def test_market_based_lies_between_its_mixes(energy: float, bought: float, clean: float, rest: float):
    market = float(
        market_emissions_kg(energy, contracted_share=bought, contract_g_per_kwh=clean, residual_g_per_kwh=rest)
    )
    low, high = sorted((float(emissions_kg(energy, clean)), float(emissions_kg(energy, rest))))
    assert low * (1 - 1e-9) - 1e-300 <= market <= high * (1 + 1e-9) + 1e-300


def test_making_a_node_counts_by_the_hour_used():
    # 5,700 kg of the server and 8 x 273 kg of its GPUs over three years (EcoLogits 0.11.3)
    node = 5_700 + 8 * 273
    assert embodied_kg_per_hour(node, 3, np.array([1.0, 0.5, 0.0])).tolist() == pytest.approx([0.3, 0.6, np.inf])
    # beside 10 kWh an hour at 396 g/kWh that is 7 % more
    assert 0.3 / float(emissions_kg(7.75 * 1.3, 395.65)) == pytest.approx(0.075, abs=0.001)


def test_sites_are_chosen_by_cost_and_carbon():
    cost, emitted = np.array([100.0, 130.0]), np.array([800.0, 50.0])
    assert int(np.argmin(priced_site_usd(cost, emitted))) == 0
    assert int(np.argmin(priced_site_usd(cost, emitted, carbon_usd_per_kg=0.1))) == 1
    assert priced_site_usd(cost, emitted, cap_kg=100.0).tolist() == [np.inf, 130]


def test_permits_begin_at_their_threshold():
    assert needs_major_permit(np.array([1.0, 2.0, 3.0]), 2.0).tolist() == [False, True, True]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: emissions_kg(1, -1), "grid_g_per_kwh=-1"),
    (lambda: grams_per_mtok(1, -1), "grid_g_per_kwh=-1"),
    (lambda: market_emissions_kg(1, contracted_share=2, contract_g_per_kwh=0, residual_g_per_kwh=0), "share=2"),
    (lambda: embodied_kg_per_hour(1, 0), "life_years=0"),
    (lambda: embodied_kg_per_hour(1, 1, 2), "utilization=2"),
    (lambda: shifted_load_kwh([1.0], [1.0], deferrable_share=2), "deferrable_share=2"),
    (lambda: priced_site_usd(1, 1, carbon_usd_per_kg=-1), "carbon_usd_per_kg=-1"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
