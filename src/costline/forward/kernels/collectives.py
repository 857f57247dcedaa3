"""Collectives of the communication library (NCCL) inside a scale-up domain, and what crosses between domains."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import LibraryCollective, ScaleOut
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

SWITCH_FROM = 8
"""Devices from which the switch adds up in an all-reduce."""
PAIR_LOSS = 0.5
"""Share of the links' bandwidth of n devices that ring neighbours leave idle, times n."""
BULK_GROWTH = 0.75
"""How the cost to enter the bulk protocol grows with the number of devices."""
REFERENCE_DEVICES = 4
PROTOCOL_SHARPNESS = 4


def _soft_minimum_s(first_s: Array, second_s: Array) -> Array:
    """The faster of two protocols, and a little faster where they meet: there the library has a third (LL128)."""
    tiny = np.finfo(np.float64).tiny
    low, high = np.minimum(first_s, second_s), np.maximum(first_s, second_s)
    return low * (1 + (low / np.maximum(high, tiny)) ** PROTOCOL_SHARPNESS) ** (-1 / PROTOCOL_SHARPNESS)


def library_all_reduce_time_s(
    size_bytes: Numeric, devices: Numeric, *, device: Device, kernel: LibraryCollective
) -> Array:
    """Time of a library all-reduce among devices of one domain: low-latency or bulk protocol, whichever is faster.

    Equation
        T = a + 2 (n - 1) b + min( x / ε_l, c (n / 4)^(3/4) + x / ε(n) ),  x = 2 (n - 1) / n S / L
        ε(n) = ε (1 - 1 / (2 n)); from 8 devices on at least ε_s, the switch's

    Parameters
        size_bytes  S  [byte]  array   on each device
        devices     n  [1]     array   >= 1
        device      -          record  L links
        kernel      -          record  a, b, ε_l, c, ε, ε_s

    Returns
        T  [s]  array, the broadcast shape; 0 for one device

    Holds when  all devices reach one another over one switch or bus; a third protocol rounds the minimum.
    Source      [kernel-study] section 6; [nvidia-nccl] for the protocols
    Raises      nothing

    >>> one = LibraryCollective(5e-6, 0.85e-6, 0.37, 18e-6, 0.88, 0.95)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9)
    >>> t = library_all_reduce_time_s(np.array([16384.0, 1 << 28]), 8, device=h100, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [17.1, 1138.9]
    """
    n = as_array(devices)
    ideal_s = 2 * (n - 1) / n * size_bytes / np.maximum(as_array(device.link_bytes_per_s), 1.0)
    pairwise = kernel.link_fraction * (1 - PAIR_LOSS / n)
    bulk = np.where(n >= SWITCH_FROM, np.maximum(pairwise, kernel.switch_fraction), pairwise)
    return _of_protocols_s(n, 2 * (n - 1), ideal_s, bulk, kernel)


def library_gather_time_s(
    size_bytes: Numeric, devices: Numeric, *, ring_steps: bool, device: Device, kernel: LibraryCollective
) -> Array:
    """Time of a library all-gather, reduce-scatter or all-to-all among devices of one domain.

    Equation
        T = a + s b + min( x / ε_l, c (n / 4)^(3/4) + x / ε(n) ),  x = (n - 1) / n S / L
        s = n - 1 around the ring, 0 for all-to-all;  ε(n) = ε (1 - 1 / (2 n))

    Parameters
        size_bytes  S  [byte]  array   gathered whole; for all-to-all what each device sends in total
        devices     n  [1]     array   >= 1
        ring_steps  -          flag    all-gather and reduce-scatter; false for all-to-all
        device      -          record  L links
        kernel      -          record  a, b, ε_l, c, ε

    Returns
        T  [s]  array, the broadcast shape; 0 for one device

    Holds when  all devices reach one another over one switch or bus; a third protocol rounds the minimum.
    Source      [kernel-study] section 6; [nvidia-nccl]
    Raises      nothing

    >>> one = LibraryCollective(6.5e-6, 0.85e-6, 0.37, 18e-6, 0.88, 0.95)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9)
    >>> round(1e6 * float(library_gather_time_s(1 << 25, 8, ring_steps=True, device=h100, kernel=one)), 1)
    118.1
    """
    n = as_array(devices)
    ideal_s = (n - 1) / n * size_bytes / np.maximum(as_array(device.link_bytes_per_s), 1.0)
    steps = n - 1 if ring_steps else np.zeros_like(n)
    return _of_protocols_s(n, steps, ideal_s, kernel.link_fraction * (1 - PAIR_LOSS / n), kernel)


def _of_protocols_s(n: Array, steps: Array, ideal_s: Array, bulk: Array, kernel: LibraryCollective) -> Array:
    entry_s = kernel.bulk_entry_s * (n / REFERENCE_DEVICES) ** BULK_GROWTH
    moved_s = _soft_minimum_s(ideal_s / kernel.low_latency_fraction, entry_s + ideal_s / bulk)
    return np.where(n > 1, kernel.launch_s + kernel.step_s * steps + moved_s, 0.0)


def scale_out_time_s(size_bytes: Numeric, domains: Numeric, *, device: Device, kernel: ScaleOut) -> Array:
    """Time in which a device sends its bytes to other domains over the network.

    Equation
        T = B / (ε N) + l log2(1 + d)

    Parameters
        size_bytes  B  [byte]  array   that the device sends to other domains
        domains     d  [1]     array   >= 1
        device      -          record  N the device's share of the network
        kernel      -          record  ε, l

    Returns
        T  [s]  array, the broadcast shape; 0 for one domain

    Holds when  every device has a port of its own and all send at once.
    Source      [kernel-study] sections 6 and 8
    Raises      nothing

    >>> h100 = Device(989e12, 3.35e12, 132, network_bytes_per_s=50e9)
    >>> round(1e6 * float(scale_out_time_s(1e6, 2, device=h100, kernel=ScaleOut(0.93, 5.7e-6))), 1)
    30.5
    """
    count = as_array(domains)
    rate = kernel.network_fraction * np.maximum(as_array(device.network_bytes_per_s), 1.0)
    return np.where(count > 1, size_bytes / rate + kernel.doubling_s * np.log2(1 + count), 0.0)
