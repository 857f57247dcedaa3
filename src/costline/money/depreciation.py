"""What a purchase loses by the year, in the books and on the market, and when to let it go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.money.capital import capital_recovery_factor, present_value_usd
from costline.quantities import HOURS_PER_YEAR, Array, Numeric, as_array


def straight_line_usd(
    capital_usd: Numeric, life_years: Numeric, year: Numeric = 1, salvage_usd: Numeric = 0.0
) -> Array:
    """Depreciation that the books show in one year.

    Equation
        D_t = (C - S) / n  min(max(n - (t - 1), 0), 1)

    Parameters
        capital_usd  C  [USD]   array  purchase price
        life_years   n  [year]  array  > 0, life in the books
        year         t  [1]     array  1 is the first year; 0 after the life, a part of a year at its end
        salvage_usd  S  [USD]   array  what is expected to be left after the life

    Returns
        D_t  [USD]  array

    Holds when  the asset is in service from the start of year 1.
    Source      [palanor-kb] node on the six-year schedules of hyperscalers; [derived]
    Raises      DomainError if the life is not positive

    >>> float(straight_line_usd(900_000, 3)), float(straight_line_usd(900_000, 6)), float(straight_line_usd(9, 3, 4))
    (300000.0, 150000.0, 0.0)
    """
    life = as_array(life_years)
    if not np.all(life > 0):
        raise DomainError(f"life_years={life_years} must be positive; give the years in the books")
    in_service = np.clip(life - (as_array(year) - 1), 0.0, 1.0)
    return (as_array(capital_usd) - salvage_usd) / life * in_service


def book_value_usd(capital_usd: Numeric, life_years: Numeric, age_years: Numeric, salvage_usd: Numeric = 0.0) -> Array:
    """What the books still show after so many years of straight-line depreciation.

    Equation
        B = C - (C - S) min(t / n, 1)

    Parameters
        capital_usd  C  [USD]   array  purchase price
        life_years   n  [year]  array  > 0, life in the books
        age_years    t  [year]  array  >= 0
        salvage_usd  S  [USD]   array  what is expected to be left after the life

    Returns
        B  [USD]  array

    Holds when  nothing was written off before.
    Source      [derived]
    Raises      DomainError if the life is not positive

    >>> book_value_usd(30_000, 6, np.array([0, 3, 6, 9])).tolist()
    [30000.0, 15000.0, 0.0, 0.0]
    """
    life = as_array(life_years)
    if not np.all(life > 0):
        raise DomainError(f"life_years={life_years} must be positive; give the years in the books")
    lost = as_array(capital_usd) - salvage_usd
    return as_array(capital_usd) - lost * np.minimum(as_array(age_years) / life, 1.0)


def resale_usd(capital_usd: Numeric, loss_per_year: Numeric, age_years: Numeric) -> Array:
    """What a buyer pays for a used device whose value falls by the same share each year.

    Equation
        V = C (1 - l)^t

    Parameters
        capital_usd    C  [USD]     array  purchase price
        loss_per_year  l  [1/year]  array  in [0, 1]
        age_years      t  [year]    array  >= 0

    Returns
        V  [USD]  array

    Holds when  no new generation undercuts it at once; else give the values year by year to what follows.
    Source      [hotelling-1925]
    Raises      DomainError if the loss is not in [0, 1]

    >>> round(float(resale_usd(30_000, 1 - 0.75 ** (1 / 3), 3)))
    22500
    """
    loss = as_array(loss_per_year)
    if not np.all((loss >= 0) & (loss <= 1)):
        raise DomainError(f"loss_per_year={loss_per_year} must lie in [0, 1]; give the share of value lost in a year")
    return as_array(capital_usd) * (1 - loss) ** as_array(age_years)


def keeping_usd(value_usd: Numeric, operating_usd: Numeric, interest_per_year: Numeric = 0.0) -> Array:
    """What each further year with a device costs: the value it loses, the interest on it, its upkeep.

    Equation
        U_t = (1 + i) V_(t-1) - V_t + o_t

    Parameters
        value_usd          V  [USD]     array  resale value at ages 0, 1, … n on the last axis
        operating_usd      o  [USD]     array  cost of running it in years 1 … n on the last axis
        interest_per_year  i  [1/year]  array  without the axis of years

    Returns
        U  [USD]  array, years 1 … n on the last axis

    Holds when  it could be sold each year; without operating cost this is economic depreciation with interest.
    Source      [jorgenson-1963]; [hotelling-1925]
    Raises      nothing

    >>> keeping_usd([100.0, 70.0, 50.0], [10.0, 10.0], 0.1).round(6).tolist()
    [50.0, 37.0]
    """
    value = as_array(value_usd)
    growth = 1 + as_array(interest_per_year)[..., np.newaxis]
    return growth * value[..., :-1] - value[..., 1:] + as_array(operating_usd)


def equivalent_annual_usd(value_usd: Numeric, operating_usd: Numeric, interest_per_year: Numeric = 0.0) -> Array:
    """Equal yearly cost of owning a device for 1, 2, … n years; the least of them marks its economic life.

    Equation
        E_k = a(i, k) Σ_(t=1)^k U_t (1 + i)^-t

    Parameters
        value_usd          V  [USD]     array  resale value at ages 0, 1, … n on the last axis
        operating_usd      o  [USD]     array  cost of running it in years 1 … n on the last axis
        interest_per_year  i  [1/year]  array  >= 0, without the axis of years

    Returns
        E  [USD/year]  array, lives of 1 … n years on the last axis

    Holds when  U is keeping_usd and a the capital recovery factor.
    Source      [brealey-2020] equivalent annual cost; [hotelling-1925]
    Raises      DomainError if the interest is negative

    >>> equivalent_annual_usd([100.0, 70.0, 50.0], [10.0, 10.0]).tolist()
    [40.0, 35.0]
    """
    interest = as_array(interest_per_year)[..., np.newaxis]
    yearly = keeping_usd(value_usd, operating_usd, interest_per_year)
    lives = np.arange(1, yearly.shape[-1] + 1, dtype=np.float64)
    return capital_recovery_factor(interest, lives) * np.cumsum(yearly * (1 + interest) ** -lives, axis=-1)


def replacement_year(kept_usd: Numeric, challenger_usd_per_year: Numeric) -> Array:
    """First year that costs more with the old device than with a new one that does the same work.

    Equation
        t* = min {t : U_t > E},  inf where there is none

    Parameters
        kept_usd                 U  [USD]       array  cost of keeping the old device, years 1 … n on the last axis
        challenger_usd_per_year  E  [USD/year]  array  least equivalent annual cost of the new one for the same work

    Returns
        t*  [year]  array, without the axis of years; the old device is kept for t* - 1 years

    Holds when  U is keeping_usd and grows from then on; the new device's cost is per unit of the same work.
    Source      [hotelling-1925]
    Raises      nothing

    >>> float(replacement_year([40.0, 45.0, 60.0], 50.0)), float(replacement_year([40.0, 45.0], 50.0))
    (3.0, inf)
    """
    dearer = as_array(kept_usd) > as_array(challenger_usd_per_year)[..., np.newaxis]
    return np.where(np.any(dearer, axis=-1), np.argmax(dearer, axis=-1) + 1.0, np.inf)


def cascade_value_usd(
    income_usd_per_hour: Numeric,
    operating_usd_per_hour: Numeric,
    *,
    utilization: Numeric = 1.0,
    interest_per_year: Numeric = 0.0,
) -> Array:
    """What a device earns over its life as it moves from one kind of work to the next (train, serve, batch).

    Equation
        v = Σ_t max(8760 (u_t p_t - o_t), 0) (1 + i)^-t,  t = 1, 2, …

    Parameters
        income_usd_per_hour     p  [USD/hour]  array  what an hour of its work sells for, by year on the last axis
        operating_usd_per_hour  o  [USD/hour]  array  cost of running it, by year on the last axis or one for all
        utilization             u  [1]         array  share of hours sold, by year on the last axis or one for all
        interest_per_year       i  [1/year]    array  without the axis of years

    Returns
        v  [USD]  array, without the axis of years

    Holds when  a year that would lose money is sat out at no cost; what is earned falls due at the year's end.
    Source      [palanor-kb] node on the cascade; [brealey-2020] present value
    Raises      DomainError if a utilisation is not in [0, 1]

    >>> float(cascade_value_usd([2.0, 1.0, 0.2], 0.5, utilization=0.5))
    4380.0
    """
    share, income = as_array(utilization), as_array(income_usd_per_hour)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"utilization={utilization} must lie in [0, 1]; give the share of hours sold")
    earned = np.maximum(HOURS_PER_YEAR * (share * income - operating_usd_per_hour), 0.0)
    today = np.zeros((*earned.shape[:-1], 1))
    return present_value_usd(np.concatenate([today, earned], axis=-1), interest_per_year)


def is_impaired(carrying_usd: Numeric, cash_flow_usd: Numeric) -> NDArray[np.bool_]:
    """Whether the books show more than the asset will bring in: the test that calls for a write-down.

    Equation
        B > Σ_t c_t

    Parameters
        carrying_usd    B  [USD]  array  what the books show
        cash_flow_usd   c  [USD]  array  undiscounted, by year of the life left on the last axis, its sale included

    Returns
        mask, without the axis of years; array of bool

    Holds when  an event calls for the test, such as a new generation or a fall of prices.
    Source      [asc-360-10-35]; [palanor-kb] node on the cascade
    Raises      nothing

    >>> bool(is_impaired(20_000, [9_000.0, 6_000.0])), bool(is_impaired(15_000, [9_000.0, 6_000.0]))
    (True, False)
    """
    return as_array(carrying_usd) > np.sum(as_array(cash_flow_usd), axis=-1)


def write_down_usd(carrying_usd: Numeric, cash_flow_usd: Numeric, fair_value_usd: Numeric) -> Array:
    """Loss to book where the test for impairment fails.

    Equation
        L = max(B - F, 0) where B > Σ_t c_t, 0 elsewhere

    Parameters
        carrying_usd    B  [USD]  array  what the books show
        cash_flow_usd   c  [USD]  array  undiscounted, by year of the life left on the last axis, its sale included
        fair_value_usd  F  [USD]  array  what a buyer pays, or the discounted cash flow

    Returns
        L  [USD]  array, without the axis of years

    Holds when  as is_impaired.
    Source      [asc-360-10-35]
    Raises      nothing

    >>> float(write_down_usd(20_000, [9_000.0, 6_000.0], 13_000)), float(write_down_usd(15_000, [15_000.0], 13_000))
    (7000.0, 0.0)
    """
    loss = np.maximum(as_array(carrying_usd) - fair_value_usd, 0.0)
    return np.where(is_impaired(carrying_usd, cash_flow_usd), loss, 0.0)
