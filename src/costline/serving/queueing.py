"""Queueing in closed form, each equation under its author's name. Knows service times and rates, not what is served."""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, Numeric, as_array


def erlang_b(servers: Numeric, offered_load: Numeric) -> Array:
    """Probability that an arrival finds all servers busy and is turned away: M/M/c without a queue.

    Equation
        B(0) = 1,  B(k) = a B(k-1) / (k + a B(k-1))

    Parameters
        servers       c  [1]  array  whole, >= 0
        offered_load  a  [1]  array  >= 0, arrival rate times mean service time

    Returns
        B  [1]  array

    Holds when  arrivals are Poisson; service times may have any distribution.
    Source      [erlang-1917]
    Raises      nothing

    >>> round(float(erlang_b(10, 8.0)), 4), float(erlang_b(1, 1.0))
    (0.1217, 0.5)
    """
    c, a = np.broadcast_arrays(as_array(servers), as_array(offered_load))
    blocked = np.ones(c.shape)
    for k in range(1, int(np.max(c, initial=0)) + 1):
        blocked = np.where(k <= c, a * blocked / (k + a * blocked), blocked)
    return blocked


def erlang_c(servers: Numeric, offered_load: Numeric) -> Array:
    """Probability that an arrival to M/M/c must wait.

    Equation
        C = c B / (c - a (1 - B)),  B of `erlang_b`

    Parameters
        servers       c  [1]  array  whole, >= 1
        offered_load  a  [1]  array  arrival rate times mean service time

    Returns
        C  [1]  array; 1 where a >= c

    Holds when  arrivals are Poisson and service times exponential.
    Source      [erlang-1917]
    Raises      nothing

    >>> round(float(erlang_c(10, 8.0)), 4), round(float(erlang_c(100, 80.0)), 4)
    (0.4092, 0.0196)
    """
    c, a = as_array(servers), as_array(offered_load)
    blocked = erlang_b(c, a)
    stable = a < c
    return np.where(stable, c * blocked / np.where(stable, c - a * (1 - blocked), 1.0), 1.0)


def allen_cunneen_wait_s(
    utilization: Numeric, service_s: Numeric, arrival_cv2: Numeric = 1.0, service_cv2: Numeric = 0.0
) -> Array:
    """Mean wait in a G/G/1 queue.

    Equation
        W = rho / (1 - rho) (c_a² + c_s²) / 2 s

    Parameters
        utilization  rho   [1]  array  arrival rate times mean service time
        service_s    s     [s]  array  mean service time
        arrival_cv2  c_a²  [1]  array  squared coefficient of variation of the gaps (Poisson 1, constant 0)
        service_cv2  c_s²  [1]  array  the same of service times

    Returns
        W  [s]  array; inf where rho >= 1

    Holds when  load is moderate to heavy; exact for M/G/1 (Pollaczek-Khinchine).
    Source      [allen-1990]; [pollaczek-1930]
    Raises      nothing

    >>> float(allen_cunneen_wait_s(0.5, 2.0)), float(allen_cunneen_wait_s(1.0, 2.0))
    (1.0, inf)
    """
    rho = as_array(utilization)
    idle = np.where(rho < 1, 1 - rho, np.nan)
    wait = rho / idle * (as_array(arrival_cv2) + service_cv2) / 2 * service_s
    return np.where(rho < 1, wait, np.inf)


def kingman_wait_s(
    utilization: Numeric, service_s: Numeric, arrival_cv2: Numeric = 1.0, service_cv2: Numeric = 0.0
) -> Array:
    """What the mean wait in a G/G/1 queue cannot exceed.

    Equation
        W <= s (c_a² / rho + rho c_s²) / (2 (1 - rho))

    Parameters
        utilization  rho   [1]  array  arrival rate times mean service time
        service_s    s     [s]  array  mean service time
        arrival_cv2  c_a²  [1]  array  squared coefficient of variation of the gaps
        service_cv2  c_s²  [1]  array  the same of service times

    Returns
        W  [s]  array; inf where rho >= 1 or rho = 0 with gaps that vary

    Holds when  gaps and services are independent; tight as rho nears 1.
    Source      [kingman-1962]
    Raises      nothing

    >>> float(kingman_wait_s(0.5, 2.0)), float(kingman_wait_s(0.5, 2.0, 0.0, 1.0))
    (4.0, 1.0)
    """
    rho, gaps = as_array(utilization), as_array(arrival_cv2)
    busy = (rho > 0) & (rho < 1)
    safe = np.where(busy, rho, 0.5)
    bound = as_array(service_s) * (gaps / safe + safe * as_array(service_cv2)) / (2 * (1 - safe))
    never = np.where((rho <= 0) & (gaps <= 0), 0.0, np.inf)
    return np.where(busy, bound, never)


