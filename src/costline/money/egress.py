"""What moving bytes costs: out to users, between zones, over a rented link. Knows tiers as numbers, not whose."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import GIGA, HOURS_PER_MONTH, MEGA, Array, Numeric, as_array


def transfer_usd(transferred_bytes: Numeric, tier_from_bytes: Numeric, tier_usd_per_gb: Numeric) -> Array:
    """Bill of a month's transfer by a table in which each further tier has its own rate.

    Equation
        c = Σ_k r_k min(max(b - f_k, 0), f_(k+1) - f_k) / 10^9

    Parameters
        transferred_bytes  b  [byte]    array  >= 0, of one billing month
        tier_from_bytes    f  [byte]    array  where each tier begins, ascending from 0, on the last axis
        tier_usd_per_gb    r  [USD/GB]  array  rate within each tier, on the last axis; 0 = a free allowance

    Returns
        c  [USD]  array, without the axis of tiers

    Holds when  the tiers count the bytes of all regions and services together; the last tier has no end.
    Source      [definition]
    Raises      DomainError if tiers do not ascend from 0, or bytes or a rate are negative

    >>> tiers = [0, 10e12, 50e12, 150e12], [0.09, 0.085, 0.07, 0.05]
    >>> transfer_usd(np.array([75e12, 1e15]), *tiers).round(2).tolist()
    [6050.0, 53800.0]
    """
    start, rate, moved = as_array(tier_from_bytes), as_array(tier_usd_per_gb), as_array(transferred_bytes)
    if not (np.all(start[..., 0] == 0) and np.all(np.diff(start, axis=-1) > 0)):
        raise DomainError(f"tier_from_bytes={start.tolist()} must ascend from 0; sort the tiers and begin at 0")
    if not (np.all(moved >= 0) and np.all(rate >= 0)):
        raise DomainError(
            f"transferred_bytes={transferred_bytes} and tier_usd_per_gb={rate.tolist()} must not be negative; correct"
        )
    end = np.concatenate([start[..., 1:], np.full_like(start[..., :1], np.inf)], axis=-1)
    return np.sum(rate * np.clip(moved[..., np.newaxis] - start, 0.0, end - start), axis=-1) / GIGA


def transfer_usd_per_mtok(byte_per_token: Numeric, usd_per_gb: Numeric) -> Array:
    """Transfer that a million tokens add to their cost.

    Equation
        c = 10^6 b r / 10^9

    Parameters
        byte_per_token  b  [byte/token]  array  >= 0, sent per token: about 5 as plain text, hundreds as events
        usd_per_gb      r  [USD/GB]      array  >= 0, marginal rate

    Returns
        c  [USD/Mtok]  array

    Holds when  the rate is that of the tier in which the month's last byte falls.
    Source      [definition]
    Raises      DomainError if a value is negative

    >>> round(float(transfer_usd_per_mtok(5, 0.09)), 6)
    0.00045
    """
    size, rate = as_array(byte_per_token), as_array(usd_per_gb)
    if not np.all((size >= 0) & (rate >= 0)):
        raise DomainError(f"byte_per_token={byte_per_token} and usd_per_gb={usd_per_gb} must not be negative; correct")
    return size * rate * (MEGA / GIGA)


def cross_zone_usd(transferred_bytes: Numeric, usd_per_gb: Numeric, directions: Numeric = 2) -> Array:
    """Bill of traffic between zones of a region, where both ends pay.

    Equation
        c = d r b / 10^9

    Parameters
        transferred_bytes  b  [byte]    array  >= 0, that cross once
        usd_per_gb         r  [USD/GB]  array  >= 0, in one direction
        directions         d  [1]       array  2 where sender and receiver pay, 1 where only the sender does

    Returns
        c  [USD]  array

    Holds when  every byte crosses one border of zones.
    Source      [palanor-kb] node on cross-AZ transfer; [definition]
    Raises      DomainError if a value is negative

    >>> float(cross_zone_usd(1e9, 0.01))
    0.02
    """
    moved, rate, ends = as_array(transferred_bytes), as_array(usd_per_gb), as_array(directions)
    if not np.all((moved >= 0) & (rate >= 0) & (ends >= 0)):
        raise DomainError(
            f"transferred_bytes={transferred_bytes}, usd_per_gb={usd_per_gb} and directions={directions} must not be "
            "negative; correct them"
        )
    return ends * rate * moved / GIGA


def link_usd_per_month(usd_per_hour: Numeric, links: Numeric = 1) -> Array:
    """Monthly bill of rented links, whose bytes are free.

    Equation
        c = 730 p n

    Parameters
        usd_per_hour  p  [USD/hour]  array  >= 0, of one link at its bandwidth and distance
        links         n  [1]         array  >= 0

    Returns
        c  [USD/month]  array

    Holds when  a link is paid whether used or not.
    Source      [palanor-kb] node on inter-region pricing; [definition]
    Raises      DomainError if a value is negative

    >>> round(float(link_usd_per_month(12.33)), 2)
    9000.9
    """
    price, count = as_array(usd_per_hour), as_array(links)
    if not np.all((price >= 0) & (count >= 0)):
        raise DomainError(f"usd_per_hour={usd_per_hour} and links={links} must not be negative; correct them")
    return HOURS_PER_MONTH * price * count
