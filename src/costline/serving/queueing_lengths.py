"""Requests served as long as their answers are: waits from the moments of answer lengths, and what caps do.

Log-normal lengths by mean and sigma, the standard deviation of their logarithm (`lengths.lognormal_sigma`). An answer
is cut at the cap. One server, or as many as a batch has places; an engine whose steps grow with the batch is in
`queueing_batches` and in the simulator.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from costline.quantities import Array, Numeric, as_array
from costline.serving.queueing_pools import erlang_wait_s

_HALVINGS = 60
LONGEST_CAP_TOKENS = 1e8
LEAST_SIGMA = 1e-9
"""Lengths that vary less are all alike."""


def pollaczek_khinchine_wait_s(requests_per_s: Numeric, service_s: Numeric, service_s2: Numeric) -> Array:
    """Mean wait in M/G/1 from the first two moments of service times.

    Equation
        W = lambda s_2 / (2 (1 - lambda s_1))

    Parameters
        requests_per_s  lambda  [request/s]  array  >= 0
        service_s       s_1     [s]          array  mean service time
        service_s2      s_2     [s^2]        array  mean of its square

    Returns
        W  [s]  array; inf where lambda s_1 >= 1

    Holds when  arrivals are Poisson, served one at a time in any order that does not look at length.
    Source      [pollaczek-1930]
    Raises      nothing

    >>> float(pollaczek_khinchine_wait_s(0.25, 2.0, 4.0)), float(pollaczek_khinchine_wait_s(0.25, 2.0, 8.0))
    (1.0, 2.0)
    """
    rate = as_array(requests_per_s)
    idle = 1 - rate * service_s
    return np.where(idle > 0, rate * service_s2 / (2 * np.where(idle > 0, idle, 1.0)), np.inf)


def capped_lognormal_moment(mean: Numeric, sigma: Numeric, cap: Numeric, order: Numeric = 1) -> Array:
    """Mean power of log-normal lengths that are cut at a cap.

    Equation
        M = e^(k mu + k² sigma² / 2) Phi(z - k sigma) + n^k Phi(-z),  the mean of min(L, n)^k
        z = (ln n - mu) / sigma,  mu = ln m - sigma² / 2

    Parameters
        mean   m      [token]  array  > 0, without the cap
        sigma  sigma  [1]      array  >= 0, standard deviation of the logarithm
        cap    n      [token]  array  > 0, inf for none
        order  k      [1]      array  power

    Returns
        M  [1]  array, tokens to the power k

    Holds when  lengths are log-normal; for sigma = 0 all are min(m, n).
    Source      [derived] partial moments of the log-normal distribution
    Raises      nothing

    >>> round(float(capped_lognormal_moment(256.0, 1.0, np.inf)), 6), float(capped_lognormal_moment(256.0, 0.0, 100.0))
    (256.0, 100.0)
    """
    m, spread, n, k = np.broadcast_arrays(as_array(mean), as_array(sigma), as_array(cap), as_array(order))
    some = np.where(spread > LEAST_SIGMA, spread, 1.0)
    mu = np.log(m) - some**2 / 2
    finite = np.isfinite(n)
    z = (np.log(np.where(finite, n, 1.0)) - mu) / some
    whole = np.exp(k * mu + (k * some) ** 2 / 2)
    cut = whole * ndtr(z - k * some) + np.where(finite, n, 1.0) ** k * ndtr(-z)
    return np.where(spread > LEAST_SIGMA, np.where(finite, cut, whole), np.minimum(m, n) ** k)


def clipped_share(mean: Numeric, sigma: Numeric, cap: Numeric) -> Array:
    """Share of log-normal answers that a cap cuts.

    Equation
        P(L > n) = Phi((mu - ln n) / sigma),  mu = ln m - sigma² / 2

    Parameters
        mean   m      [token]  array  > 0, without the cap
        sigma  sigma  [1]      array  >= 0, standard deviation of the logarithm
        cap    n      [token]  array  > 0

    Returns
        P  [1]  array; 0 or 1 where sigma = 0

    Holds when  lengths are log-normal.
    Source      [derived] tail of the log-normal distribution
    Raises      nothing

    >>> round(float(clipped_share(256.0, 1.0, 256.0)), 4), float(clipped_share(256.0, 0.0, 300.0))
    (0.3085, 0.0)
    """
    m, spread, n = np.broadcast_arrays(as_array(mean), as_array(sigma), as_array(cap))
    some = np.where(spread > LEAST_SIGMA, spread, 1.0)
    share = ndtr((np.log(m) - some**2 / 2 - np.log(n)) / some)
    return np.where(spread > LEAST_SIGMA, share, (m > n) * 1.0)


def cap_of_clipped_share(mean: Numeric, sigma: Numeric, share: Numeric) -> Array:
    """The cap that cuts a given share of log-normal answers.

    Equation
        n = exp(mu + sigma Phi^-1(1 - p)),  mu = ln m - sigma² / 2

    Parameters
        mean   m      [token]  array  > 0, without the cap
        sigma  sigma  [1]      array  >= 0
        share  p      [1]      array  in (0, 1)

    Returns
        n  [token]  array

    Holds when  lengths are log-normal.
    Source      [derived] quantile of the log-normal distribution
    Raises      nothing

    >>> round(float(cap_of_clipped_share(256.0, 1.0, 0.5)), 2)
    155.27
    """
    spread = as_array(sigma)
    return as_array(mean) * np.exp(spread * ndtri(1 - as_array(share)) - spread**2 / 2)


def capped_wait_s(
    requests_per_s: Numeric, mean: Numeric, sigma: Numeric, cap: Numeric, token_s: Numeric, *, fixed_s: Numeric = 0.0,
    servers: Numeric = 1.0, arrival_cv2: Numeric = 1.0,
) -> Array:  # fmt: skip
    """Mean wait where each request takes a time for its prompt and a time for each token of its answer.

    Equation
        S = f + s min(L, n),  a = lambda E[S],  c_s² = E[S²] / E[S]² - 1
        W = C(c, a) E[S] / (c - a) (c_a² + c_s²) / 2

    Parameters
        requests_per_s  lambda  [request/s]  array  >= 0
        mean            m       [token]      array  > 0, of answers without the cap
        sigma           sigma   [1]          array  >= 0
        cap             n       [token]      array  > 0, inf for none
        token_s         s       [s/token]    array  >= 0
        fixed_s         f       [s]          array  >= 0, prompt and overhead
        servers         c       [1]          array  whole, >= 1: requests that are served side by side
        arrival_cv2     c_a²    [1]          array  >= 0, squared coefficient of variation of the gaps

    Returns
        W  [s]  array; inf where the load is c or more

    Holds when  answers are log-normal and a token takes as long whatever else is served; exact for one server and
                Poisson arrivals (`pollaczek_khinchine_wait_s`).
    Source      [yang-2024-queueing]; [pollaczek-1930]; [allen-1990]
    Raises      nothing

    >>> round(float(capped_wait_s(0.1, 256.0, np.sqrt(np.log(5)), np.inf, 0.02)), 2)
    13.43
    """
    first, second = (capped_lognormal_moment(mean, sigma, cap, order) for order in (1, 2))
    token, fixed = as_array(token_s), as_array(fixed_s)
    service_s = fixed + token * first
    service_s2 = fixed**2 + 2 * fixed * token * first + token**2 * second
    some = service_s > 0
    spread = np.where(some, service_s2 / np.where(some, service_s, 1.0) ** 2 - 1, 0.0)
    return erlang_wait_s(servers, as_array(requests_per_s) * service_s, service_s, as_array(arrival_cv2) + spread)


def largest_cap_tokens(
    requests_per_s: Numeric, mean: Numeric, sigma: Numeric, wait_s: Numeric, token_s: Numeric, *,
    fixed_s: Numeric = 0.0, servers: Numeric = 1.0, arrival_cv2: Numeric = 1.0,
) -> Array:  # fmt: skip
    """The largest cap on answers with which the mean wait stays within a target.

    Equation
        n* = max n:  W(n) <= W*

    Parameters
        requests_per_s  lambda  [request/s]  array  >= 0
        mean            m       [token]      array  > 0, of answers without the cap
        sigma           sigma   [1]          array  >= 0
        wait_s          W*      [s]          array  >= 0, target
        token_s         s       [s/token]    array  >= 0
        fixed_s         f       [s]          array  >= 0
        servers         c       [1]          array  whole, >= 1
        arrival_cv2     c_a²    [1]          array  >= 0

    Returns
        n*  [token]  array; inf where no cap is needed, nan where not even one token is short enough

    Holds when  as `capped_wait_s`, which grows with the cap; bisection on its logarithm.
    Source      [yang-2024-queueing]
    Raises      nothing

    >>> round(float(largest_cap_tokens(0.1, 256.0, np.sqrt(np.log(5)), 7.0, 0.02)))
    2133
    """
    rate, m, spread, target, token, fixed, places, gaps = np.broadcast_arrays(
        *map(as_array, (requests_per_s, mean, sigma, wait_s, token_s, fixed_s, servers, arrival_cv2))
    )

    def wait_with(cap: Numeric) -> Array:
        return capped_wait_s(rate, m, spread, cap, token, fixed_s=fixed, servers=places, arrival_cv2=gaps)

    low, high = np.zeros(rate.shape), np.full(rate.shape, np.log(LONGEST_CAP_TOKENS))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = wait_with(np.exp(middle)) <= target
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return np.where(wait_with(np.inf) <= target, np.inf, np.where(wait_with(1.0) > target, np.nan, np.exp(low)))