def sakasegawa_wait_share(servers: Numeric, utilization: Numeric) -> Array:
    """Share of arrivals that wait in a queue with many servers, without summing Erlang's series.

    Equation
        P = rho^(sqrt(2 (c + 1)) - 1)

    Parameters
        servers      c    [1]  array  >= 1
        utilization  rho  [1]  array  >= 0, offered load over servers

    Returns
        P  [1]  array; 1 where rho >= 1, rho for one server

    Holds when  M/M/c, to 0.05 of Erlang C up to 512 servers. Errs high: at most 2 % below it, but a multiple of a share
                that is small anyway (32 servers: 1.03 times at rho = 0.9, 2.1 at 0.7, where 3 % wait).
    Source      [sakasegawa-1977]
    Raises      nothing

    >>> round(float(sakasegawa_wait_share(10, 0.8)), 3), float(sakasegawa_wait_share(1, 0.5))
    (0.439, 0.5)
    """
    rho = np.clip(as_array(utilization), 0.0, 1.0)
    return rho ** (np.sqrt(2 * (as_array(servers) + 1)) - 1)


def sakasegawa_wait_s(servers: Numeric, utilization: Numeric, service_s: Numeric, cv2_sum: Numeric = 2.0) -> Array:
    """Mean wait in a queue with many servers.

    Equation
        W = P(c, rho) / (c (1 - rho)) (c_a² + c_s²) / 2 s

    Parameters
        servers      c            [1]  array  >= 1
        utilization  rho          [1]  array  >= 0, offered load over servers
        service_s    s            [s]  array  mean service time
        cv2_sum      c_a² + c_s²  [1]  array  squared coefficients of variation of gaps and services together

    Returns
        W  [s]  array; inf where rho >= 1

    Holds when  load is heavy, see `sakasegawa_wait_share`; M/M/c for cv2_sum = 2.
    Source      [sakasegawa-1977]; [allen-1990]
    Raises      nothing

    >>> float(sakasegawa_wait_s(1, 0.5, 2.0)), float(sakasegawa_wait_s(4, 1.0, 2.0))
    (2.0, inf)
    """
    rho, c = as_array(utilization), as_array(servers)
    idle = np.where(rho < 1, 1 - rho, np.nan)
    wait = sakasegawa_wait_share(c, rho) / (c * idle) * as_array(cv2_sum) / 2 * service_s
    return np.where(rho < 1, wait, np.inf)


def schweitzer_response_s(customers: Numeric, think_s: Numeric, service_s: Numeric) -> Array:
    """Mean time at the one queue of a closed system, waiting and service, for customers who come back after thinking.

    Equation
        R = (k + sqrt(k² + 4 s Z)) / 2,  k = n s - Z

    Parameters
        customers  n  [1]  array  >= 1
        think_s    Z  [s]  array  >= 0, away from the queue
        service_s  s  [s]  array  >= 0

    Returns
        R  [s]  array; s for one customer, n s without thinking

    Holds when  an arrival sees (n - 1) / n of the mean queue (the approximation that closes mean value analysis).
    Source      [schweitzer-1979]
    Raises      nothing

    >>> float(schweitzer_response_s(1, 5.0, 2.0)), float(schweitzer_response_s(10, 0.0, 2.0))
    (2.0, 20.0)
    """
    s, think = as_array(service_s), as_array(think_s)
    k = as_array(customers) * s - think
    return (k + np.sqrt(k * k + 4 * s * think)) / 2


def tail_wait_s(mean_wait_s: Numeric, wait_share: Numeric, quantile: float) -> Array:
    """Quantile of a wait whose tail is exponential.

    Equation
        P(wait > t) = p exp(-p t / W)  ->  t_q = W / p ln(p / (1 - q)),  0 where p <= 1 - q

    Parameters
        mean_wait_s  W  [s]  array
        wait_share   p  [1]  array   share of arrivals that wait (one server: its utilisation)
        quantile     q  [1]  scalar  in (0, 1)

    Returns
        t_q  [s]  array

    Holds when  exactly for M/M/1; a heavy-traffic approximation otherwise.
    Source      [kleinrock-1975] section 2.2 (heavy-traffic exponential tail)
    Raises      nothing

    >>> round(float(tail_wait_s(1.0, 0.5, 0.99)), 3), float(tail_wait_s(1.0, 0.005, 0.99))
    (7.824, 0.0)
    """
    share = as_array(wait_share)
    ratio = np.maximum(share / (1 - quantile), 1.0)
    safe = np.where(share > 0, share, 1.0)
    return np.where(ratio > 1.0, as_array(mean_wait_s) / safe * np.log(ratio), 0.0)
