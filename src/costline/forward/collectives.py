"""Time of collectives by topology, latency plus bytes: all-reduce, all-gather, all-to-all, point to point.

Sizes are bytes that each device holds (all-gather: the gathered whole). Rates are per device and direction, all links
together. Each public equation is one algorithm; `collective_time_s` picks the fastest that a fabric offers.
"""

from __future__ import annotations

import numpy as np

from costline.architecture.cost import Collective
from costline.catalog.records import Fabric, System
from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

WRAP_SIDE = {"torus_2d": 16, "torus_3d": 4}
"""Side from which a torus slice closes on itself; shorter sides are lines with half the bandwidth [scaling-book]."""


def ring_all_reduce_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-reduce around a ring: reduce-scatter, then all-gather.

    Equation
        T = 2 (n - 1) a + 2 (n - 1) / n S / W

    Parameters
        size_bytes        S  [byte]    array  on each device
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array  of one step

    Returns
        T  [s]  array; 0 for one device

    Holds when  steps do not overlap; bandwidth-optimal for large S.
    Source      [thakur2005]
    Raises      nothing

    >>> float(ring_all_reduce_s(1e6, 4, 1e9, 1e-6))
    0.001506
    """
    n = as_array(devices)
    return 2 * (n - 1) * latency_s + 2 * (n - 1) / n * as_array(size_bytes) / link_bytes_per_s


def tree_all_reduce_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-reduce up and down a pair of binary trees that share the links.

    Equation
        T = 2 ceil(log2 n) a + 2 S / W

    Parameters
        size_bytes        S  [byte]    array  on each device
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array  of one step

    Returns
        T  [s]  array; 0 for one device

    Holds when  the trees are pipelined; fewer steps than a ring from 4 devices on.
    Source      [nvidia-nccl] double binary trees; [erdil-2025] Eq. 40
    Raises      nothing

    >>> float(tree_all_reduce_s(0.0, 8, 1e9, 1e-6))
    6e-06
    """
    n = as_array(devices)
    moved = np.where(n > 1, 2 * as_array(size_bytes) / link_bytes_per_s, 0.0)
    return 2 * np.ceil(np.log2(n)) * latency_s + moved


def one_shot_all_reduce_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-reduce in which every device sends all it has to every other and adds up for itself.

    Equation
        T = a + (n - 1) S / W

    Parameters
        size_bytes        S  [byte]    array  on each device
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array

    Returns
        T  [s]  array; 0 for one device

    Holds when  every pair is one hop apart; best for small S.
    Source      [kernel-study] section 6
    Raises      nothing

    >>> float(one_shot_all_reduce_s(0.0, 8, 1e9, 3e-6)), float(one_shot_all_reduce_s(1e6, 1, 1e9, 3e-6))
    (3e-06, 0.0)
    """
    n = as_array(devices)
    return np.where(n > 1, latency_s + (n - 1) * as_array(size_bytes) / link_bytes_per_s, 0.0)


def two_shot_all_reduce_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-reduce as a direct reduce-scatter and a direct all-gather.

    Equation
        T = 2 a + 2 (n - 1) / n S / W

    Parameters
        size_bytes        S  [byte]    array  on each device
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array

    Returns
        T  [s]  array; 0 for one device

    Holds when  every pair is one hop apart.
    Source      [kernel-study] section 6; [thakur2005]
    Raises      nothing

    >>> float(two_shot_all_reduce_s(1e6, 4, 1e9, 1e-6))
    0.001502
    """
    n = as_array(devices)
    return np.where(n > 1, 2 * as_array(latency_s), 0.0) + 2 * (n - 1) / n * as_array(size_bytes) / link_bytes_per_s


