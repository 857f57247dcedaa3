"""What a purchase loses: charges add up to the price, and the value lost has the present value of the purchase."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.capital import annuity_usd_per_year, present_value_usd
from costline.money.depreciation import (
    book_value_usd,
    cascade_value_usd,
    equivalent_annual_usd,
    is_impaired,
    keeping_usd,
    replacement_year,
    resale_usd,
    straight_line_usd,
    write_down_usd,
)

price = st.floats(1, 1e8)
share = st.floats(0, 1)
life = st.floats(0.5, 12)
curves = st.lists(st.floats(0, 1e6), min_size=2, max_size=8)


@given(price, life, share)
def test_charges_add_up_to_what_is_lost(capital: float, n: float, kept: float):
    by_year = straight_line_usd(capital, n, np.arange(1, 14), capital * kept)
    assert float(by_year.sum()) == pytest.approx(capital * (1 - kept), abs=1e-6)
    assert np.all(by_year >= 0)


@given(price, life, share)
def test_the_books_fall_by_the_charge(capital: float, n: float, kept: float):
    books = book_value_usd(capital, n, np.arange(14), capital * kept)
    charges = straight_line_usd(capital, n, np.arange(1, 14), capital * kept)
    np.testing.assert_allclose(-np.diff(books), charges, atol=1e-6 * capital)
    assert float(book_value_usd(capital, n, np.inf, capital * kept)) == pytest.approx(
        capital * kept, abs=1e-9 * capital
    )


def test_resale_falls_by_the_same_share():
    # an H100 said to lose 25 % in three years
    loss = 1 - 0.75 ** (1 / 3)
    assert resale_usd(30_000, loss, np.array([0, 3, 6])).tolist() == pytest.approx([30_000, 22_500, 16_875])
    assert resale_usd(30_000, [0.0, 1.0], 5).tolist() == [30_000, 0]


@given(curves, st.floats(0, 0.3))
def test_keeping_it_costs_the_price_less_the_last_value(values: list[float], i: float):
    yearly = keeping_usd(values, 0.0, i)
    today = present_value_usd([0.0, *yearly], i)
    assert float(today) == pytest.approx(values[0] - values[-1] * (1 + i) ** -(len(values) - 1), abs=1e-3)


@given(price, share, st.floats(0, 0.3), st.integers(1, 8))
def test_equivalent_cost_of_a_life_is_its_annuity(capital: float, kept: float, i: float, n: int):
    values = [capital, *[capital * kept] * n]
    found = equivalent_annual_usd(values, np.zeros(n), i)
    lives = np.arange(1, n + 1)
    np.testing.assert_allclose(found, annuity_usd_per_year(capital, lives, i, capital * kept), rtol=1e-9, atol=1e-6)


def test_economic_life_is_where_the_equivalent_cost_is_least():
    # value halves each year, upkeep grows by 10 a year: by hand 60, 52.5, 50.8, 51.6 (no interest)
    values, upkeep = [100.0, 50.0, 25.0, 12.5, 6.25], [10.0, 20.0, 30.0, 50.0]
    found = equivalent_annual_usd(values, upkeep)
    assert found.tolist() == pytest.approx([60, 52.5, (87.5 + 60) / 3, (93.75 + 110) / 4])
    assert int(np.argmin(found)) + 1 == 3


@given(st.lists(st.floats(0, 100), min_size=1, max_size=9), st.floats(0, 100))
def test_replacement_is_the_first_dearer_year(kept: list[float], new: float):
    expected = next((year for year, usd in enumerate(kept, start=1) if usd > new), np.inf)
    assert float(replacement_year(kept, new)) == expected


@given(st.lists(st.floats(0, 5), min_size=1, max_size=6), st.floats(0, 2), share, st.floats(0, 0.3))
def test_a_cascade_is_worth_more_at_a_higher_price(income: list[float], cost: float, busy: float, i: float):
    worth = float(cascade_value_usd(income, cost, utilization=busy, interest_per_year=i))
    more = float(cascade_value_usd(np.array(income) + 0.5, cost, utilization=busy, interest_per_year=i))
    assert 0 <= worth <= more


def test_a_cascade_outlives_its_first_work():
    # train two years at 3.00, serve two at 2.00, batch two at 0.80; 0.50 an hour to run, sold 80 % of the time
    stages = np.repeat([3.0, 2.0, 0.8], 2)
    yearly = 8760 * (0.8 * stages - 0.5)
    worth = cascade_value_usd(stages, 0.5, utilization=0.8, interest_per_year=0.1)
    assert float(worth) == pytest.approx(float(np.sum(yearly / 1.1 ** np.arange(1, 7))))
    first = cascade_value_usd(stages[:2], 0.5, utilization=0.8, interest_per_year=0.1)
    assert float(worth) > 1.5 * float(first)


def test_impairment_compares_books_with_undiscounted_cash():
    # 30,000 over six years; after three the books show 15,000
    books = book_value_usd(30_000, 6, 3)
    assert is_impaired(books, [5_000.0, 4_000.0, 3_000.0]) == np.True_
    assert is_impaired(books, [9_000.0, 4_000.0, 3_000.0]) == np.False_
    assert float(write_down_usd(books, [5_000.0, 4_000.0, 3_000.0], 10_000)) == 5_000
    assert float(write_down_usd(books, [9_000.0, 4_000.0, 3_000.0], 10_000)) == 0
    assert float(write_down_usd(books, [0.0], 16_000)) == 0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: straight_line_usd(1, 0), "life_years=0"),
    (lambda: book_value_usd(1, -1, 0), "life_years=-1"),
    (lambda: resale_usd(1, 1.5, 1), "loss_per_year=1.5"),
    (lambda: cascade_value_usd([1.0], 0.5, utilization=2), "utilization=2"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
