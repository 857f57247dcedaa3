"""Routers and cascades: shares, savings, calibration curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.quality import usd_per_correct
from costline.money.routing import (
    cascade_mean,
    cascade_reach,
    quality_at_share,
    routed_mean,
    routing_saving,
    share_for_quality,
    strong_share_for_saving,
)

SHARE, USD = st.floats(0, 1), st.floats(0.01, 100)
CURVE = np.array([0.0, 0.26, 1.0]), np.array([0.80, 0.95, 1.0])


@given(SHARE, USD, USD)
def test_the_share_for_a_saving_saves_it(saving: float, strong: float, weak: float):
    share = float(strong_share_for_saving(saving, strong, weak))
    if not np.isnan(share):
        mixed = routed_mean(np.array([share, 1 - share]), np.array([strong, weak]))
        assert float(routing_saving(mixed, strong)) == pytest.approx(saving, abs=1e-9)
    elif weak < strong:
        assert saving > 1 - weak / strong


@given(st.lists(st.tuples(st.floats(0.01, 1), USD), min_size=1, max_size=5))
def test_a_mix_costs_between_its_cheapest_and_dearest(tiers: list[tuple[float, float]]):
    shares, prices = np.array(tiers).T
    mean = float(routed_mean(shares / shares.sum(), prices))
    assert min(prices) * (1 - 1e-9) <= mean <= max(prices) * (1 + 1e-9)


def test_three_tiers():
    # Palanor's node on stacked discounts: 70 % budget, 20 % middle, 10 % premium at 0.40, 15 and 75 USD/Mtok.
    mean = float(routed_mean(np.array([0.7, 0.2, 0.1]), np.array([0.40, 15, 75])))
    assert mean == pytest.approx(10.78)
    assert float(routing_saving(mean, 75)) == pytest.approx(0.856, abs=5e-4)
    assert float(routing_saving(mean, 15)) == pytest.approx(0.281, abs=5e-4)
    # Against a random mix of the same quality, which needs half the requests at the strong model.
    router, random = (routed_mean(np.array([share, 1 - share]), np.array([24.7, 0.24])) for share in (0.26, 0.5))
    assert float(routing_saving(router, random)) == pytest.approx(0.471, abs=5e-4)


@given(st.lists(SHARE, min_size=2, max_size=6), SHARE)
def test_the_share_for_a_quality_reaches_it(qualities: list[float], wanted: float):
    curve = np.linspace(0, 1, len(qualities)), np.array(qualities)
    share = float(share_for_quality(wanted, *curve))
    if wanted > max(qualities):
        assert np.isnan(share)
        return
    assert float(quality_at_share(share, *curve)) >= wanted - 1e-9
    assert share == 0 or np.all(quality_at_share(np.linspace(0, share * 0.999, 50), *curve) <= wanted + 1e-9)


def test_a_curve_is_read_between_its_points():
    assert quality_at_share(np.array([0.0, 0.13, 0.26, 1.0]), *CURVE).tolist() == pytest.approx([0.8, 0.875, 0.95, 1])
    assert share_for_quality(np.array([0.5, 0.8, 0.875, 1.0]), *CURVE).tolist() == pytest.approx([0, 0, 0.13, 1])


@given(st.lists(SHARE, min_size=1, max_size=5))
def test_what_a_cascade_keeps_and_passes_on_adds_up(kept: list[float]):
    accepted = np.array([*kept, 1.0])
    reach = cascade_reach(accepted)
    assert reach[0] == 1
    assert np.all(np.diff(reach) <= 1e-12)
    assert float(np.sum(reach * accepted)) == pytest.approx(1)
    assert float(cascade_mean(accepted, np.ones(len(accepted)))) == pytest.approx(float(np.sum(reach)))


def test_a_cascade_pays_for_each_try():
    router = routed_mean(np.array([0.25, 0.75]), np.array([24.7, 0.24]))
    cascade = cascade_mean(np.array([0.75, 1.0]), np.array([0.24, 24.7]))
    assert float(cascade - router) == pytest.approx(0.25 * 0.24)
    # The failure cost of a mix is that of its mean quality.
    quality = routed_mean(np.array([0.25, 0.75]), np.array([1.0, 0.8]))
    assert float(usd_per_correct(router, quality, 10.0)) == pytest.approx((6.355 + 10 * 0.15) / 0.85)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: routed_mean(np.array([0.5, 0.6]), np.array([1, 2])), "must sum to 1"),
    (lambda: routed_mean(np.array([-0.5, 1.5]), np.array([1, 2])), "must not be negative"),
    (lambda: routing_saving(1.0, 0.0), "baseline_usd=0.0 must be positive; say what the mix replaces"),
    (lambda: strong_share_for_saving(0.5, 0.0, 0.0), "strong_usd=0.0 must be positive"),
    (lambda: cascade_reach(np.array([1.1])), "must lie in"),
    (lambda: quality_at_share(0.5, np.array([0.1, 1.0]), np.array([0.0, 1.0])), "must ascend from 0 to 1"),
    (lambda: share_for_quality(0.5, np.array([0.0, 1.0]), np.array([1.0])), "must ascend from 0 to 1"),
])  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(DomainError, match=message):
        call()
