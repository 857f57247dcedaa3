"""Fits find what made the data, outliers or not; votes weigh groups, not rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.measure.fit import band, by_label, errors_of, held_out, robust_fit
from costline.measure.votes import (
    group_medians,
    vote_weights,
    weighted_quantile,
)
from costline.quantities import as_array

GROUPS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=40)
RATIOS = st.floats(0.01, 100.0)


def test_a_fit_survives_outliers():
    truth = as_array([3.0] * 30)
    truth[:5] *= 10
    found = robust_fit(lambda p: np.log(p[0] / truth), [1.0], [0.1], [100.0])
    assert found[0] == pytest.approx(3.0, rel=0.05)


def test_a_fit_stays_within_its_bounds():
    assert robust_fit(lambda p: np.log(p / as_array([50.0])), [1.0], [0.1], [2.0])[0] == pytest.approx(2.0)


def test_a_third_of_the_shapes_is_held_out_and_always_the_same():
    shapes = [f"{m} {n} 4096" for m in range(1, 60) for n in range(1, 60)]
    out = held_out(shapes)
    assert 0.28 < out.mean() < 0.39
    assert held_out([*shapes, *shapes]).tolist() == [*out, *out]


def test_errors_leave_out_what_is_missing():
    found = errors_of(as_array([1.2, np.nan, 0.9]), as_array([1.0, 1.0, np.nan]))
    assert (found.rows, found.median, found.bias) == (1, pytest.approx(0.2), pytest.approx(0.2))
    assert np.isnan(errors_of(as_array([np.nan]), as_array([1.0])).median)


def test_errors_by_label_and_band():
    labels = band(as_array([1, 20, 500]), [16, 128], " rows")
    parts = by_label(labels, as_array([1.1, 1.0, 0.5]), as_array([1.0, 1.0, 1.0]))
    assert {name: round(one.median, 3) for name, one in parts.items()} == {
        "1. up to 16 rows": 0.1,
        "2. up to 128 rows": 0.0,
        "3. above 128 rows": 0.5,
    }


@given(GROUPS)
def test_every_group_weighs_one(groups: list[str]):
    weights = vote_weights(groups)
    assert sum(weights) == pytest.approx(len(set(groups)))
    for name in set(groups):
        assert sum(weights[np.array(groups) == name]) == pytest.approx(1.0)


@given(st.lists(RATIOS, min_size=1, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_within_the_values(values: list[float], one: float, other: float):
    array, weights = as_array(values), np.ones(len(values))
    low, high = (weighted_quantile(array, weights, share) for share in sorted((one, other)))
    assert min(values) <= low <= high <= max(values)


def test_group_medians():
    assert group_medians(as_array([1.0] * 3 + [2.0, 4.0]), ["many"] * 3 + ["two"] * 2) == {"many": 1.0, "two": 3.0}