def in_network_all_reduce_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-reduce that the switch adds up: each device sends its data once and receives the sum once.

    Equation
        T = 2 a + S / W

    Parameters
        size_bytes        S  [byte]    array  on each device
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array

    Returns
        T  [s]  array; 0 for one device

    Holds when  the switch reduces at line rate and both directions run at once.
    Source      [nvidia-nccl] NVLink SHARP
    Raises      nothing

    >>> float(in_network_all_reduce_s(1e6, 8, 1e9, 1e-6))
    0.001002
    """
    moved = 2 * as_array(latency_s) + as_array(size_bytes) / link_bytes_per_s
    return np.where(as_array(devices) > 1, moved, 0.0)


def all_gather_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-gather (or reduce-scatter) of `size_bytes` in total.

    Equation
        T = a + (n - 1) / n S / W

    Parameters
        size_bytes        S  [byte]    array  gathered whole
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0
        latency_s         a  [s]       array  of all steps together

    Returns
        T  [s]  array; 0 for one device

    Holds when  every byte crosses each device's links once.
    Source      [thakur2005]
    Raises      nothing

    >>> float(all_gather_s(1e6, 4, 1e9, 1e-6))
    0.000751
    """
    n = as_array(devices)
    return np.where(n > 1, as_array(latency_s), 0.0) + (n - 1) / n * as_array(size_bytes) / link_bytes_per_s


def ring_all_to_all_s(
    size_bytes: Numeric, devices: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric
) -> Array:
    """All-to-all around a ring that runs both ways: data travels a quarter of the ring on average.

    Equation
        T = floor(n / 2) a + n S / (4 W)

    Parameters
        size_bytes        S  [byte]    array  that each device sends in total
        devices           n  [1]       array  >= 1
        link_bytes_per_s  W  [byte/s]  array  > 0, both directions together
        latency_s         a  [s]       array  of one hop

    Returns
        T  [s]  array; 0 for one device

    Holds when  the ring is closed and traffic uniform.
    Source      [scaling-book] ch. 3
    Raises      nothing

    >>> float(ring_all_to_all_s(1e6, 8, 1e9, 0.0))
    0.002
    """
    n = as_array(devices)
    moved = np.where(n > 1, n * as_array(size_bytes) / (4 * as_array(link_bytes_per_s)), 0.0)
    return np.floor(n / 2) * latency_s + moved


def point_to_point_s(size_bytes: Numeric, link_bytes_per_s: Numeric, latency_s: Numeric) -> Array:
    """One message between two devices.

    Equation
        T = a + S / W

    Parameters
        size_bytes        S  [byte]    array
        link_bytes_per_s  W  [byte/s]  array  > 0, between the pair
        latency_s         a  [s]       array

    Returns
        T  [s]  array

    Holds when  nothing else uses the link.
    Source      [thakur2005] the alpha-beta model
    Raises      nothing

    >>> float(point_to_point_s(1.342e9, 50e9, 0.0))
    0.02684
    """
    return as_array(latency_s) + as_array(size_bytes) / link_bytes_per_s


def torus_bytes_per_s(fabric: Fabric, devices: Numeric) -> Array:
    """Bandwidth that a slice of a torus gives one device: the links along the axes it spans, halved on open lines.

    Equation
        D = 2 or 3 axes, k = n^(1/D) the side, a = min(D, log2 n) axes in use
        W(n) = W a / D (1/2 if k < side that wraps)

    Parameters
        fabric   -  record
        devices  n  [1]  array  >= 1

    Returns
        W(n)  [byte/s]  array

    Holds when  the slice is as square as its size allows.
    Source      [scaling-book] ch. 2-3
    Raises      nothing

    >>> v5e = Fabric("torus_2d", 256, 180e9, 45e9, 1e-6)
    >>> [float(torus_bytes_per_s(v5e, n)) / 1e9 for n in (2, 8, 256)]
    [45.0, 90.0, 180.0]
    """
    axes = 3 if fabric.topology == "torus_3d" else 2
    n = np.maximum(as_array(devices), 2.0)
    used = np.minimum(float(axes), np.maximum(np.floor(np.log2(n)), 1.0))
    wraps = np.round(n ** (1 / axes), 6) >= WRAP_SIDE[fabric.topology]
    return fabric.bytes_per_s * used / axes * np.where(wraps, 1.0, 0.5)


