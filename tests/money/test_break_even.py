"""Break-even points: both ways cost the same there, and the cheaper one changes."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.break_even import (
    break_even_load,
    break_even_months,
    break_even_tokens,
    break_even_utilization,
    corner_interval,
    cumulative_usd,
    swings,
)
from costline.money.unit_cost import usd_per_mtok

usd = st.floats(0, 1e7)
price = st.floats(0.01, 100)


@given(usd, price, st.floats(0, 100))
def test_at_the_volume_both_cost_the_same(fixed: float, api: float, variable: float):
    tokens = float(break_even_tokens(fixed, api, variable))
    if np.isinf(tokens):
        assert variable >= api
    else:
        assert fixed + variable * tokens / 1e6 == pytest.approx(api * tokens / 1e6, rel=1e-6, abs=1e-6)


@given(st.floats(0.01, 100), st.floats(1, 1e5), price)
def test_at_the_load_a_token_costs_its_price(hour: float, rate: float, api: float):
    load = float(break_even_load(hour, rate, api))
    if np.isinf(load):
        assert float(usd_per_mtok(hour, rate)) > api * (1 - 1e-12)
    else:
        assert float(usd_per_mtok(hour, rate, load)) == pytest.approx(api)


@given(price, price, st.floats(0, 1))
def test_owning_wins_above_the_utilisation(owned: float, rented: float, used: float):
    threshold = float(break_even_utilization(owned, rented))
    if used > threshold * (1 + 1e-9):
        assert owned < rented * used
    elif used < threshold * (1 - 1e-9):
        assert owned > rented * used


@given(st.floats(1, 1e7), st.floats(0, 1e5), st.floats(1, 1e6), st.floats(0.001, 0.5))
def test_months_are_the_payments_of_a_loan(capital: float, running: float, saved: float, interest: float):
    monthly = (1 + interest) ** (1 / 12) - 1
    assume(abs(capital * monthly / saved - 1) > 1e-6)
    found = float(break_even_months(capital, running, running + saved, interest))
    if capital * monthly >= saved:
        assert found == np.inf
    else:
        expected = float(npf.nper(monthly, -((running + saved) - running), capital))
        assert found == pytest.approx(expected, rel=1e-5)
        assert found >= capital / saved * (1 - 1e-6)


def test_months_at_their_limits():
    months = break_even_months(np.array([0.0, 0.0, 100.0, 100.0]), 10, np.array([10.0, 20.0, 10.0, 20.0]))
    assert months.tolist() == [0, 0, np.inf, 10]
    assert float(break_even_months(100, 10, 20, 1e-12)) == pytest.approx(10)


def test_the_table_of_cash_crosses_in_that_month():
    months = np.arange(37)
    own = cumulative_usd(months, upfront_usd=250_000, usd_per_month=4_000)
    rent = cumulative_usd(months, usd_per_month=8 * 2.99 * 730)
    first = int(months[own <= rent][0])
    assert first == int(np.ceil(break_even_months(250_000, 4_000, 8 * 2.99 * 730)))
    assert float(cumulative_usd(12, upfront_usd=100, usd_per_month=5, salvage_usd=40)) == 120


@given(st.floats(1, 5), st.floats(1, 5), st.floats(1, 5), st.floats(1, 5), st.floats(0, 1), st.floats(0, 1))
def test_corners_hold_every_point_between(a: float, b: float, c: float, d: float, at: float, other: float):
    (own_low, own_high), (rent_low, rent_high) = sorted((a, b)), sorted((c, d))
    ratio = lambda own, rent: own / rent  # noqa: E731
    middle = {"own": (own_low, own_low, own_high), "rent": (rent_low, rent_high, rent_high)}
    low, likely, high = corner_interval(ratio, middle)
    inside = ratio(own_low + at * (own_high - own_low), rent_low + other * (rent_high - rent_low))
    assert low - 1e-12 <= inside <= high + 1e-12
    assert (low, likely, high) == (own_low / rent_high, own_low / rent_high, own_high / rent_low)


def test_the_widest_swing_comes_first():
    months = swings(break_even_months, {
        "interest_per_year": (0.05, 0.10, 0.15),
        "capital_usd": (200e3, 250e3, 300e3),
        "running_usd_per_month": (4e3, 4e3, 4e3),
        "alternative_usd_per_month": (10e3, 17e3, 29e3),
    })  # fmt: skip
    assert list(months) == ["alternative_usd_per_month", "capital_usd", "interest_per_year", "running_usd_per_month"]
    low, high = months["capital_usd"]
    assert low < high
    assert months["running_usd_per_month"][0] == months["running_usd_per_month"][1]


def test_an_end_that_never_pays_is_infinite():
    ends = corner_interval(break_even_utilization, {"owned_usd_per_hour": (2, 3, 6), "rented_usd_per_hour": (5, 6, 8)})
    assert ends == (0.25, 0.5, np.inf)
    never = swings(break_even_utilization, {"owned_usd_per_hour": (6, 7, 8), "rented_usd_per_hour": (5, 6, 6)})
    assert never["owned_usd_per_hour"] == (1.0, np.inf)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: break_even_tokens(-1, 1), "fixed_usd=-1"),
    (lambda: break_even_load(1, -1, 1), "tokens_per_s=-1"),
    (lambda: break_even_utilization(-1, 1), "owned_usd_per_hour=-1"),
    (lambda: break_even_months(1, 1, 1, -0.1), "interest_per_year=-0.1"),
    (lambda: corner_interval(lambda x: x, {"x": (2, 1, 3)}), r"x=\(2, 1, 3\)"),
    (lambda: swings(lambda **x: 0, {str(k): (0, 0, 1) for k in range(17)}), "inputs=17"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
