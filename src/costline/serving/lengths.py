"""How long prompts and answers are: one length, normal, log-normal, or drawn from lengths that were measured.

Lengths are whole tokens, at least 1, as float64. Randomness comes in as `rng`. Knows no arrivals and no engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

MOST_TOKENS = 100_000_000
"""Longest prompt or answer that is taken for one."""
Z95 = 1.6448536269514722


def lognormal_sigma(mean: Numeric, p95: Numeric) -> Array:
    """Spread of the log-normal lengths with a given mean and 95th percentile.

    Equation
        ln(p95 / m) = z s - s² / 2,  z = 1.645  ->  s = z - sqrt(z² - 2 ln(p95 / m))

    Parameters
        mean  m    [token]  array  > 0
        p95   p95  [token]  array  >= mean

    Returns
        s  [1]  array; 0 where p95 = m, z where p95 / m is beyond exp(z² / 2) = 3.87, the widest a log-normal can be

    Holds when  of the two solutions the narrower is meant.
    Source      [derived] quantile of the log-normal distribution
    Raises      nothing

    >>> round(float(lognormal_sigma(1000, 2500)), 4), float(lognormal_sigma(8.0, 8.0))
    (0.7105, 0.0)
    """
    ratio = np.log(as_array(p95) / mean)
    return as_array(Z95 - np.sqrt(np.maximum(Z95**2 - 2 * np.maximum(ratio, 0.0), 0.0)))


def lognormal_sigma_of_cv(cv: Numeric) -> Array:
    """Spread of the log-normal lengths with a given coefficient of variation.

    Equation
        s = sqrt(ln(1 + c²))

    Parameters
        cv  c  [1]  array  >= 0, standard deviation over mean

    Returns
        s  [1]  array

    Holds when  lengths are log-normal and not capped.
    Source      [derived] moments of the log-normal distribution
    Raises      nothing

    >>> round(float(lognormal_sigma_of_cv(2.0)), 4)
    1.2686
    """
    return np.sqrt(np.log1p(as_array(cv) ** 2))


@dataclass(frozen=True)
class LengthDistribution:
    """Lengths in tokens; `samples` where they were measured, and `spread` in tokens (normal) or of the logarithm."""

    kind: Literal["fixed", "normal", "lognormal", "empirical"]
    mean: float
    spread: float = 0.0
    samples: Array | None = None
    most_tokens: float = MOST_TOKENS

    def draw(self, count: int, rng: Generator) -> Array:
        """`count` lengths."""
        if self.kind == "empirical" and self.samples is not None:
            tokens = rng.choice(self.samples, count)
        elif self.kind == "normal":
            tokens = rng.normal(self.mean, self.spread, count)
        elif self.kind == "lognormal":
            tokens = np.exp(self._location + self.spread * rng.standard_normal(count))
        else:
            tokens = np.full(count, self.mean)
        return whole_tokens(tokens, self.most_tokens)

    def at(self, shares: Array) -> Array:
        """The quantiles at `shares` in (0, 1)."""
        if self.kind == "empirical" and self.samples is not None:
            tokens = np.quantile(self.samples, shares, method="inverted_cdf")  # only lengths that were measured
        elif self.kind == "normal":
            tokens = self.mean + self.spread * _normal_quantile(shares)
        elif self.kind == "lognormal":
            tokens = np.exp(self._location + self.spread * _normal_quantile(shares))
        else:
            tokens = np.full(np.shape(shares), self.mean)
        return whole_tokens(as_array(tokens), self.most_tokens)

    @property
    def _location(self) -> float:
        return float(np.log(self.mean)) - self.spread**2 / 2


def fixed(tokens: float) -> LengthDistribution:
    """All alike."""
    return LengthDistribution("fixed", _length("tokens", tokens))


def normal(mean: float, *, sd: float, most_tokens: float = MOST_TOKENS) -> LengthDistribution:
    """Normal, cut at 1 token and at the most: a spread above half the mean lifts the mean."""
    if not 0 <= sd < np.inf:
        raise DomainError(f"sd={sd:g} must be >= 0 and finite")
    return LengthDistribution("normal", _length("mean", mean), sd, most_tokens=most_tokens)


def lognormal(
    mean: float, *, p95: float | None = None, cv: float | None = None, most_tokens: float = MOST_TOKENS
) -> LengthDistribution:
    """Log-normal with a mean and either a 95th percentile or a coefficient of variation."""
    if (p95 is None) == (cv is None):
        raise DomainError("give one of p95 and cv: the spread of log-normal lengths")
    if p95 is not None and not mean <= p95:
        raise DomainError(f"p95={p95:g} is below mean={mean:g}; swap them")
    if cv is not None and not 0 <= cv < np.inf:
        raise DomainError(f"cv={cv:g} must be >= 0 and finite")
    sigma = lognormal_sigma(mean, p95) if p95 is not None else lognormal_sigma_of_cv(cv or 0.0)
    return LengthDistribution("lognormal", _length("mean", mean), float(sigma), most_tokens=most_tokens)


def empirical(samples: Array) -> LengthDistribution:
    """Drawn from lengths that were measured, each as likely as the others."""
    tokens = as_array(samples)
    if not tokens.size or not np.all((tokens >= 0) & (tokens <= MOST_TOKENS)):
        raise DomainError(f"samples must be at least one length, each from 0 to {MOST_TOKENS:,} tokens")
    return LengthDistribution("empirical", float(np.mean(tokens)), float(np.std(tokens)), tokens)


def draw_pairs(input_tokens: Array, output_tokens: Array, count: int, rng: Generator) -> tuple[Array, Array]:
    """Prompts and answers drawn together from requests that were measured, so that they stay as correlated."""
    chosen = rng.integers(0, input_tokens.size, count)
    return whole_tokens(input_tokens[chosen]), whole_tokens(output_tokens[chosen])


def draw_correlated(
    inputs: LengthDistribution, outputs: LengthDistribution, correlation: float, count: int, rng: Generator
) -> tuple[Array, Array]:
    """Prompts and answers of two distributions whose normal scores have a correlation (a Gaussian copula)."""
    if not -1 <= correlation <= 1:
        raise DomainError(f"correlation={correlation:g} must be in [-1, 1]")
    one = rng.standard_normal(count)
    other = correlation * one + np.sqrt(1 - correlation**2) * rng.standard_normal(count)
    return inputs.at(_share(one)), outputs.at(_share(other))


@dataclass(frozen=True)
class Pairing:
    """How the lengths of a prompt and its answer belong together."""

    correlation: float = 0.0
    """Of their normal scores."""
    joint: bool = False
    """Measured lengths are drawn as the pairs that stand at one place of both lists."""


UNPAIRED = Pairing()


def draw_together(
    inputs: LengthDistribution, outputs: LengthDistribution, count: int, rng: Generator, *, pairing: Pairing
) -> tuple[Array, Array]:
    """Prompts and answers that belong together."""
    if not pairing.joint:
        return draw_correlated(inputs, outputs, pairing.correlation, count, rng)
    if inputs.samples is None or outputs.samples is None or inputs.samples.size != outputs.samples.size:
        raise DomainError("lengths in pairs need as many measured prompts as answers; give two lists of one length")
    return draw_pairs(inputs.samples, outputs.samples, count, rng)


def whole_tokens(tokens: Array, most_tokens: float = MOST_TOKENS) -> Array:
    """Rounded to whole tokens, from 1 to the most."""
    return np.clip(np.rint(tokens), 1.0, most_tokens)


def _normal_quantile(shares: Array) -> Array:
    from scipy.special import ndtri

    return as_array(ndtri(shares))


def _share(scores: Array) -> Array:
    from scipy.special import ndtr  # here: loading SciPy takes longer than most questions

    return as_array(np.clip(ndtr(scores), 1e-15, 1 - 1e-15))


def _length(name: str, tokens: float) -> float:
    if not 1 <= tokens <= MOST_TOKENS:
        raise DomainError(f"{name}={tokens:g} must be from 1 to {MOST_TOKENS:,} tokens")
    return float(tokens)
