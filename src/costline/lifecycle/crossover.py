"""When serving has cost as much as training, and when a dearer start pays back. Knows two prices and a volume."""

from __future__ import annotations

import numpy as np

from costline.quantities import MEGA, Array, Numeric, as_array


def crossover_tokens(training_usd: Numeric, usd_per_mtok: Numeric) -> Array:
    """Served tokens whose cost equals that of training.

    Equation
        V = 10^6 c / u

    Parameters
        training_usd  c  [USD]       array  >= 0
        usd_per_mtok  u  [USD/Mtok]  array  >= 0, cost of a million served tokens

    Returns
        V  [token]  array; inf where serving is free

    Holds when  the unit cost does not change with volume.
    Source      [scaling-book-serving] ch. 4
    Raises      nothing

    >>> round(float(crossover_tokens(40e6, 0.77)) / 1e12, 1)
    51.9
    """
    unit = as_array(usd_per_mtok)
    costs = unit > 0
    return np.where(costs, as_array(training_usd) / np.where(costs, unit, 1.0) * MEGA, np.inf)


def crossover_days(tokens: Numeric, tokens_per_day: Numeric, growth_per_day: Numeric = 0.0) -> Array:
    """Days until so many tokens are served, at a volume that may grow.

    Equation
        T = V / q                            constant
        T = ln(1 + g V / q) / g              growing by g a day, compounded

    Parameters
        tokens          V  [token]  array  >= 0
        tokens_per_day  q  [token]  array  >= 0, on the first day
        growth_per_day  g  [1]      array  >= 0, as the rate of continuous growth

    Returns
        T  [1]  array, days; inf without demand

    Holds when  growth is steady.
    Source      [derived]
    Raises      nothing

    >>> float(crossover_days(51.9e12, 1e11)), round(float(crossover_days(51.9e12, 1e11, 0.002)), 1)
    (519.0, 356.0)
    """
    volume, growth = as_array(tokens_per_day), as_array(growth_per_day)
    asked = volume > 0
    days = as_array(tokens) / np.where(asked, volume, 1.0)
    grows = growth > 0
    rate = np.where(grows, growth, 1.0)
    with np.errstate(over="ignore"):
        growing = np.log1p(rate * days) / rate
    return np.where(asked, np.where(grows, growing, days), np.inf)


def payback_tokens(dearer_usd: Numeric, cheaper_usd: Numeric, saved_usd_per_mtok: Numeric) -> Array:
    """Served tokens after which a dearer start has paid back.

    Equation
        V = 10^6 max(c_1 - c_0, 0) / (u_0 - u_1)

    Parameters
        dearer_usd          c_1        [USD]       array  >= 0, once, of the alternative
        cheaper_usd         c_0        [USD]       array  >= 0, once, of what it replaces
        saved_usd_per_mtok  u_0 - u_1  [USD/Mtok]  array  what the alternative saves on each million tokens

    Returns
        V  [token]  array; 0 where it costs no more to start, inf where it saves nothing

    Holds when  both serve the same tokens.
    Source      [derived]
    Raises      nothing

    >>> [float(payback_tokens(*case)) for case in ((3e6, 1e6, 0.5), (1e6, 3e6, 0.5), (3e6, 1e6, -0.5))]
    [4000000000000.0, 0.0, inf]
    """
    saved = as_array(saved_usd_per_mtok)
    pays = saved > 0
    more = np.maximum(as_array(dearer_usd) - cheaper_usd, 0.0)
    return np.where(pays, more / np.where(pays, saved, 1.0) * MEGA, np.inf)
