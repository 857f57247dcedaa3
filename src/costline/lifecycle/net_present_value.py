"""Costs of a model over its years, and what they are worth today. Knows flows of money and no models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy_financial as npf

from costline.errors import DomainError
from costline.quantities import MEGA, Array, Numeric, as_array

_present_value = cast(Callable[..., Any], cast(Any, npf).pv)


def net_present_value(usd: Array, rate_per_year: Numeric) -> Array:
    """Value today of yearly flows of money.

    Equation
        NPV = Σ_y c_y / (1 + i)^y,  y = 0, 1, 2 …

    Parameters
        usd            c_y  [USD]     array  years along the last axis, from today on; costs positive
        rate_per_year  i    [1/year]  array  > -1, cost of capital, broadcast over the other axes

    Returns
        NPV  [USD]  array, without the last axis

    Holds when  a year's flow falls on its end.
    Source      [numpy-financial] pv, of each flow
    Raises      DomainError if the rate is not above -1

    >>> float(net_present_value(as_array([100.0, 110.0]), 0.1)), float(net_present_value(as_array([100.0, 110.0]), 0.0))
    (200.0, 210.0)
    """
    flows, rate = as_array(usd), as_array(rate_per_year)
    if not np.all(rate > -1):
        raise DomainError(f"rate_per_year={rate_per_year} must exceed -1; 0.1 = ten per cent a year")
    years = np.arange(flows.shape[-1], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # numpy-financial also divides by a rate of 0, unused
        today = as_array(_present_value(rate[..., np.newaxis], years, 0.0, -flows))
    return np.sum(today, axis=-1)


def yearly_usd(
    tokens_per_year: Numeric,
    usd_per_mtok: Numeric,
    years: int,
    *,
    upfront_usd: Numeric = 0.0,
    growth_per_year: Numeric = 0.0,
    decline_per_year: Numeric = 0.0,
) -> Array:
    """Costs of a model by year: what it takes to start, then what it takes to serve.

    Equation
        c_0 = C,  c_y = 10^-6 V (1 + g)^(y - 1) u (1 - δ)^(y - 1)

    Parameters
        tokens_per_year   V  [token]     array   >= 0, served in the first year
        usd_per_mtok      u  [USD/Mtok]  array   >= 0, in the first year
        years             Y  [1]         scalar  >= 1
        upfront_usd       C  [USD]       array   >= 0, training and preparation
        growth_per_year   g  [1/year]    array   > -1, of the volume
        decline_per_year  δ  [1/year]    array   < 1, of the unit cost

    Returns
        c_y  [USD]  array, years 0 to Y along a new last axis

    Holds when  volume and unit cost change once a year.
    Source      [derived]
    Raises      DomainError if there is no year

    >>> yearly_usd(1e9, 2.0, 2, upfront_usd=500.0, growth_per_year=1.0).tolist()
    [500.0, 2000.0, 4000.0]
    """
    if years < 1:
        raise DomainError(f"years={years} must be at least 1; give how long the model is served")
    later = np.arange(years, dtype=np.float64)
    change = (1 + as_array(growth_per_year)) * (1 - as_array(decline_per_year))
    first = as_array(as_array(tokens_per_year) / MEGA * usd_per_mtok)
    serving = first[..., np.newaxis] * change[..., np.newaxis] ** later
    start = np.broadcast_to(as_array(upfront_usd), np.broadcast_shapes(np.shape(upfront_usd), serving.shape[:-1]))
    serving = np.broadcast_to(serving, (*start.shape, years))
    return np.concatenate([start[..., np.newaxis], serving], axis=-1)


def tokens_over_life(tokens_per_year: Numeric, years: int, growth_per_year: Numeric = 0.0) -> Array:
    """Tokens served over the life of a model.

    Equation
        V_Y = Σ_y V (1 + g)^(y - 1)

    Parameters
        tokens_per_year  V  [token]   array   >= 0, served in the first year
        years            Y  [1]       scalar  >= 0
        growth_per_year  g  [1/year]  array   > -1

    Returns
        V_Y  [token]  array

    Holds when  the volume changes once a year.
    Source      [derived]
    Raises      nothing

    >>> float(tokens_over_life(100.0, 3)), float(tokens_over_life(100.0, 3, 1.0)), float(tokens_over_life(100.0, 0))
    (300.0, 700.0, 0.0)
    """
    later = np.arange(years, dtype=np.float64)
    growth = (1 + as_array(growth_per_year))[..., np.newaxis] ** later
    return np.sum(as_array(tokens_per_year)[..., np.newaxis] * growth, axis=-1)
