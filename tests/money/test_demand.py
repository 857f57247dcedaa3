"""Elasticity, pass-through, margins and tariffs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.demand import gross_profit_ratio, passed_through_ratio, revenue_ratio, volume_ratio
from costline.money.margin import gross_margin, provider_margin, two_part_tariff_usd

RATIO, ELASTICITY = st.floats(0.1, 10), st.floats(0.01, 4)


@given(RATIO, ELASTICITY)
def test_revenue_is_price_times_volume(ratio: float, elasticity: float):
    assert float(revenue_ratio(ratio, elasticity)) == pytest.approx(ratio * float(volume_ratio(ratio, elasticity)))
    assert (float(volume_ratio(ratio, elasticity)) >= 1) == (ratio <= 1)


def test_revenue_turns_at_elasticity_one():
    assert float(revenue_ratio(0.5, 1.0)) == 1
    assert float(revenue_ratio(0.9, 1.1)) > 1 > float(revenue_ratio(0.9, 0.9))
    assert volume_ratio(1.0, 3.0) == 1


@given(RATIO, ELASTICITY, st.floats(0.01, 1))
def test_gross_profit_is_revenue_less_cost(ratio: float, elasticity: float, margin: float):
    # A token sold for 1 costs 1 - margin, before and after.
    volume = float(volume_ratio(ratio, elasticity))
    profit = ratio * volume - (1 - margin) * volume
    assert float(gross_profit_ratio(ratio, elasticity, margin)) == pytest.approx(profit / margin, rel=1e-6, abs=1e-9)
    assert float(gross_profit_ratio(1.0, elasticity, margin)) == pytest.approx(1)


def test_pass_through():
    assert passed_through_ratio(0.5, 0.0) == 1
    assert passed_through_ratio(0.5, 1.0) == 0.5
    assert float(passed_through_ratio(63, 0.432)) == pytest.approx(5.99, abs=5e-3)


def test_margins():
    assert provider_margin(1.0, 0.0) == 1
    assert provider_margin(1.0, 1.0) == 0
    assert gross_margin(1.0, 3.0) == -2


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 1e6))
def test_a_tariff_never_costs_less_than_its_fixed_part(usage: float, fixed: float, price: float, free: float):
    bill = float(two_part_tariff_usd(usage, fixed, price, free))
    assert bill >= fixed
    assert float(two_part_tariff_usd(usage + 1, fixed, price, free)) >= bill
    assert float(two_part_tariff_usd(free, fixed, price, free)) == fixed


@pytest.mark.parametrize(("call", "message"), [
    (lambda: volume_ratio(0.0, 1.0), "price_ratio=0.0 must be positive"),
    (lambda: revenue_ratio(0.9, -1.0), "elasticity=-1.0 must not be negative"),
    (lambda: gross_profit_ratio(0.9, 1.0, 0.0), r"margin=0.0 must lie in \(0, 1\]"),
    (lambda: passed_through_ratio(-1.0, 0.4), "cost_ratio=-1.0 must be positive"),
    (lambda: provider_margin(0.0, 1.0), "price=0.0 must be positive"),
    (lambda: gross_margin(1.0, -1.0), "cost=-1.0 not negative"),
    (lambda: two_part_tariff_usd(-1.0, 1.0), "usage=-1.0 must not be negative"),
    (lambda: two_part_tariff_usd(1.0, np.nan), "fixed_usd=nan must not be negative"),
])  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(DomainError, match=message):
        call()
