"""Pools of servers by Erlang: how long an arrival waits, how many servers a promise takes, what one pool saves.

A server is whatever takes one request at a time: a slot of a batch, or a replica.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.errors import DomainError
from costline.quantities import MEGA, Array, Numeric, as_array
from costline.serving.queueing import erlang_c

MOST_SERVERS = int(MEGA)


def erlang_wait_s(servers: Numeric, offered_load: Numeric, service_s: Numeric, cv2_sum: Numeric = 2.0) -> Array:
    """Mean wait of an arrival to a pool.

    Equation
        W = C(c, a) s / (c - a) (c_a² + c_s²) / 2

    Parameters
        servers       c            [1]  array  whole, >= 1
        offered_load  a            [1]  array  arrival rate times mean service time
        service_s     s            [s]  array  mean service time
        cv2_sum       c_a² + c_s²  [1]  array  squared coefficients of variation of gaps and services together

    Returns
        W  [s]  array; inf where a >= c

    Holds when  exactly for M/M/c (cv2_sum = 2); otherwise the approximation of Allen and Cunneen, exact for M/G/1.
    Source      [erlang-1917]; [allen-1990]
    Raises      nothing

    >>> float(erlang_wait_s(1, 0.5, 2.0)), round(float(erlang_wait_s(10, 8.0, 1.0)), 4)
    (2.0, 0.2046)
    """
    c, a = as_array(servers), as_array(offered_load)
    stable = a < c
    wait = erlang_c(c, a) * service_s / np.where(stable, c - a, 1.0) * as_array(cv2_sum) / 2
    return np.where(stable, wait, np.inf)


def erlang_share_beyond(servers: Numeric, offered_load: Numeric, patience: Numeric) -> Array:
    """Share of arrivals to M/M/c that wait longer than a limit.

    Equation
        P(wait > t) = C(c, a) exp(-(c - a) t / s)

    Parameters
        servers       c      [1]  array  whole, >= 1
        offered_load  a      [1]  array  arrival rate times mean service time
        patience      t / s  [1]  array  >= 0, the limit in mean service times

    Returns
        P  [1]  array; 1 where a >= c

    Holds when  served in order of arrival.
    Source      [erlang-1917]
    Raises      nothing

    >>> round(float(erlang_share_beyond(10, 8.0, 0.0)), 4), round(float(erlang_share_beyond(10, 8.0, 1.0)), 4)
    (0.4092, 0.0554)
    """
    c, a = as_array(servers), as_array(offered_load)
    return erlang_c(c, a) * np.exp(-np.maximum(c - a, 0.0) * as_array(patience))


def erlang_wait_quantile_s(servers: Numeric, offered_load: Numeric, service_s: Numeric, quantile: Numeric) -> Array:
    """Quantile of the wait in M/M/c.

    Equation
        t_q = s / (c - a) ln(C(c, a) / (1 - q)),  0 where C <= 1 - q

    Parameters
        servers       c  [1]  array  whole, >= 1
        offered_load  a  [1]  array  arrival rate times mean service time
        service_s     s  [s]  array  mean service time
        quantile      q  [1]  array  in (0, 1)

    Returns
        t_q  [s]  array; inf where a >= c

    Holds when  served in order of arrival.
    Source      [erlang-1917]
    Raises      nothing

    >>> round(float(erlang_wait_quantile_s(10, 8.0, 1.0, 0.99)), 4), float(erlang_wait_quantile_s(100, 50.0, 1.0, 0.9))
    (1.8558, 0.0)
    """
    c, a = as_array(servers), as_array(offered_load)
    stable = a < c
    ratio = np.maximum(erlang_c(c, a) / (1 - as_array(quantile)), 1.0)
    wait = as_array(service_s) / np.where(stable, c - a, 1.0) * np.log(ratio)
    return np.where(stable, wait, np.inf)


def least_servers(offered_load: Numeric, share: Numeric, patience: Numeric = 0.0) -> Array:
    """Fewest servers with which no more than a share of arrivals waits longer than a limit.

    Equation
        c* = min c:  c > a  and  C(c, a) exp(-(c - a) t / s) <= p

    Parameters
        offered_load  a      [1]  array  >= 0, arrival rate times mean service time
        share         p      [1]  array  in (0, 1]
        patience      t / s  [1]  array  >= 0, the limit in mean service times; 0: no more than p wait at all

    Returns
        c*  [1]  array, at least 1

    Holds when  M/M/c, served in order of arrival.
    Source      [erlang-1917]
    Raises      DomainError where a load is not finite or above a million, or a share is not in (0, 1]

    >>> float(least_servers(50.0, 0.1)), float(least_servers(8.0, 0.5)), float(least_servers(8.0, 0.1, 1.0))
    (61.0, 10.0, 10.0)
    """
    a, p, limit = np.broadcast_arrays(as_array(offered_load), as_array(share), as_array(patience))
    if not np.all((a >= 0) & (a < MOST_SERVERS) & (p > 0) & (p <= 1) & (limit >= 0)):
        raise DomainError(
            f"offered_load must be in [0, {MOST_SERVERS:,}), share in (0, 1] and patience >= 0; correct them"
        )
    found, blocked, c = np.zeros(a.shape), np.ones(a.shape), 0
    while not np.all(found):
        c += 1
        blocked = a * blocked / (c + a * blocked)
        stable = a < c
        waiting = (
            c * blocked / np.where(stable, c - a * (1 - blocked), 1.0) * np.exp(-np.where(stable, c - a, 0.0) * limit)
        )
        found = np.where((found == 0) & stable & (waiting <= p), c, found)
    return found


@dataclass(frozen=True)
class Pooling:
    """Servers that one pool and so many pools of an equal share of the load take for the same promise."""

    pools: Array
    apart: Array
    """Servers of all the pools together."""
    together: Array
    """Servers of the one pool."""
    apart_utilization: Array
    together_utilization: Array


def pooling(load_per_pool: Numeric, pools: Numeric, share: Numeric, patience: Numeric = 0.0) -> Pooling:
    """What one pool saves against several, for a promise as of `least_servers`."""
    a, n = np.broadcast_arrays(as_array(load_per_pool), as_array(pools))
    each = least_servers(a, share, patience)
    together = least_servers(a * n, share, patience)
    return Pooling(as_array(n), n * each, together, a / each, a * n / together)
