"""How many experts a step touches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.experts import expected_distinct_experts


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
