"""Equations of API prices on arrays: an element of a grid is the scalar's value, whatever the shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import docstrings
from costline.money import demand, discount, margin, migration, price_history, quality, routing, volume

SHARE, USD, RATIO, TOKENS = (0.0, 1.0), (0.0, 100.0), (0.1, 10.0), (0.0, 1e10)
CURVE = {"curve_share": np.array([0.0, 0.3, 1.0]), "curve_quality": np.array([0.6, 0.9, 0.85])}
Ranges = dict[str, tuple[float, float]]

CASES: list[tuple[Callable[..., Any], Ranges, dict[str, Any]]] = [
    (discount.cache_price_multiple, {"hit_share": SHARE, "read_multiple": SHARE, "write_multiple": RATIO}, {}),
    (discount.cache_hit_share, {"requests_per_s": RATIO, "lifetime_s": USD}, {}),
    (discount.cache_break_even_requests, {"write_multiple": (0.0, 3.0), "read_multiple": (0.0, 1.5)}, {}),
    (discount.cache_break_even_hit_share, {"write_multiple": (0.0, 3.0), "read_multiple": (0.0, 1.5)}, {}),
    (discount.share_of_list, {"input_tokens": TOKENS, "output_tokens": TOKENS, "input_usd_per_mtok": USD,
                              "output_usd_per_mtok": USD, "input_multiple": SHARE, "bill_multiple": SHARE}, {}),
    (discount.usd_per_text_byte, {"usd_per_mtok": USD, "text_bytes_per_token": RATIO}, {}),
    (discount.tokenizer_usd_per_mtok, {"usd_per_mtok": USD, "token_ratio": RATIO}, {}),
    (volume.volume_usd, {"tokens": TOKENS, "fixed_usd": USD, "usd_per_mtok": USD, "capacity_tokens": (1e6, 1e9),
                         "base_usd": USD}, {}),
    (volume.cheapest_way, {"tokens": TOKENS},
     {"fixed_usd": np.array([0.0, 9e3, 5e4]), "usd_per_mtok": np.array([9.0, 1.0, 0.0])}),
    (routing.routing_saving, {"routed_usd": USD, "baseline_usd": RATIO}, {}),
    (routing.strong_share_for_saving, {"saving": SHARE, "strong_usd": RATIO, "weak_usd": RATIO}, {}),
    (routing.quality_at_share, {"strong_share": SHARE}, CURVE),
    (routing.share_for_quality, {"quality": SHARE}, CURVE),
    (quality.usd_per_correct, {"usd": USD, "success": SHARE, "failure_usd": USD}, {}),
    (quality.failure_usd_break_even, {"usd": USD, "success": (0.1, 1.0), "other_usd": USD, "other_success": (0.1, 1.0)},
     {}),
    (quality.success_within, {"success": SHARE, "tries": (0.0, 9.0)}, {}),
    (quality.tries_within, {"success": SHARE, "tries": (0.0, 9.0)}, {}),
    (quality.score_error, {"score": SHARE, "items": RATIO}, {}),
    (quality.adjusted_delta, {"delta": SHARE, "haircut": SHARE}, {}),
    (quality.delta_is_actionable, {"score": SHARE, "other_score": SHARE, "items": TOKENS, "haircut": SHARE}, {}),
    (demand.volume_ratio, {"price_ratio": RATIO, "elasticity": SHARE}, {}),
    (demand.revenue_ratio, {"price_ratio": RATIO, "elasticity": SHARE}, {}),
    (demand.gross_profit_ratio, {"price_ratio": RATIO, "elasticity": SHARE, "margin": (0.1, 1.0)}, {}),
    (demand.passed_through_ratio, {"cost_ratio": RATIO, "exponent": SHARE}, {}),
    (margin.provider_margin, {"price_usd_per_mtok": RATIO, "cost_usd_per_mtok": USD}, {}),
    (margin.two_part_tariff_usd, {"usage": USD, "fixed_usd": USD, "usd_per_unit": USD, "included": USD}, {}),
    (margin.gross_margin, {"revenue_usd": RATIO, "cost_usd": USD}, {}),
    (migration.indifferent_input_per_output, {"input_usd_per_mtok": USD, "output_usd_per_mtok": USD,
     "other_input_usd_per_mtok": USD, "other_output_usd_per_mtok": USD}, {}),
    (price_history.decline_per_year, {"before_usd_per_mtok": RATIO, "after_usd_per_mtok": USD, "years": RATIO}, {}),
]  # fmt: skip
ALONG_THE_LAST_AXIS = {
    "routed_mean", "cascade_reach", "cascade_mean", "fitted_decline_per_year", "cheapest_so_far",
}  # fmt: skip
EXACT = {
    "tier_usd_per_mtok", "leaf_usd_per_mtok", "scaled_rates", "leaf_tokens", "workload_bill", "request_bill",
    "migration", "years_between",
}  # fmt: skip
"""Decimal ledgers and calendar days: nothing to broadcast."""
FILES = (
    "money/api_", "money/discount.py", "money/volume.py", "money/routing.py", "money/quality.py", "money/demand.py",
    "money/margin.py", "money/migration.py", "money/price_history.py",
)  # fmt: skip


@pytest.mark.parametrize(("function", "ranges", "fixed"), CASES, ids=lambda item: getattr(item, "__name__", ""))
@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_an_element_of_a_grid_is_the_scalars_value(
    function: Callable[..., Any], ranges: Ranges, fixed: dict[str, Any], data: st.DataObject, seed: int
):
    shapes = data.draw(mutually_broadcastable_shapes(num_shapes=len(ranges), max_dims=2, max_side=3))
    rng = np.random.default_rng(seed)
    arrays = {
        name: np.where(rng.random(shape) < 0.1, high, rng.uniform(low, high, size=shape))
        for (name, (low, high)), shape in zip(ranges.items(), shapes.input_shapes, strict=True)
    }
    if "items" in arrays:
        arrays["items"] = arrays["items"] + 1
    grid = np.asarray(function(**arrays, **fixed))
    whole = {name: np.broadcast_to(values, shapes.result_shape) for name, values in arrays.items()}
    assert grid.shape == shapes.result_shape
    for place in np.ndindex(grid.shape):
        one = function(**{name: float(values[place]) for name, values in whole.items()}, **fixed)
        np.testing.assert_allclose(grid[place], one, rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_equations_along_an_axis_take_any_axes_before_it(seed: int):
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(4), size=(2, 3))
    values = rng.uniform(0.1, 10, size=(2, 3, 4))
    reach = rng.random((2, 3, 4)) < 0.5
    for function, arguments in (
        (routing.routed_mean, (share, values)),
        (routing.cascade_reach, (share,)),
        (routing.cascade_mean, (share, values)),
        (price_history.fitted_decline_per_year, (np.cumsum(values, axis=-1), values)),
        (price_history.cheapest_so_far, (values, reach)),
    ):
        assert function.__name__ in ALONG_THE_LAST_AXIS
        whole = np.asarray(function(*arguments))
        for place in np.ndindex(2, 3):
            np.testing.assert_allclose(whole[place], function(*(one[place] for one in arguments)), rtol=1e-12)


def test_each_equation_of_api_prices_stands_here():
    here = {function.__name__ for function, *_ in CASES} | ALONG_THE_LAST_AXIS | EXACT
    assert {one.name for one in docstrings.equations() if one.module.startswith(FILES)} == here
