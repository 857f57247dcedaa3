"""Fronts and masks, against the definition written as a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.deployment.search import first_failure, pareto_mask

VALUE = st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf, np.nan, -1.0])


def by_definition(table: np.ndarray) -> list[bool]:
    """A row stays if it is finite, and no other is as good throughout and better somewhere, or equal and earlier."""
    kept = []
    for i, row in enumerate(table):
        beaten = any(
            np.isfinite(other).all() and (other <= row).all() and ((other < row).any() or j < i)
            for j, other in enumerate(table)
            if j != i
        )
        kept.append(bool(np.isfinite(row).all() and not beaten))
    return kept


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUE] * width), max_size=12)))
def test_the_front_is_what_the_definition_says(rows: list[tuple[float, ...]]):
    if not rows:
        rows = [(np.nan,)]
    table = np.array(rows, dtype=float)
    assert pareto_mask(list(table.T)).tolist() == by_definition(table)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_every_row_off_the_front_is_beaten_by_one_on_it(seed: int, width: int):
    table = np.random.default_rng(seed).random((60, width))
    kept = pareto_mask(list(table.T))
    front = table[kept]
    assert kept.any()
    assert all((front <= row).all(axis=1).any() for row in table)


def test_fronts_at_the_limits():
    assert pareto_mask([[], []]).tolist() == []
    assert pareto_mask([[1.0]]).tolist() == [True]
    assert pareto_mask([[np.inf, np.nan], [1.0, 1.0]]).tolist() == [False, False]
    assert pareto_mask([[1.0, 1.0], [2.0, 2.0]]).tolist() == [True, False]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_the_first_mask_that_fails_is_named(rows: list[tuple[bool, bool, bool]]):
    names = ("memory", "ttft", "tpot")
    masks = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    passed, why = first_failure(masks)
    for row, ok, reason in zip(rows, passed, why, strict=True):
        assert ok == all(row)
        assert reason == next((name for name, good in zip(names, row, strict=True) if not good), "")


def test_masks_broadcast():
    passed, why = first_failure({"layout": np.array([[True], [False]]), "batch": np.array([True, False])})
    assert passed.tolist() == [[True, False], [False, False]]
    assert why.tolist() == [["", "batch"], ["layout", "layout"]]


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_no_rows_no_failures(shape: tuple[int, ...]):
    passed, why = first_failure({"memory": np.ones(shape, dtype=bool)})
    assert passed.shape == why.shape == shape
