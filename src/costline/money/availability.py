"""Copies that a promise of availability needs. Knows chances and counts, not what a copy costs."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOURS_PER_YEAR, Array, Numeric, as_array

MOST_SPARES = 64
"""Spare copies beyond which a target counts as out of reach."""


def serviceable_share(failures_per_year: Numeric, repair_years: Numeric) -> Array:
    """Share of time in which a device that fails and is repaired can work.

    Equation
        a = 1 / (1 + λ r)

    Parameters
        failures_per_year  λ  [1/year]  array  >= 0
        repair_years       r  [year]    array  >= 0, from failure until it serves again

    Returns
        a  [1]  array

    Holds when  a failed device does not fail again before it is repaired.
    Source      [barlow-1965] steady-state availability
    Raises      DomainError if a value is negative

    >>> round(float(serviceable_share(0.0611, 7 / 365)), 5)
    0.99883
    """
    lost = as_array(failures_per_year) * repair_years
    if not np.all((as_array(failures_per_year) >= 0) & (lost >= 0)):
        raise DomainError(
            f"failures_per_year={failures_per_year} and repair_years={repair_years} must not be negative; correct them"
        )
    return 1 / (1 + lost)


def redundant_availability(
    availability: Numeric, copies: Numeric, *, needed: Numeric = 1, common_share: Numeric = 0.0
) -> Array:
    """Share of time in which enough of several copies work.

    Equation
        A = (1 - β q) P(Binomial(n, 1 - (1 - β) q) >= k),  q = 1 - a;  1 - (1 - a)^n for k = 1, β = 0

    Parameters
        availability  a  [1]  array  in [0, 1], of one copy
        copies        n  [1]  array  whole, that run
        needed        k  [1]  array  whole, >= 1, that carry the load
        common_share  β  [1]  array  in [0, 1], share of failures that strike all copies at once

    Returns
        A  [1]  array; 0 where fewer copies run than are needed

    Holds when  other failures are independent and a copy takes over at once.
    Source      [barlow-1965] k out of n; [fleming-1975] common causes
    Raises      DomainError if a share is not in [0, 1] or needed is below 1

    >>> round(float(redundant_availability(0.999, 2)), 8), round(float(redundant_availability(0.999, 3, needed=2)), 8)
    (0.999999, 0.999997)
    """
    from scipy.special import betainc

    up, n, k, beta = np.broadcast_arrays(*(as_array(value) for value in (availability, copies, needed, common_share)))
    if not np.all((up >= 0) & (up <= 1) & (beta >= 0) & (beta <= 1) & (k >= 1)):
        raise DomainError(
            f"availability={availability} and common_share={common_share} must lie in [0, 1], needed={needed} be at "
            "least 1; correct them"
        )
    alone = 1 - (1 - beta) * (1 - up)
    enough = n >= k
    return np.where(enough, (1 - beta * (1 - up)) * betainc(k, np.where(enough, n - k, 0.0) + 1, alone), 0.0)


def copies_for_availability(
    target: Numeric, availability: Numeric, *, needed: Numeric = 1, common_share: Numeric = 0.0
) -> Array:
    """Fewest copies that keep a promise of availability.

    Equation
        n* = min {n >= k : A(n) >= A*},  inf where the common causes alone break the promise

    Parameters
        target        A*  [1]  array  in [0, 1], promised share of time
        availability  a   [1]  array  in [0, 1], of one copy
        needed        k   [1]  array  whole, >= 1, that carry the load
        common_share  β   [1]  array  in [0, 1], share of failures that strike all copies at once

    Returns
        n*  [1]  array; inf where 64 spare copies do not suffice

    Holds when  A is redundant_availability.
    Source      [barlow-1965] k out of n
    Raises      DomainError as redundant_availability

    >>> copies_for_availability(np.array([0.999, 0.9999, 0.999999]), 0.999).tolist()
    [1.0, 2.0, 2.0]
    """
    promised, k = np.broadcast_arrays(as_array(target), as_array(needed))
    extra = np.arange(MOST_SPARES + 1, dtype=np.float64)
    reached = redundant_availability(
        as_array(availability)[..., np.newaxis],
        k[..., np.newaxis] + extra,
        needed=k[..., np.newaxis],
        common_share=as_array(common_share)[..., np.newaxis],
    )
    kept = reached >= promised[..., np.newaxis] - np.finfo(np.float64).eps
    return np.where(np.any(kept, axis=-1), k + np.argmax(kept, axis=-1), np.inf)


def downtime_hours_per_year(availability: Numeric) -> Array:
    """Hours of a year in which the service is down.

    Equation
        t = 8760 (1 - A)

    Parameters
        availability  A  [1]  array  in [0, 1]

    Returns
        t  [hour]  array, of a year

    Holds when  always.
    Source      [definition]
    Raises      DomainError if the availability is not in [0, 1]

    >>> downtime_hours_per_year(np.array([0.999, 0.9999])).round(3).tolist()
    [8.76, 0.876]
    """
    share = as_array(availability)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"availability={availability} must lie in [0, 1]; give a share of time such as 0.999")
    return HOURS_PER_YEAR * (1 - share)


def functional_availability(availability: Numeric, failover_share: Numeric, failover_quality: Numeric) -> Array:
    """Share of time in which answers are good enough, when a lesser model stands in for the usual one.

    Equation
        A_f = A + (1 - A) f q

    Parameters
        availability      A  [1]  array  in [0, 1], of the usual model
        failover_share    f  [1]  array  in [0, 1], share of its downtime that the stand-in covers
        failover_quality  q  [1]  array  in [0, 1], share of the stand-in's answers that are good enough

    Returns
        A_f  [1]  array; an uptime that counts every answer would be A + (1 - A) f

    Holds when  the usual model's answers all count.
    Source      [palanor-kb] node on functional availability; [definition]
    Raises      DomainError if a share is not in [0, 1]

    >>> round(float(functional_availability(0.99, 0.9, 0.5)), 4)
    0.9945
    """
    shares = [as_array(value) for value in (availability, failover_share, failover_quality)]
    if not all(np.all((share >= 0) & (share <= 1)) for share in shares):
        raise DomainError(
            f"availability={availability}, failover_share={failover_share}, failover_quality={failover_quality} "
            "must lie in [0, 1]; give shares"
        )
    up, covered, good = shares
    return up + (1 - up) * covered * good
