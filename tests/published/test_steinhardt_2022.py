"""Steinhardt's scaling argument: the ratios, their limits, and where latency ends it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.published import steinhardt_2022
from costline.published.steinhardt_2022 import split_matmul_bytes, split_speed_gain

CUTS = st.floats(1, 64)


def test_each_cell_follows():
    (table,) = steinhardt_2022.tables()
    assert table.surprises == ()
    assert [c.computed for c in table.cells] == [8, 2, 4, 0.5, 2, 8, 2]


@given(CUTS)
def test_equal_cuts_give_the_square_of_speed_at_the_cut_of_cost(cut: float):
    speed = float(split_speed_gain(cut, cut, cut))
    assert speed == pytest.approx(cut**2)
    assert cut**3 / speed == pytest.approx(cut)


@given(CUTS, CUTS, CUTS)
def test_cutting_unevenly_is_no_better_than_evenly(a: float, b: float, c: float):
    even = (a * b * c) ** (1 / 3)
    assert float(split_speed_gain(a, b, c)) <= float(split_speed_gain(even, even, even)) * (1 + 1e-12)


def test_one_dimension_alone_stops_gaining():
    assert float(split_speed_gain(1e9, 1, 1)) == pytest.approx(3)


def test_scalars_are_elements_of_the_grid():
    rows, cuts = np.array([[1.0], [5.0]]), np.array([1.0, 2.0, 3.0])
    grid = split_matmul_bytes(rows, 7, 11, row_splits=cuts, element_bytes=2)
    assert grid.shape == (2, 3)
    assert grid[1, 2] == split_matmul_bytes(5, 7, 11, row_splits=3, element_bytes=2)
    assert float(split_matmul_bytes(5, 7, 11)) == 2 * (35 + 77 + 55)
    assert split_speed_gain(cuts, 2, 2)[2] == split_speed_gain(3, 2, 2)


def test_no_splits_is_refused():
    with pytest.raises(DomainError, match="must be positive"):
        split_speed_gain(0, 1, 1)


def test_latency_turns_the_frontier_back():
    (figure,) = steinhardt_2022.figures()
    ideal, real = figure.series
    assert list(ideal.x) == sorted(ideal.x)
    assert max(real.x) < 240  # Erdil 2025, Table 1: at most 234 tokens/s for Llama 3 70B
    assert real.x.index(max(real.x)) == 5  # 32 of 1, 2, 4 ... GPUs, next to the optimum of 26
    assert ideal.x[0] == pytest.approx(real.x[0])
