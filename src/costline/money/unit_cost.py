"""Tokens per second and USD per hour to USD per million tokens. Knows no plans."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOUR_S, MEGA, Array, Numeric, as_array


def usd_per_mtok(usd_per_hour: Numeric, tokens_per_s: Numeric, utilization: Numeric = 1.0) -> Array:
    """Cost of a million tokens.

    Equation
        c = p / (3600 r u) 10^6

    Parameters
        usd_per_hour  p  [USD/hour]  array  >= 0, all accelerators together
        tokens_per_s  r  [token/s]   array  >= 0, while busy
        utilization   u  [1]         array  in (0, 1], share of the paid time that is busy

    Returns
        c  [USD/Mtok]  array; inf where nothing is produced

    Holds when  idle time is paid like busy time.
    Source      [scaling-book] ch. 8
    Raises      DomainError if the price is negative or the utilisation not in (0, 1]

    >>> round(float(usd_per_mtok(16 * 1.20, 120 / 0.0176)), 2), round(float(usd_per_mtok(3600, 1.0, 0.5)), 1)
    (0.78, 2000000.0)
    """
    price, share = as_array(usd_per_hour), as_array(utilization)
    if not np.all(price >= 0):
        raise DomainError(f"usd_per_hour={usd_per_hour} must not be negative; give the price of an hour")
    if not np.all((share > 0) & (share <= 1)):
        raise DomainError(f"utilization={utilization} must lie in (0, 1]; 1 = always busy")
    rate = as_array(tokens_per_s) * share
    busy = rate > 0
    return np.where(busy, price / (HOUR_S * np.where(busy, rate, 1.0)) * MEGA, np.inf)
