"""Routers and cascades: what a mix of models costs, how good it is, and how much of it the strong model needs.

Knows shares, prices and qualities of tiers. Knows no model and no router's inside.
"""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def routed_mean(shares: Numeric, values: Numeric) -> Array:
    """Mean price or quality of a mix of tiers.

    Equation
        v = sum_i f_i v_i

    Parameters
        shares  f_i  [1]  array  >= 0, tiers along the last axis, summing to 1
        values  v_i  [1]  array  price (USD/Mtok, USD/request) or quality of each tier

    Returns
        v  [1]  array, in the unit of the values

    Holds when  every tier gets requests of the same size; for unlike ones give prices by the request.
    Source      [lmsys-routellm]
    Raises      DomainError if a share is negative or they do not sum to 1

    >>> round(float(routed_mean(np.array([0.26, 0.74]), np.array([24.7, 0.24]))), 4)
    6.5996
    """
    weights = _checked_shares(shares)
    return np.sum(weights * as_array(values), axis=-1)


def routing_saving(routed_usd: Numeric, baseline_usd: Numeric) -> Array:
    """Share of the bill that routing saves against a stated baseline.

    Equation
        s = 1 - C / C_0

    Parameters
        routed_usd    C    [USD]  array  >= 0, bill of the mix
        baseline_usd  C_0  [USD]  array  > 0, bill of what it replaces: all strong, all middle or a random mix

    Returns
        s  [1]  array; negative where the mix costs more

    Holds when  both serve the same requests; a saving without its baseline says nothing.
    Source      [definition]
    Raises      DomainError if the baseline is not positive

    >>> round(float(routing_saving(6.5996, 24.7)), 4)
    0.7328
    """
    baseline = as_array(baseline_usd)
    if not np.all(baseline > 0):
        raise DomainError(f"baseline_usd={baseline_usd} must be positive; say what the mix replaces")
    return 1 - as_array(routed_usd) / baseline


def strong_share_for_saving(saving: Numeric, strong_usd: Numeric, weak_usd: Numeric) -> Array:
    """Largest share of requests that may go to the strong model for a saving against sending it all.

    Equation
        f = 1 - s / (1 - w / p)

    Parameters
        saving      s  [1]    array  in [0, 1]
        strong_usd  p  [USD]  array  > 0, price of a request or of a million tokens at the strong model
        weak_usd    w  [USD]  array  >= 0, the same at the weak one

    Returns
        f  [1]  array; NaN where no share saves so much

    Holds when  both get requests of the same size.
    Source      [derived]
    Raises      DomainError if the strong price is not positive

    >>> round(float(strong_share_for_saving(0.85, 24.7, 0.24)), 3)
    0.142
    """
    strong = as_array(strong_usd)
    if not np.all(strong > 0):
        raise DomainError(f"strong_usd={strong_usd} must be positive; give the strong model's price")
    most = 1 - as_array(weak_usd) / strong
    share = 1 - as_array(saving) / np.where(most > 0, most, np.nan)
    return np.where((share >= 0) & (share <= 1), share, np.nan)


def quality_at_share(strong_share: Numeric, curve_share: Numeric, curve_quality: Numeric) -> Array:
    """Quality of a router that sends a share of requests to the strong model, read off its calibration curve.

    Equation
        q(f) = linear between the measured points (f_k, q_k)

    Parameters
        strong_share   f    [1]  array  in [0, 1], share of the workload's own requests
        curve_share    f_k  [1]  array  ascending from 0 to 1
        curve_quality  q_k  [1]  array  quality measured at each

    Returns
        q  [1]  array

    Holds when  the curve was measured on requests like the workload's: a share set on another data set is not the
                share that comes out.
    Source      [lmsys-routellm]
    Raises      DomainError if the curve does not ascend from 0 to 1

    >>> round(float(quality_at_share(0.13, np.array([0.0, 0.26, 1.0]), np.array([0.85, 0.95, 1.0]))), 3)
    0.9
    """
    shares, quality = _checked_curve(curve_share, curve_quality)
    return as_array(np.interp(as_array(strong_share), shares, quality))


