"""How buyers answer a price: volume and revenue under constant elasticity, and what of a cost cut reaches them.

Knows prices and elasticities. Knows no provider.
"""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def volume_ratio(price_ratio: Numeric, elasticity: Numeric) -> Array:
    """Tokens bought after a change of price over those bought before.

    Equation
        v = (p_1 / p_0)^(-e)

    Parameters
        price_ratio  p_1 / p_0  [1]  array  > 0, 0.9 = a cut of 10 %
        elasticity   e          [1]  array  >= 0, just above 1 as measured between models and providers

    Returns
        v  [1]  array

    Holds when  elasticity is constant over the change and rivals do not answer it.
    Source      [fradkin-2025]
    Raises      DomainError if the ratio is not positive or the elasticity negative

    >>> round(float(volume_ratio(0.9, 1.1)), 4)
    1.1229
    """
    return _ratio(price_ratio) ** -_elasticity(elasticity)


def revenue_ratio(price_ratio: Numeric, elasticity: Numeric) -> Array:
    """Revenue after a change of price over that before.

    Equation
        r = (p_1 / p_0)^(1 - e)

    Parameters
        price_ratio  p_1 / p_0  [1]  array  > 0
        elasticity   e          [1]  array  >= 0; above 1 a cut raises revenue, below 1 it lowers it

    Returns
        r  [1]  array

    Holds when  as volume_ratio.
    Source      [fradkin-2025]
    Raises      DomainError if the ratio is not positive or the elasticity negative

    >>> round(float(revenue_ratio(0.9, 1.1)), 4)
    1.0106
    """
    return _ratio(price_ratio) ** (1 - _elasticity(elasticity))


def gross_profit_ratio(price_ratio: Numeric, elasticity: Numeric, margin: Numeric) -> Array:
    """Gross profit after a change of price over that before: each token sold still costs what it did.

    Equation
        g = v (p_1 / p_0 - (1 - m)) / m

    Parameters
        price_ratio  p_1 / p_0  [1]  array  > 0
        elasticity   e          [1]  array  >= 0
        margin       m          [1]  array  in (0, 1], gross margin before the change

    Returns
        g  [1]  array; negative where the new price is below cost

    Holds when  as volume_ratio, and a token costs the same at any volume.
    Source      [derived]
    Raises      DomainError if the ratio is not positive, the elasticity negative or the margin not in (0, 1]

    >>> round(float(gross_profit_ratio(0.9, 1.1, 0.55)), 3)
    0.919
    """
    share = as_array(margin)
    if not np.all((share > 0) & (share <= 1)):
        raise DomainError(f"margin={margin} must lie in (0, 1]; give the gross margin before the change")
    return volume_ratio(price_ratio, elasticity) * (_ratio(price_ratio) - (1 - share)) / share


def passed_through_ratio(cost_ratio: Numeric, exponent: Numeric) -> Array:
    """Price after a change of training cost over that before.

    Equation
        p_1 / p_0 = (c_1 / c_0)^β

    Parameters
        cost_ratio  c_1 / c_0  [1]  array  > 0
        exponent    β          [1]  array  0.432 as estimated across models

    Returns
        p_1 / p_0  [1]  array

    Holds when  other things are equal; an association across models, not what one provider will do.
    Source      [super-moore-2026]
    Raises      DomainError if the ratio is not positive

    >>> round(1 - float(passed_through_ratio(0.9, 0.432)), 4), round(float(passed_through_ratio(63, 0.432)), 2)
    (0.0445, 5.99)
    """
    return _ratio(cost_ratio, "cost_ratio") ** as_array(exponent)


def _ratio(value: Numeric, name: str = "price_ratio") -> Array:
    ratio = as_array(value)
    if not np.all(ratio > 0):
        raise DomainError(f"{name}={value} must be positive; 0.9 = a cut of 10 %")
    return ratio


def _elasticity(value: Numeric) -> Array:
    elasticity = as_array(value)
    if not np.all(elasticity >= 0):
        raise DomainError(f"elasticity={value} must not be negative; 1.1 = 1.1 % more volume for a price 1 % lower")
    return elasticity
