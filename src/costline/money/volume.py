"""The cheapest of several ways to be served, by volume: API, own servers, a compressed model on fewer of them.

Knows a fixed bill, a price by the token and how much one unit can serve. Knows no accelerator and no provider; the
volume at which two ways cost the same is in `break_even`.
"""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import MEGA, Array, Numeric, as_array


def volume_usd(
    tokens: Numeric,
    fixed_usd: Numeric,
    usd_per_mtok: Numeric = 0.0,
    capacity_tokens: Numeric = np.inf,
    base_usd: Numeric = 0.0,
) -> Array:
    """Bill of a month's tokens on as many units as they need.

    Equation
        C = B + F max(1, ceil(V / K)) + c V / 10^6

    Parameters
        tokens           V  [token]     array  >= 0, tokens of the month
        fixed_usd        F  [USD]       array  >= 0, bill of one unit for the month; 0 for an API
        usd_per_mtok     c  [USD/Mtok]  array  >= 0, price of a token at an API, what it still costs on a unit
        capacity_tokens  K  [token]     array  > 0, what one unit can serve in the month; inf for an API
        base_usd         B  [USD]       array  >= 0, paid whatever the volume: staff, compression written off

    Returns
        C  [USD]  array

    Holds when  a unit is paid whole, busy or idle, and one stands ready at any volume.
    Source      [definition]
    Raises      DomainError if a bill, price or volume is negative, or the capacity not positive

    >>> float(volume_usd(5e9, 1440, 0.0, 2e9)), float(volume_usd(1e7, 0.0, 0.40))
    (4320.0, 4.0)
    """
    volume, fixed, price = as_array(tokens), as_array(fixed_usd), as_array(usd_per_mtok)
    room, base = as_array(capacity_tokens), as_array(base_usd)
    for name, value in {"tokens": volume, "fixed_usd": fixed, "usd_per_mtok": price, "base_usd": base}.items():
        if not np.all(value >= 0):
            raise DomainError(f"{name}={value.tolist()} must not be negative; correct it")
    if not np.all(room > 0):
        raise DomainError(f"capacity_tokens={room.tolist()} must be positive; give what one unit serves in the month")
    return base + fixed * np.maximum(1.0, np.ceil(volume / room)) + price * volume / MEGA


def cheapest_way(
    tokens: Numeric,
    fixed_usd: Numeric,
    usd_per_mtok: Numeric,
    capacity_tokens: Numeric = np.inf,
    base_usd: Numeric = 0.0,
) -> Array:
    """Which of several ways to be served costs least at a volume.

    Equation
        k = argmin_j C_j(V)

    Parameters
        tokens           V    [token]     array  >= 0
        fixed_usd        F_j  [USD]       array  >= 0, ways along the last axis
        usd_per_mtok     c_j  [USD/Mtok]  array  >= 0, ways along the last axis
        capacity_tokens  K_j  [token]     array  > 0, ways along the last axis
        base_usd         B_j  [USD]       array  >= 0, ways along the last axis

    Returns
        k  [1]  array of places among the ways; the first of equals

    Holds when  as volume_usd, and the ways serve the same need equally well.
    Source      [derived]
    Raises      DomainError as volume_usd

    >>> cheapest_way(np.array([1e7, 1e10]), np.array([0.0, 1440.0]), np.array([0.40, 0.0])).tolist()
    [0.0, 1.0]
    """
    usd = volume_usd(as_array(tokens)[..., np.newaxis], fixed_usd, usd_per_mtok, capacity_tokens, base_usd)
    return as_array(np.argmin(usd, axis=-1))