def share_for_quality(quality: Numeric, curve_share: Numeric, curve_quality: Numeric) -> Array:
    """Least share of requests that must go to the strong model to reach a quality.

    Equation
        f(q) = min {f : q(f) >= q}

    Parameters
        quality        q    [1]  array  wanted
        curve_share    f_k  [1]  array  ascending from 0 to 1
        curve_quality  q_k  [1]  array  quality measured at each

    Returns
        f  [1]  array; NaN where the router never reaches it

    Holds when  as quality_at_share; a curve that dips is read at its first crossing.
    Source      [lmsys-routellm]
    Raises      DomainError if the curve does not ascend from 0 to 1

    >>> curve = np.array([0.0, 0.26, 1.0]), np.array([0.85, 0.95, 1.0])
    >>> float(share_for_quality(0.95, *curve)), float(share_for_quality(1.1, *curve))
    (0.26, nan)
    """
    shares, measured = _checked_curve(curve_share, curve_quality)
    best = np.maximum.accumulate(measured)
    wanted = as_array(quality)
    place = np.minimum(np.searchsorted(best, wanted), len(best) - 1)  # the first point that reaches it
    before = np.maximum(place - 1, 0)
    rise = measured[place] - measured[before]
    part = np.where(rise > 0, (wanted - measured[before]) / np.where(rise > 0, rise, 1.0), 0.0)
    share = shares[before] + part * (shares[place] - shares[before])
    return np.where(wanted <= best[-1], share, np.nan)


def cascade_reach(accepted: Numeric) -> Array:
    """Share of requests that reach each tier of a cascade: a tier sees what all before it passed on.

    Equation
        r_i = prod_{j < i} (1 - a_j)

    Parameters
        accepted  a_j  [1]  array  in [0, 1], tiers along the last axis: share of its requests that a tier keeps

    Returns
        r_i  [1]  array, tiers along the last axis

    Holds when  a tier is tried only after the one before, and each try is paid.
    Source      [derived]
    Raises      DomainError if a share is not in [0, 1]

    >>> cascade_reach(np.array([0.75, 0.5, 1.0])).tolist()
    [1.0, 0.25, 0.125]
    """
    kept = as_array(accepted)
    if not np.all((kept >= 0) & (kept <= 1)):
        raise DomainError(f"accepted={accepted} must lie in [0, 1]; give the share that each tier keeps")
    passed = as_array(np.cumprod(1 - kept, axis=-1))
    return np.concatenate([np.ones_like(passed[..., :1]), passed[..., :-1]], axis=-1)


def cascade_mean(accepted: Numeric, usd: Numeric) -> Array:
    """Mean bill of a request in a cascade.

    Equation
        C = sum_i r_i c_i

    Parameters
        accepted  a_i  [1]    array  in [0, 1], tiers along the last axis
        usd       c_i  [USD]  array  >= 0, what a try at each tier costs, its judge included

    Returns
        C  [USD]  array

    Holds when  as cascade_reach.
    Source      [derived]
    Raises      DomainError if a share is not in [0, 1]

    >>> round(float(cascade_mean(np.array([0.75, 1.0]), np.array([0.24, 24.7]))), 3)
    6.415
    """
    return np.sum(cascade_reach(accepted) * as_array(usd), axis=-1)


def _checked_shares(shares: Numeric) -> Array:
    weights = as_array(shares)
    if not (np.all(weights >= 0) and np.allclose(np.sum(weights, axis=-1), 1.0, rtol=0, atol=1e-9)):
        raise DomainError(f"shares={weights.tolist()} must not be negative and must sum to 1; give every tier's share")
    return weights


def _checked_curve(share: Numeric, quality: Numeric) -> tuple[Array, Array]:
    shares, values = as_array(share), as_array(quality)
    ascending = shares.ndim == 1 and shares.shape == values.shape and len(shares) > 1 and np.all(np.diff(shares) > 0)
    if not (ascending and shares[0] == 0 and shares[-1] == 1):
        raise DomainError(f"curve_share={shares.tolist()} must ascend from 0 to 1, a quality for each; add its ends")
    return shares, values
