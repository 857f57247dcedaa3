"""Rented time: rounding only adds, discounts only take away, and a reservation pays above its share of hours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.rent import (
    billed_hours,
    discounted_usd_per_hour,
    effective_usd_per_hour,
    idle_usd,
    reservation_share,
)

price = st.floats(0, 100)
share = st.floats(0, 1)


@given(st.floats(0, 1e6), st.sampled_from([1.0, 60.0, 3600.0]), st.floats(0, 7200))
def test_rounding_never_bills_less_nor_a_step_more(used: float, step: float, least: float):
    billed = float(billed_hours(used, step, least)) * 3600
    assert billed >= used * (1 - 1e-9) - 1e-5
    assert billed <= max(used + step, least) + 1e-6


@pytest.mark.parametrize(("used", "step", "hours"), [
    (3600, 60, 1), (3600.0000001, 3600, 1), (3601, 3600, 2), (0, 3600, 0), (59, 60, 1 / 60),
    (0.1 * 3 * 600, 60, 3 / 60),  # 180.00000000000003 s
])  # fmt: skip
def test_rounding_to_whole_steps(used: float, step: float, hours: float):
    assert float(billed_hours(used, step)) == pytest.approx(hours, abs=1e-12)


@given(price, share, share)
def test_a_discount_never_raises_a_price(full: float, some: float, more: float):
    low, high = sorted((some, more))
    assert 0 <= discounted_usd_per_hour(full, high) <= discounted_usd_per_hour(full, low) <= full


@given(price, st.floats(0, 10))
def test_lost_time_is_paid(spot: float, loss: float):
    assert effective_usd_per_hour(spot, loss) >= spot
    assert float(effective_usd_per_hour(spot, np.inf)) == np.inf


@given(st.floats(0.01, 100), st.floats(0.01, 100), share)
def test_a_reservation_pays_above_its_share(reserved: float, on_demand: float, used: float):
    threshold = float(reservation_share(reserved, on_demand))
    if used > threshold:
        assert reserved < on_demand * used * (1 + 1e-12)
    elif used < threshold:
        assert reserved > on_demand * used * (1 - 1e-12)


def test_free_capacity_is_no_bargain():
    assert reservation_share(0.0, np.array([0.0, 1.0])).tolist() == [np.inf, 0]
    assert float(idle_usd(2.0, 730, 8)) == 11_680


@pytest.mark.parametrize(("call", "words"), [
    (lambda: billed_hours(1, 0), "increment_s=0"),
    (lambda: discounted_usd_per_hour(1, 1.2), "discount=1.2"),
    (lambda: discounted_usd_per_hour(-1, 0), "list_usd_per_hour=-1"),
    (lambda: effective_usd_per_hour(1, -0.1), "loss=-0.1"),
    (lambda: idle_usd(-1, 1), "usd_per_hour=-1"),
    (lambda: idle_usd(1, -1), "idle_hours=-1"),
    (lambda: reservation_share(-1, 1), "reserved_usd_per_hour=-1"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
