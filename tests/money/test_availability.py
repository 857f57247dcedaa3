"""Copies and nines: against sums of the binomial, and the ladder that a promise climbs."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.availability import (
    copies_for_availability,
    downtime_hours_per_year,
    functional_availability,
    redundant_availability,
    serviceable_share,
)

share = st.floats(0, 1)


@given(share, st.integers(0, 12), st.integers(1, 6))
def test_k_of_n_is_the_sum_of_the_binomial(up: float, copies: int, needed: int):
    expected = sum(comb(copies, k) * up**k * (1 - up) ** (copies - k) for k in range(needed, copies + 1))
    assert float(redundant_availability(up, copies, needed=needed)) == pytest.approx(expected, abs=1e-12)


@given(share, st.integers(1, 20))
def test_one_of_n_fails_only_with_all(up: float, copies: int):
    assert float(redundant_availability(up, copies)) == pytest.approx(1 - (1 - up) ** copies, abs=1e-12)


@given(share, st.integers(1, 8), st.integers(1, 4), share)
def test_a_copy_more_never_hurts_and_common_causes_bound_it(up: float, copies: int, needed: int, common: float):
    some, more = redundant_availability(up, np.array([copies, copies + 1]), needed=needed, common_share=common)
    assert some <= more + 1e-12
    assert more <= 1 - common * (1 - up) + 1e-12


@given(st.floats(0.5, 0.9999), st.integers(1, 5), st.floats(0, 0.3), st.floats(0.5, 0.99999))
def test_the_fewest_copies_are_enough_and_one_less_is_not(up: float, needed: int, common: float, target: float):
    copies = float(copies_for_availability(target, up, needed=needed, common_share=common))
    if np.isinf(copies):
        assert float(redundant_availability(up, needed + 64, needed=needed, common_share=common)) < target
        return
    assert float(redundant_availability(up, copies, needed=needed, common_share=common)) >= target - 1e-15
    if copies > needed:
        assert float(redundant_availability(up, copies - 1, needed=needed, common_share=common)) < target


def test_nines_cost_copies_until_common_causes_stop_them():
    targets = np.array([0.99, 0.999, 0.9999, 0.99999])
    assert copies_for_availability(targets, 0.99, needed=4).tolist() == [5, 5, 6, 7]  # 5 copies: 0.99902
    assert copies_for_availability(targets, 0.99, needed=4, common_share=0.02).tolist() == [5, 6, np.inf, np.inf]


def test_a_device_under_repair_cannot_serve():
    assert float(serviceable_share(0.0, 1.0)) == 1
    assert float(serviceable_share(2.0, 0.5)) == 0.5


def test_a_lesser_answer_counts_by_its_quality():
    # uptime of 99.99 % where half the minutes saved by failover return a worse model's answer
    uptime = float(functional_availability(0.999, 0.9, 1.0))
    useful = float(functional_availability(0.999, 0.9, 0.0))
    assert uptime == pytest.approx(0.9999)
    assert useful == pytest.approx(0.999)
    assert downtime_hours_per_year(useful) / downtime_hours_per_year(uptime) == pytest.approx(10)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: serviceable_share(-1, 0), "failures_per_year=-1"),
    (lambda: redundant_availability(1.1, 2), "availability=1.1"),
    (lambda: redundant_availability(0.9, 2, needed=0), "needed=0"),
    (lambda: copies_for_availability(0.9, 0.5, common_share=2), "common_share"),
    (lambda: downtime_hours_per_year(-0.1), "availability=-0.1"),
    (lambda: functional_availability(1, 2, 1), "failover_share=2"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
