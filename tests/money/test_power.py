"""Watts, PUE and joules: bounds, limits, and the trade between a better building and busier machines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.power import (
    drawn_power_w,
    energy_per_work,
    energy_usd_per_hour,
    facility_power_w,
    joule_per_token,
    kwh_per_mtok,
    matching_utilization,
    overbuild_share,
    pue_saving_usd_per_year,
)

share = st.floats(0, 1)
pue = st.floats(1, 2.5)


@given(st.floats(0, 1e6), share, share, share)
def test_power_lies_between_idle_and_busy(rated: float, busy: float, ratio: float, used: float):
    idle = busy * ratio
    drawn = float(drawn_power_w(rated, used, busy_fraction=busy, idle_fraction=idle))
    assert rated * idle * (1 - 1e-12) <= drawn <= rated * busy * (1 + 1e-12)


def test_power_at_its_ends():
    ends = drawn_power_w(10_200, np.array([0.0, 1.0]), busy_fraction=0.76, idle_fraction=0.2)
    assert ends.tolist() == pytest.approx([2_040, 7_752])


@given(st.floats(0, 1e7), pue, pue, st.floats(0, 1))
def test_saving_is_the_difference_of_two_bills(power: float, before: float, after: float, tariff: float):
    saved = float(pue_saving_usd_per_year(power, before, after, tariff))
    bills = [8760 * float(energy_usd_per_hour(power, each, tariff)) for each in (before, after)]
    assert saved == pytest.approx(bills[0] - bills[1], rel=1e-9, abs=1e-3)
    assert bills[0] >= 0
    assert float(facility_power_w(power, before)) >= power


def test_energy_of_tokens():
    # 8 x H100 of 7.75 kW, 70B in FP8: decode 3,000 tokens/s, prefill 28,000 tokens/s
    by_phase = joule_per_token(7_750, np.array([3_000.0, 28_000.0]))
    assert by_phase.tolist() == pytest.approx([2.583, 0.277], abs=0.001)
    assert by_phase[0] / by_phase[1] == pytest.approx(28 / 3)
    assert float(joule_per_token(7_750, 0.0)) == np.inf
    assert float(joule_per_token(0.0, 1.0)) == 0
    assert float(kwh_per_mtok(3.6)) == 1


@given(pue, share, share, share)
def test_work_takes_less_energy_when_busier(building: float, used: float, other: float, idle: float):
    low, high = sorted((used, other))
    lazy, busy = energy_per_work(building, np.array([low, high]), idle)
    assert busy <= lazy * (1 + 1e-12)
    assert busy >= building * (1 - 1e-12)


def test_work_at_no_utilisation():
    assert energy_per_work(1.2, 0.0, np.array([0.5, 0.0])).tolist() == [np.inf, 1.2]


@given(pue, pue, st.floats(0.05, 1), st.floats(0.05, 1))
def test_matching_utilisation_takes_as_much_energy(own: float, other: float, used: float, idle: float):
    needed = float(energy_per_work(other, used, idle))
    matching = float(matching_utilization(own, needed, idle))
    if np.isinf(matching):
        assert float(energy_per_work(own, 1.0, idle)) > needed
    else:
        assert 0 < matching <= 1 + 1e-12
        assert float(energy_per_work(own, min(matching, 1.0), idle)) == pytest.approx(needed)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: drawn_power_w(1, 1.5, busy_fraction=1), "utilization=1.5"),
    (lambda: drawn_power_w(1, 1, busy_fraction=0.5, idle_fraction=0.6), "idle_fraction=0.6"),
    (lambda: overbuild_share(0), "busy_fraction=0"),
    (lambda: facility_power_w(1, 0.9), "pue=0.9"),
    (lambda: energy_usd_per_hour(1, 1, -0.1), "tariff_usd_per_kwh=-0.1"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
