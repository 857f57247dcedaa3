"""Money over years: against numpy-financial's own NPV, and what must hold for any flow."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.lifecycle.crossover import crossover_days, crossover_tokens, payback_tokens
from costline.lifecycle.net_present_value import net_present_value, tokens_over_life, yearly_usd

FLOWS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
RATE = st.floats(0.001, 1.0)


@given(flows=FLOWS, rate=RATE)
def test_it_is_the_npv_of_numpy_financial(flows: list[float], rate: float):
    assert float(net_present_value(np.array(flows), rate)) == pytest.approx(float(npf.npv(rate, flows)), abs=1e-6)


@given(flows=FLOWS)
def test_without_interest_flows_add_up(flows: list[float]):
    assert float(net_present_value(np.array(flows), 0.0)) == pytest.approx(sum(flows), abs=1e-6)


@given(flow=st.lists(st.floats(0, 1e6), min_size=2, max_size=12), low=RATE, more=RATE)
def test_costs_to_come_weigh_less_at_a_higher_rate(flow: list[float], low: float, more: float):
    values = net_present_value(np.array(flow), np.array([low, low + more]))
    assert values[0] >= values[1] - 1e-6
    assert values[1] >= flow[0] - 1e-6


@given(growth=st.floats(-0.5, 2), decline=st.floats(0, 0.9), years=st.integers(1, 10))
def test_yearly_costs_change_once_a_year(growth: float, decline: float, years: int):
    flows = yearly_usd(1e12, 2.0, years, upfront_usd=5e6, growth_per_year=growth, decline_per_year=decline)
    assert flows.shape == (years + 1,)
    assert flows[0] == 5e6
    assert flows[1] == pytest.approx(2e6)
    assert flows[1:] == pytest.approx(2e6 * ((1 + growth) * (1 - decline)) ** np.arange(years))
    served = sum(1e12 * (1 + growth) ** year for year in range(years))
    assert float(tokens_over_life(1e12, years, growth)) == pytest.approx(served)


def test_no_year_and_no_rate_are_refused():
    with pytest.raises(DomainError, match="years=0"):
        yearly_usd(1.0, 1.0, 0)
    with pytest.raises(DomainError, match="rate_per_year=-1"):
        net_present_value(np.array([1.0]), -1.0)


@given(start=st.floats(0, 1e9), unit=st.floats(0.01, 100))
def test_at_the_crossover_both_have_cost_the_same(start: float, unit: float):
    assert float(crossover_tokens(start, unit)) / 1e6 * unit == pytest.approx(start)


def test_crossovers_at_their_limits():
    assert float(crossover_tokens(1.0, 0.0)) == np.inf
    assert float(crossover_days(1.0, 0.0)) == np.inf
    assert float(crossover_days(1e12, 1e9, 1e-12)) == pytest.approx(1000.0)
    assert float(payback_tokens(2.0, 1.0, 0.0)) == np.inf
    assert float(payback_tokens(1.0, 1.0, 1.0)) == 0.0
