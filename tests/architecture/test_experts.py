"""How many experts a step touches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from costline.architecture.experts import expected_distinct_experts, touched_experts


@pytest.mark.parametrize(("sparsity", "batch", "share"), [(4, 4, 0.684), (32, 32, 0.638)])
def test_cap_2_5_share_of_experts_read_by_a_batch(sparsity: int, batch: int, share: float):
    # Erdil 2025, eq. 22: 1 - (1 - 1/s)^B
    assert float(expected_distinct_experts(sparsity, 1, batch)) / sparsity == pytest.approx(share, abs=5e-4)


def test_cap_2_5_limits():
    assert float(expected_distinct_experts(256, 8, 1)) == pytest.approx(8)
    assert float(expected_distinct_experts(256, 8, 0)) == 0
    assert float(expected_distinct_experts(256, 8, 1e9)) == 256
    assert float(expected_distinct_experts(8, 8, 1)) == 8


def test_a_grid_equals_its_scalars():
    tokens = np.array([0, 1, 7, 64, 4096])
    experts = np.array([[8], [256]])
    grid = expected_distinct_experts(experts, 2, tokens)
    assert grid.shape == (2, 5)
    for (i, j), value in np.ndenumerate(grid):
        assert value == expected_distinct_experts(experts[i, 0], 2, tokens[j])


def test_it_is_what_throwing_dice_gives():
    rng = np.random.default_rng(1)
    experts, top_k, tokens = 16, 2, 5
    draws = [len({e for _ in range(tokens) for e in rng.choice(experts, top_k, replace=False)}) for _ in range(4000)]
    assert np.mean(draws) == pytest.approx(float(expected_distinct_experts(experts, top_k, tokens)), rel=0.01)


@given(experts=st.integers(1, 1024), tokens=st.integers(1, 10_000), data=st.data())
def test_it_lies_between_one_tokens_and_all(experts: int, tokens: int, data: st.DataObject):
    top_k = data.draw(st.integers(1, experts))
    value = float(expected_distinct_experts(experts, top_k, tokens))
    assert top_k * (1 - 1e-9) <= value <= min(experts, top_k * tokens) * (1 + 1e-9)


@pytest.mark.parametrize(("experts", "top_k"), [(8, 2), (16, 1), (128, 4), (256, 8), (512, 10)])
@pytest.mark.parametrize("shape", [0.8, 1.0, 3.0, 30.0])
def test_popular_experts_are_touched_as_beta_distributed_shares_say(experts: int, top_k: int, shape: float):
    """The exact ratio of beta functions, of which the closed form is the second order."""
    tokens, rest = np.array([1.0, 4, 32, 256, 4096]), shape * (experts / top_k - 1)
    exact = experts * (1 - np.exp(betaln(shape, rest + tokens) - betaln(shape, rest)))
    found = touched_experts(experts, top_k, tokens, shape)
    np.testing.assert_allclose(found, exact, rtol=0.01)
    assert np.all(found <= expected_distinct_experts(experts, top_k, tokens) * 1.01)
    assert np.all(np.diff(found) >= 0)


def test_a_drawn_popularity_touches_as_many():
    generator, experts, top_k, tokens = np.random.default_rng(0), 128, 4, 48
    share = generator.beta(1.0, experts / top_k - 1, (20_000, 1))
    drawn = experts * float(np.mean(1 - (1 - share) ** tokens))
    assert drawn == pytest.approx(float(touched_experts(experts, top_k, tokens, 1.0)), rel=0.01)


def test_experts_alike_are_touched_as_uniform_choice_says():
    tokens = np.array([0.0, 1, 7, 300])
    uniform = expected_distinct_experts(64, 6, tokens)
    np.testing.assert_array_equal(touched_experts(64, 6, tokens), uniform)
    np.testing.assert_allclose(touched_experts(64, 6, tokens, 1e5), uniform, rtol=1e-3)
    assert float(touched_experts(8, 8, 1, 1.0)) == pytest.approx(8)
