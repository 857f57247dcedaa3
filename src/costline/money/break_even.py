"""Where two ways of paying cost the same, and how sure that is. Knows bills and rates, not what is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOUR_S, MEGA, Array, Numeric, as_array

_NO_INTEREST = 1e-200
"""Interest below this share of a saving would underflow; the quotient without interest is then exact."""

Interval = tuple[float, float, float]
"""Low, likely and high value of an input that is not known well."""


def break_even_tokens(fixed_usd: Numeric, price_usd_per_mtok: Numeric, variable_usd_per_mtok: Numeric = 0.0) -> Array:
    """Tokens of a period above which a fixed cost is cheaper than a price by the token.

    Equation
        n = 10^6 F / (p - v)

    Parameters
        fixed_usd              F  [USD]       array  >= 0, of the period: what capacity costs, used or not
        price_usd_per_mtok     p  [USD/Mtok]  array  price by the token
        variable_usd_per_mtok  v  [USD/Mtok]  array  what each token still costs with the capacity

    Returns
        n  [token]  array, in the period; inf where v >= p

    Holds when  the capacity can serve so many tokens (see break_even_load).
    Source      [derived]
    Raises      DomainError if the fixed cost is negative

    >>> float(break_even_tokens(1440, 0.40)), float(break_even_tokens(1440, 15)), float(break_even_tokens(1, 1, 2))
    (3600000000.0, 96000000.0, inf)
    """
    fixed = as_array(fixed_usd)
    if not np.all(fixed >= 0):
        raise DomainError(f"fixed_usd={fixed_usd} must not be negative; give the bill of the period")
    saved = as_array(price_usd_per_mtok) - variable_usd_per_mtok
    return np.where(saved > 0, fixed / np.where(saved > 0, saved, 1.0) * MEGA, np.inf)


def break_even_load(usd_per_hour: Numeric, tokens_per_s: Numeric, price_usd_per_mtok: Numeric) -> Array:
    """Utilisation above which capacity by the hour is cheaper than a price by the token.

    Equation
        u = p_h / (3600 r p / 10^6),  inf where that exceeds 1

    Parameters
        usd_per_hour        p_h  [USD/hour]  array  >= 0, of the capacity: rented, owned or provisioned
        tokens_per_s        r    [token/s]   array  >= 0, that it serves while busy
        price_usd_per_mtok  p    [USD/Mtok]  array  >= 0, price by the token

    Returns
        u  [1]  array, in [0, 1]; inf where the capacity never pays

    Holds when  both count the same tokens; for input and output apart, give p as the mean of the mix.
    Source      [derived]
    Raises      DomainError if a value is negative

    >>> round(float(break_even_load(2.0, 2000, 0.40)), 3), float(break_even_load(2.0, 1000, 0.40))
    (0.694, inf)
    """
    hour, rate, price = as_array(usd_per_hour), as_array(tokens_per_s), as_array(price_usd_per_mtok)
    if not (np.all(hour >= 0) and np.all(rate >= 0) and np.all(price >= 0)):
        raise DomainError(
            f"usd_per_hour={usd_per_hour}, tokens_per_s={tokens_per_s} and price_usd_per_mtok={price_usd_per_mtok} "
            "must not be negative; correct them"
        )
    worth = HOUR_S * rate * price / MEGA
    pays = (worth >= hour) & (worth > 0)
    return np.where(pays, hour / np.where(pays, worth, 1.0), np.inf)


def break_even_utilization(owned_usd_per_hour: Numeric, rented_usd_per_hour: Numeric) -> Array:
    """Share of hours in use above which owning costs less than renting those hours.

    Equation
        u = p_own / p_rent,  inf where that exceeds 1

    Parameters
        owned_usd_per_hour   p_own   [USD/hour]  array  >= 0, paid every hour
        rented_usd_per_hour  p_rent  [USD/hour]  array  >= 0, paid for hours in use

    Returns
        u  [1]  array, in [0, 1]; inf where renting always costs less

    Holds when  rented capacity can be given back by the hour; for a reservation both are paid every hour.
    Source      [derived]
    Raises      DomainError if a price is negative

    >>> owned = 675_000 / (8 * 3 * 8_760)
    >>> break_even_utilization(owned, np.array([6.88, 3.99, 3.20])).round(3).tolist()
    [0.467, 0.805, inf]
    """
    owned, rented = as_array(owned_usd_per_hour), as_array(rented_usd_per_hour)
    if not (np.all(owned >= 0) and np.all(rented >= 0)):
        raise DomainError(
            f"owned_usd_per_hour={owned_usd_per_hour} and rented_usd_per_hour={rented_usd_per_hour} must not be "
            "negative; give prices"
        )
    pays = (owned <= rented) & (rented > 0)
    return np.where(pays, owned / np.where(pays, rented, 1.0), np.inf)


def break_even_months(
    capital_usd: Numeric,
    running_usd_per_month: Numeric,
    alternative_usd_per_month: Numeric,
    interest_per_year: Numeric = 0.0,
) -> Array:
    """Months until a purchase has paid for itself.

    Equation
        n = -ln(1 - C i_m / s) / ln(1 + i_m),  i_m = (1 + i)^(1/12) - 1,  s = b - r;  C / s where i = 0

    Parameters
        capital_usd                C  [USD]        array  >= 0, paid at the start
        running_usd_per_month      r  [USD/month]  array  of what was bought
        alternative_usd_per_month  b  [USD/month]  array  bill that it replaces
        interest_per_year          i  [1/year]     array  >= 0, cost of capital

    Returns
        n  [month]  array; 0 where nothing is paid, inf where the savings never cover the price

    Holds when  both bills stay as they are and fall due at each month's end.
    Source      [brealey-2020] discounted payback
    Raises      DomainError if the price or the interest is negative

    >>> float(break_even_months(240_000, 4_000, 24_000)), float(break_even_months(240_000, 4_000, 4_000))
    (12.0, inf)
    >>> round(float(break_even_months(240_000, 4_000, 24_000, 0.10)), 2)
    12.66
    """
    capital, interest = as_array(capital_usd), as_array(interest_per_year)
    if not (np.all(capital >= 0) and np.all(interest >= 0)):
        raise DomainError(f"capital_usd={capital_usd} and interest_per_year={interest_per_year} must not be negative")
    saved, capital, interest = np.broadcast_arrays(
        as_array(alternative_usd_per_month) - running_usd_per_month, capital, interest
    )
    saves = saved > 0
    plain = capital / np.where(saves, saved, 1.0)
    growth = np.log1p(interest) / 12
    owed = plain * np.expm1(growth)  # interest of the first month over the saving of a month
    covers = saves & (owed < 1)
    dear = covers & (owed > _NO_INTEREST)
    months = np.where(dear, -np.log1p(-np.where(dear, owed, 0.5)) / np.where(dear, growth, 1.0), plain)
    return np.where(covers, months, np.where(capital > 0, np.inf, 0.0))


def cumulative_usd(
    months: Numeric, *, upfront_usd: Numeric = 0.0, usd_per_month: Numeric = 0.0, salvage_usd: Numeric = 0.0
) -> Array:
    """What an option has cost by the end of each month if it ended there.

    Equation
        c = C + b n - S

    Parameters
        months         n  [month]      array  >= 0
        upfront_usd    C  [USD]        array  paid at the start
        usd_per_month  b  [USD/month]  array  paid at each month's end
        salvage_usd    S  [USD]        array  what it would fetch then, month by month or 0

    Returns
        c  [USD]  array

    Holds when  payments are not discounted: this is the table of cash.
    Source      [definition]
    Raises      nothing

    >>> cumulative_usd(np.array([0, 1, 12]), upfront_usd=100.0, usd_per_month=10.0).tolist()
    [100.0, 110.0, 220.0]
    """
    return as_array(upfront_usd) + as_array(usd_per_month) * months - salvage_usd


def corner_interval(function: Callable[..., Numeric], inputs: Mapping[str, Interval]) -> Interval:
    """Least, likely and greatest result over inputs that are each known within an interval.

    Equation
        [min f(x), f(likely), max f(x)],  x over all 2^k corners and the likely point

    Parameters
        function  f  function of the inputs by keyword, a number
        inputs    x  mapping from name to (low, likely, high)

    Returns
        (low, likely, high) of the result; record of three numbers

    Holds when  f is monotone in each input; the ends are exact then, else only what the corners show.
    Source      [derived]
    Raises      DomainError if an interval is out of order or there are more than 16 inputs

    >>> corner_interval(break_even_utilization, {"owned_usd_per_hour": (2, 3, 4), "rented_usd_per_hour": (5, 6, 8)})
    (0.25, 0.5, 0.8)
    """
    _check_intervals(inputs)
    likely = float(function(**{name: middle for name, (_, middle, _) in inputs.items()}))
    ends = ({low, high} for low, _, high in inputs.values())
    values = [float(function(**dict(zip(inputs, corner, strict=True)))) for corner in product(*ends)]
    return min(likely, *values), likely, max(likely, *values)


def swings(function: Callable[..., Numeric], inputs: Mapping[str, Interval]) -> dict[str, tuple[float, float]]:
    """How far each input moves a result by itself, the one that moves it most first.

    Equation
        (f(low_k), f(high_k)),  the other inputs likely;  sorted by |f(high_k) - f(low_k)|

    Parameters
        function  f  function of the inputs by keyword, a number
        inputs    x  mapping from name to (low, likely, high)

    Returns
        mapping from name to the results at its low and its high end

    Holds when  inputs are uncertain independently of one another.
    Source      [derived]
    Raises      DomainError as corner_interval

    >>> swings(break_even_utilization, {"owned_usd_per_hour": (2, 3, 3.3), "rented_usd_per_hour": (5, 6, 8)})
    {'rented_usd_per_hour': (0.6, 0.375), 'owned_usd_per_hour': (0.3333333333333333, 0.5499999999999999)}
    """
    _check_intervals(inputs)
    likely = {name: middle for name, (_, middle, _) in inputs.items()}
    found = {
        name: (float(function(**likely | {name: low})), float(function(**likely | {name: high})))
        for name, (low, _, high) in inputs.items()
    }
    return dict(sorted(found.items(), key=lambda item: _width(*item[1]), reverse=True))


def _width(low: float, high: float) -> float:
    return 0.0 if low == high else abs(high - low)


def _check_intervals(inputs: Mapping[str, Interval]) -> None:
    if len(inputs) > 16:
        raise DomainError(f"inputs={len(inputs)} intervals have too many corners; leave at most 16 uncertain")
    for name, (low, likely, high) in inputs.items():
        if not low <= likely <= high:
            raise DomainError(f"{name}=({low}, {likely}, {high}) must ascend; give low, likely and high")
