"""Dollars a million tokens: against printed prices, at the edges, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.unit_cost import usd_per_mtok

PRICE, SPEED, BUSY = st.floats(0, 1e6), st.floats(1e-3, 1e7), st.floats(0.01, 1)


@pytest.mark.parametrize(("usd_per_hour", "tokens_per_s", "utilization", "cost"), [
    # TPU serving chapter: 16 v5e at 1.20 USD, 120 sequences every 17.61 ms; batch 1 every 5.44 ms
    (16 * 1.20, 120 / 17.614e-3, 1.0, 0.783), (16 * 1.20, 1 / 5.438e-3, 1.0, 29.0),
    # the same at 60 % utilisation
    (16 * 1.20, 120 / 17.614e-3, 0.6, 1.305),
    # Erdil 2025, table 3: 7 GPUs at 2 USD, 136 sequences at 107 tokens/s each
    (7 * 2.0, 136 * 107, 1.0, 0.267),
    # a dollar a second and a token a second
    (3600, 1, 1.0, 1e6),
])  # fmt: skip
def test_known_costs(usd_per_hour: float, tokens_per_s: float, utilization: float, cost: float):
    assert float(usd_per_mtok(usd_per_hour, tokens_per_s, utilization)) == pytest.approx(cost, rel=2e-3)


def test_costs_at_the_limits():
    assert usd_per_mtok(10.0, 0.0) == np.inf
    assert usd_per_mtok(0.0, 1.0) == 0
    assert usd_per_mtok(10.0, np.inf) == 0
    assert usd_per_mtok(0.0, 0.0) == np.inf


@given(PRICE, SPEED, BUSY, st.floats(1, 100))
def test_cost_rises_with_the_price_and_falls_with_speed_and_use(price: float, speed: float, busy: float, factor: float):
    base = float(usd_per_mtok(price, speed, busy))
    assert base >= 0
    assert float(usd_per_mtok(factor * price, speed, busy)) == pytest.approx(factor * base)
    assert float(usd_per_mtok(price, factor * speed, busy)) == pytest.approx(base / factor)
    assert float(usd_per_mtok(price, speed, busy / factor)) == pytest.approx(base * factor)
    # What a day of tokens costs is what a day costs.
    assert base * (speed * busy * 86_400) / 1e6 == pytest.approx(24 * price)


@pytest.mark.parametrize(("usd_per_hour", "utilization", "message"), [
    (-1.0, 1.0, r"usd_per_hour=-1.0 must not be negative; give the price of an hour"),
    (1.0, 0.0, r"utilization=0.0 must lie in \(0, 1\]; 1 = always busy"),
    (1.0, 1.01, r"utilization=1.01 must lie in \(0, 1\]"),
])  # fmt: skip
def test_what_cannot_be_is_refused(usd_per_hour: float, utilization: float, message: str):
    with pytest.raises(DomainError, match=message):
        usd_per_mtok(usd_per_hour, 1.0, utilization)
