"""The cost of a right answer, and which differences of scores mean something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.money.quality import (
    adjusted_delta,
    delta_is_actionable,
    failure_usd_break_even,
    score_error,
    success_within,
    tries_within,
    usd_per_correct,
)

CHANCE, USD = st.floats(0.01, 1), st.floats(0, 1000)


@given(USD, CHANCE, USD, st.floats(0, 1))
def test_a_right_answer_costs_more_than_a_try_and_less_with_more_success(
    usd: float, success: float, failure: float, part: float
):
    cost = float(usd_per_correct(usd, success, failure))
    better = success + part * (1 - success)
    assert cost >= usd * (1 - 1e-12)
    assert float(usd_per_correct(usd, better, failure)) <= cost * (1 + 1e-12) + 1e-12
    assert float(usd_per_correct(usd, 1.0, failure)) == usd


def test_a_right_answer_by_simulation():
    rng = np.random.default_rng(2)
    tries = rng.geometric(0.79, 200_000)
    mean = np.mean(tries * 0.28 + (tries - 1) * 2.0)
    assert float(usd_per_correct(0.28, 0.79, 2.0)) == pytest.approx(mean, rel=0.01)
    capped = np.minimum(tries, 3)
    assert float(tries_within(0.79, 3)) == pytest.approx(np.mean(capped), rel=0.01)
    assert float(success_within(0.79, 3)) == pytest.approx(np.mean(tries <= 3), abs=0.002)


def test_no_success_costs_everything():
    assert usd_per_correct(0.28, 0.0) == np.inf
    assert success_within(0.0, 9) == 0
    assert tries_within(1.0, 9) == 1


@given(USD, CHANCE, USD, CHANCE)
def test_both_models_cost_the_same_at_the_break_even_failure(a: float, p: float, b: float, q: float):
    loss = float(failure_usd_break_even(a, p, b, q))
    if np.isfinite(loss) and loss >= 0:
        first, second = usd_per_correct(a, p, loss), usd_per_correct(b, q, loss)
        assert float(first) == pytest.approx(float(second), rel=1e-6, abs=1e-6)
    elif loss > 0:
        assert q <= p


def test_scores():
    assert float(score_error(0.5, 100)) == pytest.approx(0.05)
    assert score_error(0.5, np.inf) == score_error(1.0, 10) == 0
    assert adjusted_delta(0.1, 0.0) == pytest.approx(0.1)
    assert adjusted_delta(-0.1) == pytest.approx(-0.085)


@pytest.mark.parametrize(("score", "other", "items", "actionable"), [
    (0.90, 0.80, np.inf, True),
    (0.82, 0.80, np.inf, False),  # below 3 %
    (0.834, 0.80, np.inf, False),  # 3.4 % is 2.9 % after the haircut
    (0.836, 0.80, np.inf, True),
    (0.99, 0.95, np.inf, False),  # both saturated
    (0.99, 0.90, np.inf, True),  # one is not
    (0.85, 0.75, 164, False),  # as many questions as HumanEval has: two standard errors are 8.8 %
    (0.90, 0.75, 164, True),
    (0.85, 0.75, 1319, True),
])  # fmt: skip
def test_which_differences_count(score: float, other: float, items: float, actionable: bool):
    assert bool(delta_is_actionable(score, other, items)) is actionable
    assert bool(delta_is_actionable(other, score, items)) is actionable


@pytest.mark.parametrize(("call", "message"), [
    (lambda: usd_per_correct(1.0, 1.1), r"success=1.1 must lie in \[0, 1\]"),
    (lambda: usd_per_correct(-1.0, 0.5), "usd=-1.0 and failure_usd=0.0 must not be negative"),
    (lambda: failure_usd_break_even(1.0, 0.0, 1.0, 1.0), "success=0.0 and other_success=1.0 must be positive"),
    (lambda: success_within(2.0, 1), "success=2.0 must lie in"),
    (lambda: tries_within(-1.0, 1), "success=-1.0 must lie in"),
    (lambda: score_error(0.5, 0), "items=0 must be positive"),
    (lambda: adjusted_delta(0.1, 2.0), "haircut=2.0 must lie in"),
    (lambda: delta_is_actionable(1.2, 0.5), "score=1.2 must lie in"),
])  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(DomainError, match=message):
        call()
