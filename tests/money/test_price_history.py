"""Rates of decline of prices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.price_history import cheapest_so_far, decline_per_year, fitted_decline_per_year, years_between

PRICE, YEARS = st.floats(0.01, 100), st.floats(0.5, 10)


@given(PRICE, PRICE, YEARS)
def test_a_price_that_falls_at_the_rate_arrives(before: float, after: float, years: float):
    rate = float(decline_per_year(before, after, years))
    assert before * (1 - rate) ** years == pytest.approx(after, rel=1e-3)
    assert (rate > 0) == (after < before) or after == pytest.approx(before)


@given(PRICE, st.floats(-1, 0.99), st.lists(st.floats(0, 10), min_size=2, max_size=6, unique=True))
def test_the_fit_of_a_steady_fall_is_its_rate(start: float, rate: float, years: list[float]):
    if np.ptp(years) < 1e-3:
        return
    times = np.array(years)
    assert float(fitted_decline_per_year(times, start * (1 - rate) ** times)) == pytest.approx(rate, abs=1e-5)


def test_a_fit_needs_two_days():
    assert np.isnan(fitted_decline_per_year(np.array([1.0, 1.0]), np.array([1.0, 2.0])))


@given(st.lists(st.tuples(PRICE, st.booleans()), min_size=1, max_size=8))
def test_the_cheapest_never_rises_and_is_a_price_of_the_level(models: list[tuple[float, bool]]):
    prices, reaches = (np.array(column) for column in zip(*models, strict=True))
    cheapest = cheapest_so_far(prices, reaches)
    assert np.all(cheapest[1:] <= cheapest[:-1])
    assert cheapest[-1] == min(prices[reaches], default=np.inf)
    assert cheapest_so_far(prices)[-1] == prices.min()


@pytest.mark.parametrize(("first", "last", "days"), [
    ("2024-05-13", "2024-05-14", 1), ("2024-05", "2024-05-02", 1), ("2023", "2024", 365),
    ("2024-03-01", "2024-02-29", -1),
])  # fmt: skip
def test_years(first: str, last: str, days: int):
    assert years_between(first, last) == pytest.approx(days / 365)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: decline_per_year(0.0, 1.0, 1.0), "the first price and the time must be positive"),
    (lambda: decline_per_year(1.0, 1.0, 0.0), "the first price and the time must be positive"),
    (lambda: fitted_decline_per_year(np.arange(2), np.arange(2)), "must be positive; leave out free models"),
    (lambda: years_between("2024-13", "2025"), "date='2024-13' is no day"),
    (lambda: years_between("soon", "2025"), "date='soon' is no day"),
])  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(DomainError, match=message):
        call()
