"""Failures, spares and lost work: against the Poisson distribution, a simulation, and a search of all intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from costline.errors import DomainError
from costline.money.failures import (
    checkpoint_interval_s,
    failures_per_year,
    interruption_loss,
    spare_count,
    time_between_failures_s,
)

DAY = 86_400


def test_rate_and_time_between_failures_are_each_others_inverse():
    rate = failures_per_year(419, 16_384, 54 * DAY)  # all unexpected interruptions of a run of 54 days
    assert float(time_between_failures_s(rate, 16_384)) == pytest.approx(54 * DAY / 419)
    assert float(time_between_failures_s(0.0, 100)) == np.inf


@given(st.integers(0, 20_000), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.9999))
def test_spares_are_a_quantile_of_poisson(accelerators: int, rate: float, years: float, level: float):
    mean = accelerators * rate * years
    expected = poisson.ppf(level, mean) if mean > 0 else 0
    assert float(spare_count(accelerators, rate, years, level)) == expected


@given(st.floats(10, 1e4), st.floats(0, 100), st.floats(0, 1000), st.floats(1e3, 1e8))
def test_loss_is_checkpoints_alone_where_nothing_interrupts(work: float, write: float, restart: float, mean: float):
    times = {"checkpoint_s": write, "recovery_s": restart}
    never = float(interruption_loss(work, **times, time_between_interruptions_s=np.inf))
    assert never == pytest.approx(write / work)
    often = float(interruption_loss(work, **times, time_between_interruptions_s=mean))
    assert often >= never - 1e-12
    assert float(interruption_loss(work, **times, time_between_interruptions_s=2 * mean)) <= often + 1e-12


def test_loss_is_what_a_simulation_loses():
    work, write, restart, mean = 600.0, 30.0, 120.0, 1800.0
    rng = np.random.default_rng(7)
    segments, taken = 20_000, 0.0
    for _ in range(segments):
        need = work + write
        while (strike := rng.exponential(mean)) < need:
            taken += strike
            need = restart + work + write
        taken += need
    simulated = taken / (segments * work) - 1
    found = interruption_loss(work, checkpoint_s=write, recovery_s=restart, time_between_interruptions_s=mean)
    assert float(found) == pytest.approx(simulated, rel=0.03)


def test_first_order_loss_for_rare_interruptions():
    # δ/τ + (τ/2 + δ/2 + R) / M to first order in 1/M
    work, write, restart, mean = 3600.0, 20.0, 300.0, 1e7
    found = interruption_loss(work, checkpoint_s=write, recovery_s=restart, time_between_interruptions_s=mean)
    rework = (work + write) / mean * ((work + write) / 2 + restart) / work
    assert float(found) == pytest.approx(write / work + rework, rel=1e-4)


def test_work_that_never_gets_done_loses_without_end():
    lost = interruption_loss(1e6, checkpoint_s=0, recovery_s=0, time_between_interruptions_s=1.0)
    assert float(lost) == np.inf


@given(st.floats(1, 600), st.floats(2e3, 1e7))
def test_the_interval_loses_least(write: float, mean: float):
    best = float(checkpoint_interval_s(write, mean))
    times = {"checkpoint_s": write, "recovery_s": 300.0, "time_between_interruptions_s": mean}
    others = interruption_loss(np.geomspace(best / 30, best * 30, 400), **times)
    assert float(interruption_loss(best, **times)) <= float(others.min()) * 1.01 + 1e-9


def test_the_interval_at_its_limits():
    assert float(checkpoint_interval_s(60, 1e9)) == pytest.approx((2 * 60 * 1e9) ** 0.5, rel=1e-3)  # Young
    assert checkpoint_interval_s(np.array([0.0, 300.0, 60.0]), np.array([100.0, 100.0, np.inf])).tolist() == [
        0, 100, np.inf,
    ]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), [
    (lambda: failures_per_year(1, 0, 1), "accelerators=0"),
    (lambda: time_between_failures_s(-1), "failures_per_year=-1"),
    (lambda: spare_count(1, 1, 1, 1.0), "assurance=1.0"),
    (lambda: checkpoint_interval_s(-1, 1), "checkpoint_s=-1.0"),
    (lambda: interruption_loss(0, checkpoint_s=0, recovery_s=0, time_between_interruptions_s=1), "interval_s=0"),
    (lambda: interruption_loss(1, checkpoint_s=0, recovery_s=0, time_between_interruptions_s=0), "inf where"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
