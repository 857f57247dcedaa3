"""Speculative decoding: against drafts verified token by token, known speed-ups, and the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.serving.speculation import (
    acceptance_rate,
    best_draft_tokens,
    break_even_acceptance,
    expected_tokens_per_verification,
    speculative_speedup,
)

CHANCE, LENGTH, COST = st.floats(0, 1), st.integers(0, 32), st.floats(0, 1)


@given(CHANCE, LENGTH)
def test_tokens_of_a_verification_are_the_sum_over_prefixes(acceptance: float, draft: int):
    by_sum = sum(acceptance**i for i in range(draft + 1))
    assert float(expected_tokens_per_verification(acceptance, draft)) == pytest.approx(by_sum, rel=1e-12)


def test_tokens_of_a_verification_by_drafting():
    rng = np.random.default_rng(2)
    kept = rng.random((50_000, 5)) < 0.8
    accepted = np.cumprod(kept, axis=1).sum(axis=1)
    assert 1 + accepted.mean() == pytest.approx(float(expected_tokens_per_verification(0.8, 5)), rel=5e-3)


def test_no_digits_are_lost_near_certain_acceptance():
    for missing in (1e-9, 1e-15, 2.3e-16):
        assert float(expected_tokens_per_verification(1 - missing, 5)) == pytest.approx(6, rel=1e-8)


@pytest.mark.parametrize(("acceptance", "draft", "cost", "speedup"), [
    # (1 - a^(k + 1)) / ((1 - a) (1 + k c)) by hand
    (0.7, 4, 0.1, 1.9808), (0.8, 4, 0.1, 2.4011), (0.9, 10, 0.1, 3.4309), (0.5, 1, 0.0, 1.5), (1.0, 4, 0.0, 5.0),
    (1.0, 4, 0.25, 2.5), (0.0, 4, 0.1, 1 / 1.4), (0.9, 0, 0.5, 1.0),
])  # fmt: skip
def test_known_speedups(acceptance: float, draft: int, cost: float, speedup: float):
    assert float(speculative_speedup(acceptance, draft, cost)) == pytest.approx(speedup, rel=1e-4)


@given(CHANCE, COST)
def test_no_other_length_is_faster(acceptance: float, cost: float):
    best = float(best_draft_tokens(acceptance, cost))
    fastest = float(speculative_speedup(acceptance, best, cost))
    assert fastest >= 1 - 1e-12
    assert all(float(speculative_speedup(acceptance, k, cost)) <= fastest for k in range(65))


def test_best_lengths_at_the_limits():
    assert best_draft_tokens(0.0, 0.1) == 0
    assert best_draft_tokens(1.0, 0.1) == 64
    assert best_draft_tokens(1.0, 0.1, most=8) == 8
    assert best_draft_tokens(0.5, 0.5) == 0
    # A free draft is worth any length, until acceptance rounds to nothing.
    assert best_draft_tokens(0.9, 0.0) == 64


@given(st.integers(1, 32), COST)
def test_at_break_even_drafting_changes_nothing(draft: int, cost: float):
    acceptance = float(break_even_acceptance(draft, cost))
    assert 0 <= acceptance <= 1
    assert sum(acceptance**i for i in range(1, draft + 1)) == pytest.approx(draft * cost, rel=1e-6, abs=1e-12)
    assert float(speculative_speedup(min(acceptance + 0.01, 1.0), draft, cost)) >= 1 - 1e-9


def test_break_even_at_the_limits():
    # One token: exactly the relative cost of drafting it [leviathan-2023].
    assert float(break_even_acceptance(1, 0.3)) == pytest.approx(0.3)
    assert float(break_even_acceptance(4, 0.0)) == pytest.approx(0.0, abs=1e-12)
    assert break_even_acceptance(4, 1.0) == 1
    assert np.isnan(break_even_acceptance(4, 1.1))


def test_acceptance_is_the_overlap_of_the_distributions():
    rng = np.random.default_rng(4)
    target, draft = rng.dirichlet(np.ones(50)), rng.dirichlet(np.ones(50))
    proposed = rng.choice(50, size=100_000, p=draft)
    overlap = np.minimum(target, draft).sum()
    assert float(acceptance_rate(target[proposed], draft[proposed])) == pytest.approx(overlap, rel=0.01)
    assert float(acceptance_rate(draft[proposed], draft[proposed])) == 1
    assert float(acceptance_rate(np.zeros(3), np.ones(3))) == 0


@given(CHANCE, CHANCE, LENGTH, COST, COST)
def test_better_and_cheaper_drafts_are_never_slower(one: float, two: float, draft: int, cheap: float, dear: float):
    low, high = sorted((one, two))
    cheap, dear = sorted((cheap, dear))
    better = float(speculative_speedup(high, draft, cheap))
    assert better >= float(speculative_speedup(low, draft, dear)) * (1 - 1e-12)
    assert better <= draft + 1
