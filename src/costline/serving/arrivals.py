"""When requests come: constant, random or bursty gaps, at one rate, in stages, over a day, or all at once.

Gaps are drawn with mean 1 and stretched by the load: request k comes when the load so far, the integral of the rate,
reaches the sum of the first k gaps. So a stage or an hour of a day changes the rate and leaves the burstiness.
Randomness comes in as `rng`. Knows no lengths and no engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import DAY_S, HOUR_S, Array, Numeric, as_array

Process = Literal["constant", "poisson", "gamma", "weibull", "at_once"]
_LEAST_CV = 1e-3
"""Gaps that vary less are constant."""
_SHAPES = (0.05, 2e4)
"""Weibull shapes from the burstiest gaps (cv 3e5) to nearly constant ones."""
_HALVINGS = 60
_SINE_STEPS = 288
MOST_PEAK_OVER_MEAN = 24
"""Peak of a day whose requests all come in one hour."""
MOST_PERIODS = 4000


def weibull_shape(cv: Numeric) -> Array:
    """Shape of the Weibull distribution with a given spread.

    Equation
        Γ(1 + 2/k) / Γ(1 + 1/k)² - 1 = c²

    Parameters
        cv  c  [1]  array  coefficient of variation, 0.0001 to 300,000

    Returns
        k  [1]  array; 1 where c = 1 (exponential), less where gaps are bursty

    Holds when  bisection between shapes of 0.05 and 20,000, whose spreads bound the parameter.
    Source      [derived] moments of the Weibull distribution
    Raises      nothing

    >>> round(float(weibull_shape(1.0)), 9), round(float(weibull_shape(2.0)), 4)
    (1.0, 0.5427)
    """
    from scipy.special import gammaln  # here: loading SciPy takes longer than most questions

    wanted = np.log1p(as_array(cv) ** 2)
    low, high = np.full(wanted.shape, np.log(_SHAPES[0])), np.full(wanted.shape, np.log(_SHAPES[1]))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inverse = np.exp(-middle)
        wider = gammaln(1 + 2 * inverse) - 2 * gammaln(1 + inverse) > wanted
        low, high = np.where(wider, middle, low), np.where(wider, high, middle)
    return as_array(np.exp((low + high) / 2))


def unit_gaps(process: Process, count: int, rng: Generator, *, cv: float = 1.0) -> Array:
    """`count` gaps of mean 1; `cv` is their coefficient of variation for gamma and Weibull gaps."""
    if process == "at_once":
        return np.zeros(count)
    if process == "constant" or (process != "poisson" and cv < _LEAST_CV):
        return np.ones(count)
    if process == "poisson":
        return rng.standard_exponential(count)
    if process == "gamma":
        return rng.standard_gamma(cv**-2, count) * cv**2
    shape = float(weibull_shape(cv))
    return rng.weibull(shape, count) / math.gamma(1 + 1 / shape)


@dataclass(frozen=True)
class Load:
    """Requests expected up to each of a row of times, straight lines between: the integral of the rate."""

    times_s: Array
    expected: Array

    @property
    def requests(self) -> float:
        """Expected in all."""
        return float(self.expected[-1])

    def when_s(self, load: Array) -> Array:
        """The first times at which so many are expected."""
        after = np.clip(np.searchsorted(self.expected, load, side="left"), 1, self.expected.size - 1)
        below, above = self.expected[after - 1], self.expected[after]
        share = np.clip((load - below) / np.where(above > below, above - below, 1.0), 0.0, 1.0)
        return self.times_s[after - 1] + share * (self.times_s[after] - self.times_s[after - 1])

    def mean_rates(self, edges_s: Array) -> Array:
        """Requests per second between each two of the times."""
        return np.diff(np.interp(edges_s, self.times_s, self.expected)) / np.diff(edges_s)

    def stage(self, arrival_s: Array) -> NDArray[np.int32]:
        """The stretch between two of the times in which each request comes; its end belongs to it."""
        inner = self.times_s[1:-1]
        return np.searchsorted(inner, arrival_s, side="left").astype(np.int32)


def staged_load(stages: Sequence[tuple[float, float]]) -> Load:
    """Rates per second, each for so many seconds, one after another."""
    rates, lengths_s = as_array(stages).reshape(-1, 2).T
    if not rates.size or not (np.all(rates >= 0) and np.all(lengths_s > 0) and np.any(rates > 0)):
        raise DomainError(f"stages={stages!r:.200} must be pairs of a rate >= 0 and seconds > 0, one rate above 0")
    return _load(np.concatenate([[0.0], np.cumsum(lengths_s)]), rates)


def hourly_load(request_rate: float, weights: Sequence[float], duration_s: float, *, start_s: float = 0.0) -> Load:
    """A mean rate whose hours have `weights` (24 of a day, 168 of a week); starts `start_s` into the first of them."""
    relative = as_array(weights)
    if relative.ndim != 1 or not relative.size or not np.all(relative >= 0) or not np.any(relative > 0):
        raise DomainError(f"weights={weights!r:.200} must be one number >= 0 an hour, one above 0")
    first, last = int(start_s // HOUR_S), int(np.ceil((start_s + duration_s) / HOUR_S))
    edges = as_array(np.clip(np.arange(first, last + 1) * HOUR_S - start_s, 0.0, duration_s))
    rates = request_rate * relative / np.mean(relative)
    return _load(edges, rates[np.arange(first, last) % rates.size])


def diurnal_load(
    request_rate: float, peak_over_mean: float, duration_s: float, *, peak_s: float = 14 * HOUR_S, start_s: float = 0.0,
    period_s: float = DAY_S,
) -> Load:  # fmt: skip
    """A rate that swings once a day (or period) about its mean, highest `peak_s` after midnight; from `start_s` on.

    Up to twice the mean it is a sine. A higher peak is a sine that touches 0, to the power that gives it that peak and
    the same mean: the rest of the day grows longer and the peak narrower.
    """
    if not 1 <= peak_over_mean <= MOST_PEAK_OVER_MEAN:
        raise DomainError(f"peak_over_mean={peak_over_mean:g} must be in [1, {MOST_PEAK_OVER_MEAN}]; correct it")
    if not (period_s > 0 and 0 < duration_s <= MOST_PERIODS * period_s):
        raise DomainError(
            f"duration_s={duration_s:g} must be above 0 and at most {MOST_PERIODS:,} times period_s={period_s:g}"
        )
    steps = max(int(np.ceil(duration_s / period_s * _SINE_STEPS)), 1)
    times_s = np.linspace(0.0, duration_s, steps + 1)
    turn = 2 * np.pi / period_s
    phase = turn * (start_s - peak_s)
    if peak_over_mean > 2:
        rates = request_rate * peak_over_mean * ((1 + np.cos(turn * times_s + phase)) / 2) ** _power(peak_over_mean)
        return _load(times_s, as_array(rates[1:] + rates[:-1]) / 2)
    swing = (peak_over_mean - 1) / turn * (np.sin(turn * times_s + phase) - np.sin(phase))
    return Load(times_s, np.maximum.accumulate(request_rate * (times_s + swing)))


def _power(peak_over_mean: float) -> float:
    """The power of a sine between 0 and 1 whose mean is one over the peak: 1 where that is 2."""
    low, high = 1.0, peak_over_mean**2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        flatter = math.lgamma(middle + 1) - math.lgamma(middle + 0.5) + math.log(math.pi) / 2 < math.log(peak_over_mean)
        low, high = (middle, high) if flatter else (low, middle)
    return (low + high) / 2


def _load(times_s: Array, rates: Array) -> Load:
    return Load(times_s, np.concatenate([[0.0], np.cumsum(rates * np.diff(times_s))]))


def arrival_times_s(process: Process, request_rate: float, count: int, rng: Generator, *, cv: float = 1.0) -> Array:
    """When each of `count` requests comes at a steady rate; the first after one gap, all at 0 if at once."""
    if process == "at_once":
        return np.zeros(count)
    if not request_rate > 0:
        raise DomainError(f"request_rate={request_rate:g} must be above 0; use at_once for requests without a rate")
    return np.cumsum(unit_gaps(process, count, rng, cv=cv)) / request_rate


def arrivals_under_s(load: Load, process: Process, rng: Generator, *, cv: float = 1.0) -> Array:
    """When requests come under a load that changes; as many as come before its end."""
    if process == "at_once":
        return np.zeros(round(load.requests))
    reached = np.zeros(0)
    last = 0.0
    end = load.requests * (1 + 1e-12)
    while last <= end:
        missing = max(load.requests - last, 1.0)
        more = int(missing + 4 * np.sqrt(missing) * max(cv, 1.0)) + 16
        reached = np.concatenate([reached, last + np.cumsum(unit_gaps(process, more, rng, cv=cv))])
        last = float(reached[-1])
    return load.when_s(reached[reached <= end])
