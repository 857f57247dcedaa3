"""Lengths: means, spreads and quantiles as asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from costline.errors import DomainError
from costline.serving.lengths import (
    LengthDistribution,
    draw_correlated,
    draw_pairs,
    empirical,
    fixed,
    lognormal,
    lognormal_sigma,
    lognormal_sigma_of_cv,
    normal,
    whole_tokens,
)

COUNT = 200_000


def drawn(lengths: LengthDistribution, seed: int = 2) -> np.ndarray:
    return lengths.draw(COUNT, np.random.default_rng(seed))


@given(st.floats(10, 1e5), st.floats(1, 3.8))
def test_lognormal_sigma_has_its_mean_and_p95(mean: float, ratio: float):
    sigma = float(lognormal_sigma(mean, mean * ratio))
    scale = mean * math.exp(-(sigma**2) / 2)
    if sigma > 0:
        assert stats.lognorm(sigma, scale=scale).ppf(0.95) == pytest.approx(mean * ratio, rel=1e-9)
    assert 0 <= sigma <= 1.6449


def test_lognormal_sigma_at_its_limits():
    assert float(lognormal_sigma(100.0, 100.0)) == 0
    assert float(lognormal_sigma(100.0, 1e9)) == pytest.approx(1.6448536)
    grid = np.array([[1.5, 2.0], [3.0, 10.0]])
    np.testing.assert_array_equal(
        lognormal_sigma(1.0, grid), [[float(lognormal_sigma(1.0, x)) for x in row] for row in grid]
    )


def test_lognormal_sigma_of_cv_is_its_moments():
    sigma = lognormal_sigma_of_cv(np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(np.sqrt(np.expm1(sigma**2)), [0, 1, 2])
    assert float(lognormal_sigma_of_cv(2.0)) == pytest.approx(math.sqrt(math.log(5)))


def test_lognormal_lengths():
    tokens = drawn(lognormal(1000, p95=2500))
    assert float(np.mean(tokens)) == pytest.approx(1000, rel=0.01)
    assert float(np.percentile(tokens, 95)) == pytest.approx(2500, rel=0.01)
    wide = drawn(lognormal(256, cv=2.0))
    assert float(np.std(wide) / np.mean(wide)) == pytest.approx(2, rel=0.05)
    assert float(np.max(drawn(lognormal(256, cv=2.0, most_tokens=500)))) == 500


def test_normal_and_fixed_lengths():
    tokens = drawn(normal(500, sd=50))
    assert (float(np.mean(tokens)), float(np.std(tokens))) == (
        pytest.approx(500, rel=0.002),
        pytest.approx(50, rel=0.02),
    )
    assert np.unique(drawn(fixed(8192))).tolist() == [8192]
    assert float(np.min(drawn(normal(2, sd=50)))) == 1


def test_empirical_lengths_are_those_measured():
    tokens = drawn(empirical(np.array([5.0, 5.0, 70.0, 900.0])))
    values, counts = np.unique(tokens, return_counts=True)
    assert values.tolist() == [5, 70, 900]
    np.testing.assert_allclose(counts / COUNT, [0.5, 0.25, 0.25], atol=0.01)


@pytest.mark.parametrize("lengths", [
    fixed(7), normal(500, sd=50), lognormal(1000, p95=2500), empirical(np.arange(1.0, 1001)),
])  # fmt: skip
def test_quantiles_are_those_of_the_draws(lengths: LengthDistribution):
    shares = np.array([0.05, 0.5, 0.95])
    np.testing.assert_allclose(lengths.at(shares), np.quantile(drawn(lengths), shares), rtol=0.02)


def test_pairs_stay_together():
    inputs, outputs = np.arange(1.0, 50), 1000 - np.arange(1.0, 50)
    one, other = draw_pairs(inputs, outputs, 1000, np.random.default_rng(0))
    assert np.all(one + other == 1000)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_correlated_lengths_keep_their_distributions(correlation: float):
    inputs, outputs = lognormal(1000, p95=2500), normal(300, sd=40)
    one, other = draw_correlated(inputs, outputs, correlation, COUNT, np.random.default_rng(4))
    assert float(np.percentile(one, 95)) == pytest.approx(2500, rel=0.02)
    assert float(np.mean(other)) == pytest.approx(300, rel=0.01)
    # the rank correlation of a Gaussian copula
    expected = 6 / math.pi * math.asin(correlation / 2)
    assert stats.spearmanr(one, other).statistic == pytest.approx(expected, abs=0.01)


def test_tokens_are_whole():
    assert whole_tokens(np.array([-3.0, 0.2, 1.6, 9e9])).tolist() == [1, 1, 2, 100_000_000]


WRONG = (
    (lambda: fixed(0), "tokens=0 must be from 1"),
    (lambda: fixed(math.nan), "tokens=nan must be from 1"),
    (lambda: lognormal(1e9, cv=1.0), "mean=1e.09 must be from 1"),
    (lambda: lognormal(10), "give one of p95 and cv"),
    (lambda: lognormal(10, p95=20, cv=1.0), "give one of p95 and cv"),
    (lambda: lognormal(10, p95=5), "p95=5 is below mean=10; swap them"),
    (lambda: lognormal(10, cv=-1.0), "cv=-1 must be >= 0"),
    (lambda: normal(10, sd=math.inf), "sd=inf must be >= 0 and finite"),
    (lambda: empirical(np.array([])), "at least one length"),
    (lambda: empirical(np.array([1.0, math.nan])), "at least one length"),
    (lambda: draw_correlated(fixed(1), fixed(1), 2.0, 1, np.random.default_rng(0)), "correlation=2 must be"),
)


@pytest.mark.parametrize(("make", "words"), WRONG, ids=[words for _, words in WRONG])
def test_lengths_that_make_no_sense(make, words: str):
    with pytest.raises(DomainError, match=words):
        make()
