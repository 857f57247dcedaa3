"""Interest: against numpy-financial, and at the ends where its formulas divide by zero."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.capital import (
    annuity_usd_per_year,
    capital_recovery_factor,
    internal_rate_of_return,
    present_value_usd,
    weighted_capital_cost,
)

interest = st.floats(0.001, 0.5)
years = st.floats(0.5, 40)
usd = st.floats(0, 1e9)


@given(interest, years)
def test_recovery_is_the_payment_of_a_loan(i: float, n: float):
    assert float(capital_recovery_factor(i, n)) == pytest.approx(-float(npf.pmt(i, n, 1.0)), rel=1e-9)


def test_recovery_at_its_limits():
    assert capital_recovery_factor(np.array([0.0, 0.0, 0.1]), np.array([4, np.inf, np.inf])).tolist() == [0.25, 0, 0.1]
    assert float(capital_recovery_factor(1e-13, 4)) == pytest.approx(0.25, rel=1e-12)
    assert float(capital_recovery_factor(5e-324, 1.5)) == pytest.approx(1 / 1.5)


@given(interest, years, usd, st.floats(0, 1))
def test_annuity_takes_the_salvage_off(i: float, n: float, price: float, share: float):
    expected = -float(npf.pmt(i, n, price, -price * share))
    assert float(annuity_usd_per_year(price, n, i, price * share)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(usd, years, st.floats(0, 0.5), st.floats(0, 1))
def test_annuity_is_at_least_straight_line(price: float, n: float, i: float, share: float):
    plain = (price - price * share) / n
    assert float(annuity_usd_per_year(price, n, i, price * share)) >= plain * (1 - 1e-12)
    assert float(annuity_usd_per_year(price, n, 0.0, price * share)) == pytest.approx(plain)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(-0.5, 0.5))
def test_present_value_is_that_of_numpy_financial(flows: list[float], i: float):
    assert float(present_value_usd(flows, i)) == pytest.approx(float(npf.npv(i, flows)), rel=1e-9, abs=1e-6)


def test_rate_of_return_is_where_the_present_value_vanishes():
    flows = np.array([[-100.0, 60.0, 60.0], [-100.0, 30.0, 30.0]])
    rates = internal_rate_of_return(flows)
    # -100 + 60/(1+r) + 60/(1+r)^2 = 0: r = (0.6 + sqrt(0.36 + 2.4)) / 2 - 1; the second loses money
    assert rates.tolist() == pytest.approx([(0.6 + 2.76**0.5) / 2 - 1, (0.3 + 1.29**0.5) / 2 - 1])
    assert present_value_usd(flows, rates).tolist() == pytest.approx([0, 0], abs=1e-9)
    assert np.isnan(internal_rate_of_return([1.0, 1.0]))


@given(st.floats(0, 1), st.floats(0, 0.3), st.floats(0, 0.3))
def test_weighted_cost_lies_between(share: float, owners: float, lenders: float):
    found = float(weighted_capital_cost(share, owners, lenders))
    assert min(owners, lenders) - 1e-12 <= found <= max(owners, lenders) + 1e-12
    assert float(weighted_capital_cost(share, owners, lenders, 0.25)) <= found


@pytest.mark.parametrize(("call", "words"), [
    (lambda: capital_recovery_factor(-0.1, 4), "interest_per_year=-0.1"),
    (lambda: capital_recovery_factor(float("nan"), 4), "interest_per_year=nan"),
    (lambda: capital_recovery_factor(0.1, 0), "life_years=0"),
    (lambda: annuity_usd_per_year(100, 4, 0.1, 120), "salvage_usd=120"),
    (lambda: present_value_usd([1.0], -1.0), "interest_per_year=-1"),
    (lambda: weighted_capital_cost(1.2, 0.1, 0.1), "equity_share=1.2"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
