"""What is left of a price after cost: margins of a provider and of a tariff with a fixed part.

Knows prices, costs and usage. Knows no provider and no plans.
"""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def provider_margin(price_usd_per_mtok: Numeric, cost_usd_per_mtok: Numeric) -> Array:
    """Share of an API's price that serving it does not cost: its list price less our own cost of the same tokens.

    Equation
        m = 1 - c / p

    Parameters
        price_usd_per_mtok  p  [USD/Mtok]  array  > 0, list price of the mix of tokens
        cost_usd_per_mtok   c  [USD/Mtok]  array  >= 0, of the same mix, as modelled

    Returns
        m  [1]  array; negative where the price is below the cost

    Holds when  c is what the provider pays: its chips, load and discounts are not known, so this is an estimate.
    Source      [erdil-2025] section 2; [definition]
    Raises      DomainError if the price is not positive or the cost negative

    >>> round(float(provider_margin(0.90, 0.40)), 3)
    0.556
    """
    return _margin(as_array(price_usd_per_mtok), as_array(cost_usd_per_mtok))


def two_part_tariff_usd(
    usage: Numeric, fixed_usd: Numeric, usd_per_unit: Numeric = 0.0, included: Numeric = np.inf
) -> Array:
    """Bill of a tariff with a fixed part and a price for what goes beyond it.

    Equation
        T = F + p max(0, q - a)

    Parameters
        usage         q  [1]    array  >= 0, units of the month: answers, contracts, million tokens
        fixed_usd     F  [USD]  array  >= 0
        usd_per_unit  p  [USD]  array  >= 0, of each unit beyond those included
        included      a  [1]    array  >= 0; inf = flat rate, 0 = every unit is paid

    Returns
        T  [USD]  array

    Holds when  units are alike.
    Source      [bergemann-2025] menus of two-part tariffs
    Raises      DomainError if a quantity is negative

    >>> float(two_part_tariff_usd(50, 99.0)), float(two_part_tariff_usd(60, 99.0, 2.0, 50))
    (99.0, 119.0)
    """
    units, fixed, price, free = as_array(usage), as_array(fixed_usd), as_array(usd_per_unit), as_array(included)
    for name, value in {"usage": units, "fixed_usd": fixed, "usd_per_unit": price, "included": free}.items():
        if not np.all(value >= 0):
            raise DomainError(f"{name}={value.tolist()} must not be negative; correct it")
    return fixed + price * np.maximum(0.0, units - free)


def gross_margin(revenue_usd: Numeric, cost_usd: Numeric) -> Array:
    """Share of a revenue that its cost leaves.

    Equation
        m = 1 - c / r

    Parameters
        revenue_usd  r  [USD]  array  > 0, of a month, a user or a request
        cost_usd     c  [USD]  array  >= 0, of the same

    Returns
        m  [1]  array; negative at a loss

    Holds when  the cost is that of serving; staff and sales are not in a gross margin.
    Source      [definition]
    Raises      DomainError if the revenue is not positive or the cost negative

    >>> round(float(gross_margin(99.0, 50 * 0.40)), 3)
    0.798
    """
    return _margin(as_array(revenue_usd), as_array(cost_usd))


def _margin(price: Array, cost: Array) -> Array:
    if not (np.all(price > 0) and np.all(cost >= 0)):
        raise DomainError(f"price={price.tolist()} must be positive, cost={cost.tolist()} not negative; correct them")
    return 1 - cost / price
