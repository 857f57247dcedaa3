"""The bill of a fleet and the age of a price."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.price import STALE_DAYS, fleet_usd_per_hour, price_age_days

TODAY = datetime.date(2026, 11, 20)


@pytest.mark.parametrize(("accelerators", "each", "hour"), [
    # TPU serving chapter: 4x4 v5e; and the fleet of 15,216 chips for 10,000 queries a second
    (16, 1.2, 19.2), (15_216, 1.2, 18_259.2), (0, 1.2, 0), (8, 0.0, 0),
])  # fmt: skip
def test_bills(accelerators: int, each: float, hour: float):
    assert float(fleet_usd_per_hour(accelerators, each)) == pytest.approx(hour)


@given(st.integers(0, 10**6), st.floats(0, 1e3), st.integers(1, 100))
def test_every_accelerator_is_paid(accelerators: int, each: float, more: int):
    assert fleet_usd_per_hour(accelerators + more, each) >= fleet_usd_per_hour(accelerators, each) >= 0


def test_a_negative_price_is_refused():
    with pytest.raises(DomainError, match="usd_per_accelerator_hour=-2 must not be negative; give a price"):
        fleet_usd_per_hour(8, -2)


@pytest.mark.parametrize(("date", "age"), [
    ("2026-11-20", 0), ("2026-11-19", 1), ("2025-11-20", 365), ("2026-11-21", -1),
    # a month or a year is as old as its last day; while it lasts its age is unknown
    ("2026-10", 20), ("2025-12", 324), ("2025", 324), ("2026-11", None), ("2026", None),
])  # fmt: skip
def test_age_of_a_price(date: str, age: int | None):
    assert price_age_days(date, TODAY) == age


def test_a_quarter_is_stale():
    assert STALE_DAYS == 90
    assert price_age_days("2026-08-21", TODAY) == STALE_DAYS + 1