def _inside(collective: Collective, size: Array, n: Array, fabric: Fabric) -> Array:
    """A collective whose members all lie in one scale-up domain."""
    latency = fabric.latency_s
    if fabric.bytes_per_s <= 0 or fabric.topology == "none":
        return np.where(n > 1, np.inf, 0.0)
    if fabric.topology in WRAP_SIDE:
        axes = 3 if fabric.topology == "torus_3d" else 2
        rate = torus_bytes_per_s(fabric, n)
        hops = axes * np.ceil(n ** (1 / axes) / 2)
        if collective == "all_reduce":
            moved = 2 * (n - 1) / n * size / rate
            return np.where(n > 1, 2 * hops * latency, 0.0) + moved
        if collective == "all_to_all":
            return ring_all_to_all_s(size, n ** (1 / axes), rate / axes, latency) * np.where(n > 1, 1.0, 0.0)
        return all_gather_s(size, n, rate, hops * latency)
    if fabric.topology in ("ring", "pcie"):
        rate = as_array(fabric.bytes_per_s)
        if collective == "all_reduce":
            return np.minimum(ring_all_reduce_s(size, n, rate, latency), tree_all_reduce_s(size, n, rate, latency))
        if collective == "all_to_all" and fabric.topology == "ring":
            return ring_all_to_all_s(size, n, rate, latency)
        return all_gather_s(size, n, rate, (n - 1) * latency)
    rate = np.minimum(fabric.bytes_per_s, np.maximum(n - 1, 1.0) * fabric.pair_bytes_per_s)
    if collective == "all_reduce":
        best = np.minimum(one_shot_all_reduce_s(size, n, rate, latency), two_shot_all_reduce_s(size, n, rate, latency))
        if fabric.in_network_reduction:
            best = np.minimum(best, in_network_all_reduce_s(size, n, rate, latency))
        return best
    return all_gather_s(size, n, rate, latency)


def _hop(size: Array, n: Array, system: System) -> Array:
    """A message between pipeline stages of a replica that spans `n` devices."""
    fabric, out_rate = system.fabric, system.scale_out_bytes_per_s
    inside = point_to_point_s(size, fabric.pair_bytes_per_s or np.inf, fabric.latency_s)
    across = point_to_point_s(size, out_rate, system.scale_out_latency_s) if out_rate > 0 else as_array(np.inf)
    return np.where(n > fabric.domain_size, across, inside)


def collective_time_s(collective: Collective, size_bytes: Numeric, devices: Numeric, system: System) -> Array:
    """Time of one collective among `devices` neighbours of `system`, in and across its scale-up domains.

    Equation
        n <= D   the fastest algorithm of the topology
        n > D    all-reduce: 2 gathers of S in the domain + ring of S / D between domains
                 others: the share (1 - D / n) of S crosses the scale-out network, the rest stays inside

    Parameters
        collective  -  name                all_reduce, all_gather, all_to_all, point_to_point
        size_bytes  S  [byte]  array       on each device (all-gather: the whole)
        devices     n  [1]     array       >= 1
        system      -  record              D = its scale-up domain

    Returns
        T  [s]  array, the broadcast shape; inf where the system has no network between domains

    Holds when  ranks fill one domain after the other.
    Source      [thakur2005]; [nvidia-nccl]; [scaling-book] ch. 3
    Raises      DomainError if devices < 1

    >>> from costline.catalog.records import Slice, System
    >>> switch = Fabric("switch", 8, 450e9, 450e9, 3e-6)
    >>> hgx = System("x", "x", "x", (), 8, switch, 50e9, 1e-5, (), None, "", {})
    >>> round(1e6 * float(collective_time_s("all_reduce", 2**20, 8, hgx)), 2)
    10.08
    """
    size, n = as_array(size_bytes), as_array(devices)
    if not np.all(n >= 1):
        raise DomainError(f"devices={devices} must be at least 1")
    fabric, out_rate = system.fabric, system.scale_out_bytes_per_s
    if collective == "point_to_point":
        return _hop(size, n, system)
    domain = float(fabric.domain_size)
    inner = np.minimum(n, domain)
    inside = _inside(collective, size, inner, fabric)
    if not np.any(n > domain):
        return inside
    outer = np.ceil(n / domain)
    if out_rate <= 0:
        return np.where(n > domain, np.inf, inside)
    if collective == "all_reduce":
        gathers = 2 * _inside("all_gather", size, inner, fabric)
        between = ring_all_reduce_s(size / inner, outer, out_rate, system.scale_out_latency_s)
        across = gathers + between
    else:
        crossing = size * (1 - inner / n) / (inner if collective == "all_gather" else 1.0)
        between = point_to_point_s(crossing, out_rate, np.ceil(np.log2(outer)) * system.scale_out_latency_s)
        across = np.maximum(inside, between)
    return np.where(n > domain, across, inside)
