"""What rented time costs: rounding, discounts, spot losses, idle hours. Knows prices by the hour, not who asks them."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOUR_S, Array, Numeric, as_array

_STEP_NOISE = 1e-9
"""Share of an increment that counts as rounding of the machine, not as time used."""


def billed_hours(duration_s: Numeric, increment_s: Numeric, minimum_s: Numeric = 0.0) -> Array:
    """Hours on the bill when time is rounded up to whole increments.

    Equation
        t = max(ceil(d / i) i, m) / 3600

    Parameters
        duration_s   d  [s]  array  >= 0, time used
        increment_s  i  [s]  array  > 0, what the provider rounds to: 1, 60 or 3600
        minimum_s    m  [s]  array  >= 0, least time of a bill

    Returns
        t  [hour]  array

    Holds when  each start makes a bill of its own.
    Source      [definition]
    Raises      DomainError if a time is out of range

    >>> billed_hours(61, np.array([1, 60, 3600])).round(4).tolist()
    [0.0169, 0.0333, 1.0]
    """
    used, step, least = as_array(duration_s), as_array(increment_s), as_array(minimum_s)
    if not np.all((used >= 0) & (step > 0) & (least >= 0)):
        raise DomainError(
            f"duration_s={duration_s} and minimum_s={minimum_s} must not be negative, increment_s={increment_s} be "
            "positive; correct them"
        )
    return np.maximum(np.ceil(used / step - _STEP_NOISE) * step, least) / HOUR_S


def discounted_usd_per_hour(list_usd_per_hour: Numeric, discount: Numeric) -> Array:
    """Price after a discount, such as that of a reservation.

    Equation
        p = p_0 (1 - d)

    Parameters
        list_usd_per_hour  p_0  [USD/hour]  array  >= 0, on-demand or list price
        discount           d    [1]         array  in [0, 1]

    Returns
        p  [USD/hour]  array

    Holds when  the discount is on the whole price.
    Source      [definition]
    Raises      DomainError if the discount is not in [0, 1] or the price negative

    >>> round(float(discounted_usd_per_hour(2.99, 0.2308)), 2)
    2.3
    """
    share, price = as_array(discount), as_array(list_usd_per_hour)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"discount={discount} must lie in [0, 1]; give the share taken off")
    if not np.all(price >= 0):
        raise DomainError(f"list_usd_per_hour={list_usd_per_hour} must not be negative; give a price")
    return price * (1 - share)


def effective_usd_per_hour(usd_per_hour: Numeric, loss: Numeric) -> Array:
    """Price of an hour of useful work where part of the paid time is lost, as on spot capacity.

    Equation
        p_e = p (1 + l)

    Parameters
        usd_per_hour  p  [USD/hour]  array  >= 0, of a paid hour
        loss          l  [1]         array  >= 0, time lost per useful time (see failures.interruption_loss)

    Returns
        p_e  [USD/hour]  array; inf where work never gets done

    Holds when  lost time is paid like useful time.
    Source      [definition]
    Raises      DomainError if the price or the loss is negative

    >>> round(float(effective_usd_per_hour(1.03, 0.0421)), 3)
    1.073
    """
    price, lost = as_array(usd_per_hour), as_array(loss)
    if not np.all((price >= 0) & (lost >= 0)):
        raise DomainError(f"usd_per_hour={usd_per_hour} and loss={loss} must not be negative; correct them")
    done = np.isfinite(lost)
    return np.where(done, price * (1 + np.where(done, lost, 0.0)), np.inf)


def idle_usd(usd_per_hour: Numeric, idle_hours: Numeric, accelerators: Numeric = 1) -> Array:
    """What idle hours cost.

    Equation
        c = p n t

    Parameters
        usd_per_hour  p  [USD/hour]  array  >= 0, of one accelerator
        idle_hours    t  [hour]      array  >= 0
        accelerators  n  [1]         array  >= 0, that stand idle

    Returns
        c  [USD]  array

    Holds when  idle time is paid like busy time.
    Source      [definition]
    Raises      DomainError if a value is negative

    >>> float(idle_usd(2.0, 12 * 30))
    720.0
    """
    cost = as_array(usd_per_hour) * accelerators * idle_hours
    if not (np.all(as_array(usd_per_hour) >= 0) and np.all(cost >= 0)):
        raise DomainError(
            f"usd_per_hour={usd_per_hour}, idle_hours={idle_hours} and accelerators={accelerators} must not be "
            "negative; correct them"
        )
    return cost


def reservation_share(reserved_usd_per_hour: Numeric, on_demand_usd_per_hour: Numeric) -> Array:
    """Share of hours above which a reservation costs less than renting on demand.

    Equation
        s = p_r / p_o,  inf where the reservation never pays

    Parameters
        reserved_usd_per_hour   p_r  [USD/hour]  array  >= 0, paid every hour
        on_demand_usd_per_hour  p_o  [USD/hour]  array  >= 0, paid for hours used

    Returns
        s  [1]  array; inf where p_r >= p_o

    Holds when  capacity on demand is there when it is needed.
    Source      [derived]
    Raises      DomainError if a price is negative

    >>> round(float(reservation_share(2.30, 2.99)), 3), float(reservation_share(3.0, 2.99))
    (0.769, inf)
    """
    reserved, on_demand = as_array(reserved_usd_per_hour), as_array(on_demand_usd_per_hour)
    if not np.all((reserved >= 0) & (on_demand >= 0)):
        raise DomainError(
            f"reserved_usd_per_hour={reserved_usd_per_hour} and on_demand_usd_per_hour={on_demand_usd_per_hour} must "
            "not be negative; give prices"
        )
    cheaper = reserved < on_demand
    return np.where(cheaper, reserved / np.where(cheaper, on_demand, 1.0), np.inf)
