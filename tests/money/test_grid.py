"""One code path of rent, ownership, energy: each element of a grid equals the equation of its scalars."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import docstrings
from costline.money import (
    availability,
    break_even,
    capital,
    carbon,
    commitment,
    depreciation,
    egress,
    failures,
    fleet_mix,
    own,
    power,
    rent,
)

INF = np.inf
CASES: list[tuple[Callable[..., Any], dict[str, list[float]]]] = [
    (capital.capital_recovery_factor, {"interest_per_year": [0, 0.05, 0.3], "life_years": [0.5, 4, INF]}),
    (capital.annuity_usd_per_year, {
        "capital_usd": [10.0, 90.0], "life_years": [3, 6], "interest_per_year": [0, 0.1], "salvage_usd": [0.0, 5.0]}),
    (capital.weighted_capital_cost, {
        "equity_share": [0, 0.6, 1], "equity_return": [0.1, 0.2], "debt_interest": [0.05], "tax_rate": [0, 0.3]}),
    (depreciation.straight_line_usd, {
        "capital_usd": [9.0], "life_years": [3, 4.5], "year": [1, 5, 7], "salvage_usd": [0.0, 1.0]}),
    (depreciation.book_value_usd, {
        "capital_usd": [9.0], "life_years": [3, 6], "age_years": [0, 2, 9], "salvage_usd": [0, 1]}),
    (depreciation.resale_usd, {"capital_usd": [9.0, 3.0], "loss_per_year": [0, 0.3, 1], "age_years": [0, 2.5]}),
    (failures.failures_per_year, {"failures": [0, 148], "accelerators": [8, 16_384], "observed_s": [1e5, 1e6]}),
    (failures.time_between_failures_s, {"failures_per_year": [0, 0.06], "accelerators": [1, 1000]}),
    (failures.spare_count, {
        "accelerators": [0, 8, 1024], "failures_per_year": [0, 0.061], "resupply_years": [0.02, 0.25],
        "assurance": [0.5, 0.99]}),
    (failures.checkpoint_interval_s, {
        "checkpoint_s": [0, 60, 1e6], "time_between_interruptions_s": [1e3, 1e5, INF]}),
    (failures.interruption_loss, {
        "interval_s": [60, 3600], "checkpoint_s": [0, 60], "recovery_s": [0, 300],
        "time_between_interruptions_s": [1.0, 1e5, INF]}),
    (availability.serviceable_share, {"failures_per_year": [0, 0.06], "repair_years": [0, 0.02]}),
    (availability.redundant_availability, {
        "availability": [0, 0.99, 1], "copies": [1, 3], "needed": [1, 2], "common_share": [0, 0.1]}),
    (availability.copies_for_availability, {
        "target": [0.9, 0.9999, 1], "availability": [0.5, 0.99], "needed": [1, 4], "common_share": [0, 0.1]}),
    (availability.downtime_hours_per_year, {"availability": [0, 0.99, 1]}),
    (availability.functional_availability, {
        "availability": [0.9, 1], "failover_share": [0, 0.9], "failover_quality": [0, 1]}),
    (power.drawn_power_w, {
        "rated_w": [0, 10_200], "utilization": [0, 0.4, 1], "busy_fraction": [0.76, 1], "idle_fraction": [0, 0.2]}),
    (power.overbuild_share, {"busy_fraction": [0.5, 0.76, 1]}),
    (power.facility_power_w, {"it_power_w": [0, 1e6], "pue": [1, 1.67]}),
    (power.energy_usd_per_hour, {"it_power_w": [0, 1e6], "pue": [1, 1.67], "tariff_usd_per_kwh": [0, 0.1]}),
    (power.pue_saving_usd_per_year, {
        "it_power_w": [1e6], "pue_before": [1, 1.5], "pue_after": [1, 1.35], "tariff_usd_per_kwh": [0.1]}),
    (power.joule_per_token, {"it_power_w": [0, 7750], "tokens_per_s": [0, 3000], "pue": [1, 1.3]}),
    (power.kwh_per_mtok, {"joule_per_token": [0, 3.36, INF]}),
    (power.energy_per_work, {"pue": [1, 1.67], "utilization": [0, 0.4, 1], "idle_fraction": [0, 0.5, 1]}),
    (power.matching_utilization, {"pue": [1, 1.67], "energy_per_work": [1.2, 2], "idle_fraction": [0, 0.5, 1]}),
    (carbon.emissions_kg, {"energy_kwh": [0, 10], "grid_g_per_kwh": [0, 400]}),
    (carbon.market_emissions_kg, {
        "energy_kwh": [10], "contracted_share": [0, 0.6, 1], "contract_g_per_kwh": [0, 20],
        "residual_g_per_kwh": [500]}),
    (carbon.embodied_kg_per_hour, {"embodied_kg": [0, 7884], "life_years": [3, 6], "utilization": [0, 0.5, 1]}),
    (carbon.grams_per_mtok, {"kwh_per_mtok": [0, 0.933], "grid_g_per_kwh": [0, 400]}),
    (carbon.priced_site_usd, {
        "cost_usd": [100, 120], "emitted_kg": [50, 500], "carbon_usd_per_kg": [0, 0.1], "cap_kg": [100, INF]}),
    (carbon.needs_major_permit, {"emitted_kg_per_year": [1, 3], "threshold_kg_per_year": [2, 3]}),
    (rent.billed_hours, {"duration_s": [0, 61, 3600], "increment_s": [1, 60, 3600], "minimum_s": [0, 600]}),
    (rent.discounted_usd_per_hour, {"list_usd_per_hour": [0, 2.99], "discount": [0, 0.3, 1]}),
    (rent.effective_usd_per_hour, {"usd_per_hour": [0, 1.03], "loss": [0, 0.04, INF]}),
    (rent.idle_usd, {"usd_per_hour": [0, 2], "idle_hours": [0, 360], "accelerators": [0, 8]}),
    (rent.reservation_share, {"reserved_usd_per_hour": [0, 2.3], "on_demand_usd_per_hour": [0, 2.99]}),
    (egress.transfer_usd_per_mtok, {"byte_per_token": [0, 5, 300], "usd_per_gb": [0, 0.09]}),
    (egress.cross_zone_usd, {"transferred_bytes": [0, 1e12], "usd_per_gb": [0, 0.01], "directions": [1, 2]}),
    (egress.link_usd_per_month, {"usd_per_hour": [0, 12.33], "links": [0, 2]}),
    (commitment.committed_bill_usd, {"list_usd": [0, 5, 12], "committed_usd": [0, 8], "discount": [0, 0.15, 1]}),
    (commitment.shortfall_usd, {"committed_usd": [0, 8], "drawn_usd": [0, 5.5, 9]}),
    (commitment.added_bill_usd, {"added_usd": [0, 1, 4], "committed_usd": [0, 8], "drawn_usd": [5.5, 9]}),
    (commitment.paid_over_list, {"list_usd": [0, 5, 12], "committed_usd": [0, 8], "discount": [0, 0.15]}),
    (commitment.support_usd, {"spend_usd": [0, 5000], "share": [0, 0.1], "minimum_usd": [0, 100]}),
    (commitment.overhead_share, {"total_usd": [0, 127], "list_usd": [0, 100]}),
    (break_even.break_even_tokens, {
        "fixed_usd": [0, 1440], "price_usd_per_mtok": [0.4, 15], "variable_usd_per_mtok": [0, 1]}),
    (break_even.break_even_load, {
        "usd_per_hour": [0, 2], "tokens_per_s": [0, 1000, 2000], "price_usd_per_mtok": [0, 0.4]}),
    (break_even.break_even_utilization, {"owned_usd_per_hour": [0, 3.21], "rented_usd_per_hour": [0, 2.99, 6.88]}),
    (break_even.break_even_months, {
        "capital_usd": [0, 240], "running_usd_per_month": [4], "alternative_usd_per_month": [4, 5, 24],
        "interest_per_year": [0, 0.1]}),
    (break_even.cumulative_usd, {
        "months": [0, 12], "upfront_usd": [0, 100], "usd_per_month": [0, 10], "salvage_usd": [0, 30]}),
    (own.usd_per_used_hour, {"usd_per_hour": [0, 3.21], "utilization": [0, 0.3, 1]}),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "inputs"), CASES, ids=lambda item: getattr(item, "__name__", ""))
def test_scalar_is_grid_element(equation: Callable[..., Any], inputs: dict[str, list[float]]):
    axes = np.ix_(*(np.asarray(values, dtype=float) for values in inputs.values()))
    grid = equation(**dict(zip(inputs, axes, strict=True)))
    points = product(*(range(len(values)) for values in inputs.values()))
    assert grid.shape == tuple(len(values) for values in inputs.values())
    for point in points:
        scalars = {name: values[at] for (name, values), at in zip(inputs.items(), point, strict=True)}
        single = equation(**scalars)
        assert np.shape(single) == ()
        np.testing.assert_equal(np.asarray(single), grid[point], err_msg=str(scalars))


YEARS = np.array([[[90.0, 60.0, 40.0]], [[90.0, 80.0, 75.0]]])
"""Two curves on the first axis, one row on the second, years on the last."""
FOLDED: list[tuple[Callable[..., Any], dict[str, Any], set[str]]] = [
    (capital.present_value_usd, {"cash_flow_usd": YEARS, "interest_per_year": np.array([0, 0.1])}, {"cash_flow_usd"}),
    (capital.internal_rate_of_return, {"cash_flow_usd": YEARS - [120, 0, 0]}, {"cash_flow_usd"}),
    (depreciation.keeping_usd, {
        "value_usd": YEARS, "operating_usd": np.array([5.0, 9.0]), "interest_per_year": np.array([0, 0.1])},
     {"value_usd", "operating_usd"}),
    (depreciation.equivalent_annual_usd, {
        "value_usd": YEARS, "operating_usd": np.array([5.0, 9.0]), "interest_per_year": np.array([0, 0.1])},
     {"value_usd", "operating_usd"}),
    (depreciation.replacement_year, {
        "kept_usd": YEARS[..., ::-1], "challenger_usd_per_year": np.array([50.0, 77.0, 99.0])}, {"kept_usd"}),
    (depreciation.cascade_value_usd, {
        "income_usd_per_hour": YEARS / 30, "operating_usd_per_hour": 1.0, "utilization": np.array([1.0, 0.8, 0.7]),
        "interest_per_year": np.array([0, 0.1])},
     {"income_usd_per_hour", "operating_usd_per_hour", "utilization"}),
    (depreciation.is_impaired, {
        "carrying_usd": np.array([189.0, 190, 191]), "cash_flow_usd": YEARS}, {"cash_flow_usd"}),
    (depreciation.write_down_usd, {
        "carrying_usd": np.array([189.0, 190, 250]), "cash_flow_usd": YEARS, "fair_value_usd": np.array([180.0])},
     {"cash_flow_usd"}),
    (egress.transfer_usd, {
        "transferred_bytes": np.array([0, 50e9, 1e15]), "tier_from_bytes": np.array([0, 1e11, 1e13]),
        "tier_usd_per_gb": np.array([[0, 0.09, 0.05]])}, {"tier_from_bytes", "tier_usd_per_gb"}),
    (carbon.shifted_load_kwh, {
        "load_kwh": YEARS, "score": np.array([3.0, 1.0, 2.0]), "deferrable_share": np.array([0, 0.5, 1.0]),
        "cap_kwh": np.array([100.0])}, {"load_kwh", "score", "cap_kwh"}),
    (fleet_mix.reserved_quantile, {
        "demand": YEARS, "reserved_usd_per_hour": np.array([0.5, 1.0, 1.5, 3.0]), "on_demand_usd_per_hour": 2.0},
     {"demand"}),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "inputs", "folded"), FOLDED, ids=lambda item: getattr(item, "__name__", ""))
def test_rows_are_judged_one_by_one(equation: Callable[..., Any], inputs: dict[str, Any], folded: set[str]):
    lead = {name: np.shape(value)[:-1] if name in folded else np.shape(value) for name, value in inputs.items()}
    shape = np.broadcast_shapes(*lead.values())
    grid = np.asarray(equation(**inputs))
    for place in np.ndindex(shape):
        row = {
            name: np.broadcast_to(value, (*shape, *np.shape(value)[-1:]) if name in folded else shape)[place]
            for name, value in inputs.items()
        }
        np.testing.assert_allclose(equation(**row), grid[place], rtol=1e-12, err_msg=str(row))


def test_each_equation_of_these_files_stands_in_a_table():
    files = (
        "availability", "break_even", "capital", "carbon", "commitment", "depreciation", "egress", "failures",
        "fleet_mix", "own", "power", "rent",
    )  # fmt: skip
    places = tuple(f"money/{name}.py" for name in files)
    known = {equation.name for equation in docstrings.equations() if equation.module in places}
    of_records = {"owned_usd_per_hour", "owned_usd_per_accelerator_hour", "cheapest_mix", "corner_interval", "swings"}
    one_axis = {"ladder_discount"}
    assert known == {case[0].__name__ for case in (*CASES, *FOLDED)} | of_records | one_axis
