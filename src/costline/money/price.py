"""Prices as dated facts: how old they are, and the hourly bill of a fleet. Knows no plans."""

from __future__ import annotations

import datetime

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

STALE_DAYS = 90


def fleet_usd_per_hour(accelerators: Numeric, usd_per_accelerator_hour: Numeric) -> Array:
    """Bill of an hour for a number of accelerators.

    Equation
        p = n p_1

    Parameters
        accelerators              n    [1]         array  >= 0
        usd_per_accelerator_hour  p_1  [USD/hour]  array  >= 0

    Returns
        p  [USD/hour]  array

    Holds when  every accelerator is paid for whether busy or idle.
    Source      [scaling-book] ch. 8
    Raises      DomainError if the price is negative

    >>> float(fleet_usd_per_hour(16, 1.2))
    19.2
    """
    price = as_array(usd_per_accelerator_hour)
    if not np.all(price >= 0):
        raise DomainError(f"usd_per_accelerator_hour={usd_per_accelerator_hour} must not be negative; give a price")
    return as_array(accelerators) * price


def price_age_days(date: str, today: datetime.date) -> int | None:
    """Days since a price was true; None if only a year or month is known and it is the current one.

    >>> price_age_days("2026-05-24", datetime.date(2026, 11, 20)), price_age_days("2025", datetime.date(2026, 1, 1))
    (180, 1)
    """
    parts = [int(part) for part in date.split("-")]
    if len(parts) == 3:
        return (today - datetime.date(*parts)).days
    year, month = parts[0], parts[1] if len(parts) > 1 else 12
    end = datetime.date(year + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)
    return (today - end).days if end < today else None
