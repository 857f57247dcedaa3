"""How fast prices fall: between two days, along a series, and for a level of capability.

Knows days and prices. Knows no model and no provider.
"""

from __future__ import annotations

import datetime

import numpy as np

from costline.errors import DomainError
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_YEAR, Array, Numeric, as_array

_DAYS_PER_YEAR = HOURS_PER_YEAR * HOUR_S / DAY_S


def decline_per_year(before_usd_per_mtok: Numeric, after_usd_per_mtok: Numeric, years: Numeric) -> Array:
    """Yearly rate at which a price fell between two days.

    Equation
        d = 1 - (p_1 / p_0)^(1 / t)

    Parameters
        before_usd_per_mtok  p_0  [USD/Mtok]  array  > 0
        after_usd_per_mtok   p_1  [USD/Mtok]  array  >= 0
        years                t    [year]      array  > 0

    Returns
        d  [1]  array, share of the price that a year takes; negative where it rose

    Holds when  it fell at one rate; a single cut seen over weeks says little of a year.
    Source      [definition]
    Raises      DomainError if the first price or the time is not positive, or the second price negative

    >>> round(float(decline_per_year(60, 0.10, 5.6)), 3), round(float(decline_per_year(10, 1, 2)), 3)
    (0.681, 0.684)
    """
    first, last, time = as_array(before_usd_per_mtok), as_array(after_usd_per_mtok), as_array(years)
    if not (np.all(first > 0) and np.all(last >= 0) and np.all(time > 0)):
        given = f"before={before_usd_per_mtok}, after={after_usd_per_mtok}, years={years}"
        raise DomainError(f"{given}: the first price and the time must be positive; leave out free models")
    return 1 - (last / first) ** (1 / time)


def fitted_decline_per_year(years: Array, usd_per_mtok: Array) -> Array:
    """Yearly rate of decline of a series of prices, by least squares on their logarithms.

    Equation
        d = 1 - exp(b),  b = sum (t - t̄)(ln p - mean ln p) / sum (t - t̄)^2

    Parameters
        years         t  [year]      array, points along the last axis
        usd_per_mtok  p  [USD/Mtok]  array, points along the last axis  > 0

    Returns
        d  [1]  array; NaN where all points are of one day

    Holds when  the points scatter about one rate.
    Source      [definition] least squares
    Raises      DomainError if a price is not positive

    >>> round(float(fitted_decline_per_year(np.array([0.0, 1.0, 2.0]), np.array([10.0, 5.0, 2.5]))), 3)
    0.5
    """
    price = as_array(usd_per_mtok)
    if not np.all(price > 0):
        raise DomainError(f"usd_per_mtok={price.tolist()} must be positive; leave out free models")
    time = as_array(years) - np.mean(as_array(years), axis=-1, keepdims=True)
    logarithm = np.log(price)
    spread = np.sum(time**2, axis=-1)
    slope = np.sum(time * logarithm, axis=-1) / np.where(spread > 0, spread, np.nan)
    return -np.expm1(slope)


def cheapest_so_far(usd_per_mtok: Array, reaches: Array | bool = True) -> Array:
    """Least price at which a level of capability could be had by each day of a series.

    Equation
        P_k = min {p_j : j <= k, model j reaches the level}

    Parameters
        usd_per_mtok  p_j  [USD/Mtok]  array, points along the last axis in order of time
        reaches       -    mask  which models reach the level

    Returns
        P_k  [USD/Mtok]  array; inf before the first model that reaches it

    Holds when  a model once sold stays on sale; capability is as somebody judged it.
    Source      [definition]
    Raises      nothing

    >>> cheapest_so_far(np.array([30.0, 10.0, 15.0, 0.15]), np.array([True, True, True, False])).tolist()
    [30.0, 10.0, 10.0, 10.0]
    """
    return as_array(np.minimum.accumulate(np.where(reaches, as_array(usd_per_mtok), np.inf), axis=-1))


def years_between(first: str, last: str) -> float:
    """Years between two days; a month or a year alone counts from its first day.

    Equation
        t = (day_1 - day_0) / 365

    Parameters
        first  day_0  text  2024-05-13, 2024-05 or 2024
        last   day_1  text

    Returns
        t  [year]  number

    Holds when  a year of 365 days is near enough.
    Source      [definition]
    Raises      DomainError if a text is no day

    >>> years_between("2024-05-13", "2025-05-13"), years_between("2024", "2024-02")
    (1.0, 0.08493150684931507)
    """
    return (_day(last) - _day(first)).days / _DAYS_PER_YEAR


def _day(text: str) -> datetime.date:
    parts = text.split("-")
    try:
        return datetime.date(*(int(part) for part in [*parts, "1", "1"][:3]))
    except ValueError:
        raise DomainError(f"date={text!r} is no day; write 2024-05-13, 2024-05 or 2024") from None
