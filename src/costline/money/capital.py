"""What money tied up in a purchase costs by the year. Knows interest and years, not what is bought."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

_NO_INTEREST = 1e-200
"""Below this rate the discount over a life would underflow; its limit 1/n is then exact."""


def capital_recovery_factor(interest_per_year: Numeric, life_years: Numeric) -> Array:
    """Equal yearly payment that returns one dollar with interest over a life.

    Equation
        a = i / (1 - (1 + i)^-n),  1 / n where i = 0,  i where n -> inf

    Parameters
        interest_per_year  i  [1/year]  array  >= 0
        life_years         n  [year]    array  > 0, may be inf

    Returns
        a  [1/year]  array

    Holds when  payments fall due at the end of each year.
    Source      [brealey-2020] annuities
    Raises      DomainError if the interest is negative or the life not positive

    >>> round(float(capital_recovery_factor(0.10, 4)), 6), float(capital_recovery_factor(0.0, 4))
    (0.315471, 0.25)
    """
    i, n = np.broadcast_arrays(as_array(interest_per_year), as_array(life_years))
    if not np.all(i >= 0):
        raise DomainError(f"interest_per_year={interest_per_year} must not be negative; give a share such as 0.1")
    if not np.all(n > 0):
        raise DomainError(f"life_years={life_years} must be positive; give the years the purchase is used")
    dear = i > _NO_INTEREST
    rate = np.where(dear, i, 1.0)
    return np.where(dear, rate / -np.expm1(-n * np.log1p(rate)), 1 / n)


def annuity_usd_per_year(
    capital_usd: Numeric, life_years: Numeric, interest_per_year: Numeric = 0.0, salvage_usd: Numeric = 0.0
) -> Array:
    """Equal yearly cost of owning something: its price with interest, less what it fetches in the end.

    Equation
        A = (C - S) a(i, n) + S i

    Parameters
        capital_usd        C  [USD]     array  >= 0
        life_years         n  [year]    array  > 0, may be inf
        interest_per_year  i  [1/year]  array  >= 0
        salvage_usd        S  [USD]     array  what a buyer pays after n years, in 0 … C

    Returns
        A  [USD/year]  array; straight-line depreciation where i = 0, interest alone where n -> inf

    Holds when  a is the capital recovery factor; S i is the same as (1 + i)^-n S a taken off the price's annuity.
    Source      [brealey-2020] equivalent annual cost
    Raises      DomainError if the price is negative, the salvage is not in 0 … C, or as capital_recovery_factor

    >>> float(annuity_usd_per_year(900_000, 3)), round(float(annuity_usd_per_year(250_000, 4, 0.10)), 1)
    (300000.0, 78867.7)
    """
    capital, salvage = as_array(capital_usd), as_array(salvage_usd)
    if not np.all((salvage >= 0) & (salvage <= capital)):
        raise DomainError(f"salvage_usd={salvage_usd} must lie in 0 … capital_usd={capital_usd}; correct one of them")
    factor = capital_recovery_factor(interest_per_year, life_years)
    return (capital - salvage) * factor + salvage * as_array(interest_per_year)


def present_value_usd(cash_flow_usd: Numeric, interest_per_year: Numeric) -> Array:
    """What payments of several years are worth today.

    Equation
        v = Σ_t c_t (1 + i)^-t,  t = 0, 1, 2, …

    Parameters
        cash_flow_usd      c  [USD]     array  by year on the last axis, the first one today
        interest_per_year  i  [1/year]  array  > -1, without the axis of years

    Returns
        v  [USD]  array, without the axis of years

    Holds when  payments fall due at the end of each year.
    Source      [brealey-2020] present value
    Raises      DomainError if the interest is -1 or less

    >>> round(float(present_value_usd([-100.0, 60.0, 60.0], 0.10)), 2)
    4.13
    """
    flows, interest = as_array(cash_flow_usd), as_array(interest_per_year)
    if not np.all(interest > -1):
        raise DomainError(f"interest_per_year={interest_per_year} must exceed -1; give a yearly share such as 0.1")
    years = np.arange(flows.shape[-1], dtype=np.float64)
    return np.sum(flows * (1 + interest[..., np.newaxis]) ** -years, axis=-1)


def internal_rate_of_return(cash_flow_usd: Numeric) -> Array:
    """Interest at which payments of several years are worth nothing today: what the purchase itself earns.

    Equation
        Σ_t c_t (1 + r)^-t = 0

    Parameters
        cash_flow_usd  c  [USD]  array  by year on the last axis, the first one today

    Returns
        r  [1/year]  array, without the axis of years; NaN where no rate exists

    Holds when  the payments change sign once; with several signs there may be several rates.
    Source      [brealey-2020] internal rate of return
    Raises      nothing

    >>> round(float(internal_rate_of_return([-100.0, 60.0, 60.0])), 4)
    0.1307
    """
    import numpy_financial

    rate = cast(Any, numpy_financial).irr
    return as_array(np.apply_along_axis(rate, -1, as_array(cash_flow_usd)))


def weighted_capital_cost(
    equity_share: Numeric, equity_return: Numeric, debt_interest: Numeric, tax_rate: Numeric = 0.0
) -> Array:
    """Yearly cost of capital that comes from owners and lenders.

    Equation
        i = e r_e + (1 - e) r_d (1 - τ)

    Parameters
        equity_share   e    [1]       array  in [0, 1], share of the capital that owners gave
        equity_return  r_e  [1/year]  array  what owners expect
        debt_interest  r_d  [1/year]  array  what lenders are paid
        tax_rate       τ    [1]       array  in [0, 1], tax that interest saves

    Returns
        i  [1/year]  array

    Holds when  the purchase is as risky as the rest of the firm.
    Source      [brealey-2020] weighted-average cost of capital
    Raises      DomainError if a share is not in [0, 1]

    >>> round(float(weighted_capital_cost(0.6, 0.12, 0.07)), 3)
    0.1
    """
    share, tax = as_array(equity_share), as_array(tax_rate)
    if not np.all((share >= 0) & (share <= 1) & (tax >= 0) & (tax <= 1)):
        raise DomainError(f"equity_share={equity_share} and tax_rate={tax_rate} must lie in [0, 1]; give shares")
    return share * equity_return + (1 - share) * as_array(debt_interest) * (1 - tax)
