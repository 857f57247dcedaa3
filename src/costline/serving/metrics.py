"""Latency of requests as differences of named timestamps, and what a service made of them.

Arrays with one element a request, or one a stretch of time in which nothing changed. A request that was never served
has NaN for the times that it did not reach. Knows no step, no engine and no money.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

Z95_TWO_SIDED = 1.959963984540054
MOST_LAGS = 4096
"""Lags over which requests are searched for correlation with those before them."""


def ttft_s(arrival_s: Numeric, first_token_s: Numeric) -> Array:
    """Time to first token.

    Equation
        TTFT = t_first - t_arrival

    Parameters
        arrival_s      t_arrival  [s]  array  the client sends
        first_token_s  t_first    [s]  array  the client has the first token

    Returns
        TTFT  [s]  array

    Holds when  both are on the client's clock: waiting, prompt and request overhead are inside.
    Source      [derived]; as the benchmarks of serving engines count it
    Raises      nothing

    >>> float(ttft_s(1.0, 1.25))
    0.25
    """
    return as_array(first_token_s) - as_array(arrival_s)


def e2e_s(arrival_s: Numeric, finished_s: Numeric) -> Array:
    """Time of the whole request.

    Equation
        E2E = t_end - t_arrival

    Parameters
        arrival_s   t_arrival  [s]  array
        finished_s  t_end      [s]  array  the client has the last token

    Returns
        E2E  [s]  array

    Holds when  both are on the client's clock.
    Source      [derived]; as the benchmarks of serving engines count it
    Raises      nothing

    >>> float(e2e_s(1.0, 5.5))
    4.5
    """
    return as_array(finished_s) - as_array(arrival_s)


def queue_s(arrival_s: Numeric, scheduled_s: Numeric) -> Array:
    """Time that a request waits before the engine first works on it.

    Equation
        Q = t_scheduled - t_arrival

    Parameters
        arrival_s    t_arrival    [s]  array
        scheduled_s  t_scheduled  [s]  array  start of the first step that has tokens of the request

    Returns
        Q  [s]  array

    Holds when  the first step counts as service, so that the rest of a running step is waiting.
    Source      [kleinrock-1975]
    Raises      nothing

    >>> float(queue_s(1.0, 1.01)) > 0
    True
    """
    return as_array(scheduled_s) - as_array(arrival_s)


def tpot_s(e2e_time_s: Numeric, ttft_time_s: Numeric, output_tokens: Numeric) -> Array:
    """Mean time per output token of a request after its first, which is also its mean inter-token latency.

    Equation
        TPOT = (E2E - TTFT) / (n - 1)

    Parameters
        e2e_time_s     E2E   [s]      array
        ttft_time_s    TTFT  [s]      array
        output_tokens  n     [token]  array  tokens that the server generated, not those that a client counts in text

    Returns
        TPOT  [s]  array; NaN where a request has one token

    Holds when  tokens are counted as generated: text counted anew can have a fifth fewer.
    Source      [derived]; as the benchmarks of serving engines count it
    Raises      nothing

    >>> round(float(tpot_s(4.0, 1.0, 301)), 6)
    0.01
    """
    after_first = as_array(output_tokens) - 1
    known = after_first > 0
    return np.where(known, as_array(e2e_time_s) - ttft_time_s, np.nan) / np.where(known, after_first, 1.0)


def meets(times_s: Numeric, target_s: float | None) -> NDArray[np.bool_]:
    """Whether each time is within a target; every one is where there is none, and none where it is not known."""
    times = as_array(times_s)
    return np.ones(times.shape, dtype=bool) if target_s is None else np.nan_to_num(times, nan=np.inf) <= target_s


def goodput_per_s(good: NDArray[np.bool_], duration_s: float) -> float:
    """Requests a second that met every target.

    Equation
        G = Σ good / T

    Parameters
        good        -       mask    whether a request met all targets
        duration_s  T  [s]  scalar  > 0

    Returns
        G  [1/s]  scalar

    Holds when  the stretch is long beside one request.
    Source      [derived]
    Raises      DomainError if the duration is not positive

    >>> goodput_per_s(np.array([True, True, False]), 2.0)
    1.0
    """
    if not duration_s > 0:
        raise DomainError(f"duration_s={duration_s} must be above 0; take the time from first arrival to last token")
    return float(np.count_nonzero(good)) / duration_s


def time_mean(values: Array, lasting_s: Array) -> float:
    """Mean over time of something that holds each value for a while.

    Equation
        M = Σ x_i d_i / Σ d_i

    Parameters
        values     x_i  [1]  array  batch, tokens in the cache, requests waiting …, in their unit
        lasting_s  d_i  [s]  array  how long each value held

    Returns
        M  [1]  scalar, in the unit of the values; NaN where no time passed

    Holds when  the value is constant within each stretch.
    Source      [derived]
    Raises      nothing

    >>> time_mean(np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    1.5
    """
    total = float(np.sum(lasting_s))
    return float(np.sum(as_array(values) * lasting_s)) / total if total > 0 else float("nan")


def independent_samples(values: Array) -> float:
    """How many independent values would know the mean as well as these, which follow one another.

    Equation
        n_e = n / (1 + 2 Σ_{k=1}^{K} ρ_k),  K the last lag before ρ_k first falls below 2 / sqrt(n)

    Parameters
        values  x  [1]  array  in order of time, in any unit

    Returns
        n_e  [1]  scalar, from 1 to n

    Holds when  the series is stationary; requests that share a queue are alike, so that n_e is far below n near
                saturation.
    Source      [derived]; the sum stops where the correlation sinks into the noise
    Raises      nothing

    >>> independent_samples(np.array([0.0, 1.0] * 50))
    100.0
    """
    x = as_array(values)
    n = x.size
    spread = x - np.mean(x) if n else x
    power = float(np.sum(spread * spread))
    if n < 4 or power <= 0:
        return float(max(n, 1))
    most = min(n, MOST_LAGS)
    length = 1 << (n + most - 1).bit_length()  # zeros enough that no lag up to the last meets the other end
    transform = np.fft.rfft(spread, length)
    lags = np.fft.irfft(transform.real**2 + transform.imag**2, length)[1:most] / power
    below = np.nonzero(lags < 2 / np.sqrt(n))[0]
    kept = lags[: below[0]] if below.size else lags
    return float(max(n / (1 + 2 * np.sum(kept)), 1.0))


def percentile_interval(sorted_values: Array, share: float, samples: float | None = None) -> tuple[float, float]:
    """Values between which a percentile lies, whatever the distribution: two order statistics.

    Equation
        [x_(l), x_(u)],  l, u = n q ∓ z n sqrt(q (1 - q) / n_e)

    Parameters
        sorted_values  x_(i)  [1]      array   ascending, in any unit
        share          q      [1]      scalar  in (0, 1): 0.99 for p99
        samples        n_e    [1]      scalar  independent values among them; default n

    Returns
        low, high  [1]  in the unit of the values; NaN for no values, inf where too few lie beyond the percentile

    Holds when  n_e q (1 - q) is large beside 1; z = 1.96 gives 95 %.
    Source      [derived]; the number of values below a percentile is binomial, here with its normal limit
    Raises      DomainError if the share is not between 0 and 1

    >>> low, high = percentile_interval(np.arange(1.0, 10_001.0), 0.99)
    >>> round(low), round(high)
    (9880, 9921)
    """
    if not 0 < share < 1:
        raise DomainError(f"share={share} must lie between 0 and 1; write 0.99 for p99")
    n = len(sorted_values)
    if n == 0:
        return float("nan"), float("nan")
    half = Z95_TWO_SIDED * n * float(np.sqrt(share * (1 - share) / max(samples or n, 1.0)))
    low = int(np.floor(n * share - half))
    high = int(np.ceil(n * share + half)) + 1
    return (
        float(sorted_values[max(low, 1) - 1]),
        float(sorted_values[high - 1]) if high <= n else float("inf"),
    )
