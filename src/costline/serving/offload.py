"""Keeping the cache of idle prompts in host memory: what reloading takes, and when it beats computing them again.

Given bytes and rates; knows no physics.
"""

from __future__ import annotations

from costline.quantities import BITS_PER_BYTE, GIGA, Array, Numeric, as_array

_THIRD_TRANSFERS_PER_S = 8 * GIGA


def pcie_bytes_per_s(generation: Numeric, lanes: Numeric = 16.0) -> Array:
    """Data rate of a PCIe link in one direction, before packet headers.

    Equation
        W = 8e9 2^(g - 3) n / 8 (128 / 130)

    Parameters
        generation  g  [1]  array  3, 4, 5
        lanes       n  [1]  array  1 to 16

    Returns
        W  [byte/s]  array, the broadcast shape

    Holds when  the generation codes 128 bits in 130: from the third, of 8 GT/s, to the fifth. Headers are not counted.
    Source      [derived] from the transfer rates of the generations
    Raises      nothing

    >>> [round(float(pcie_bytes_per_s(g)) / 1e9, 1) for g in (3, 4, 5)]
    [15.8, 31.5, 63.0]
    """
    bits_per_s = _THIRD_TRANSFERS_PER_S * 2.0 ** (as_array(generation) - 3)
    return bits_per_s * as_array(lanes) / BITS_PER_BYTE * (128 / 130)


def reload_time_s(kv_bytes: Numeric, host_bytes_per_s: Numeric, latency_s: Numeric = 0.0) -> Array:
    """Time to bring a cached prompt back from host memory.

    Equation
        T = a + K / W

    Parameters
        kv_bytes          K  [byte]    array  of one device's share
        host_bytes_per_s  W  [byte/s]  array  > 0, link between one device and its host, one direction
        latency_s         a  [s]       array

    Returns
        T  [s]  array, the broadcast shape

    Holds when  each device has its own link and pages are gathered before they move.
    Source      [thakur2005] the alpha-beta model
    Raises      nothing

    >>> round(float(reload_time_s(2.684e9, 63e9)), 4)
    0.0426
    """
    return as_array(latency_s) + as_array(kv_bytes) / host_bytes_per_s


def break_even_host_bytes_per_s(kv_bytes_per_token: Numeric, prefill_tokens_per_s: Numeric) -> Array:
    """Host link from which reloading a cached prompt is faster than computing it again.

    Equation
        W* = k v

    Parameters
        kv_bytes_per_token    k  [byte/token]  array  on one device
        prefill_tokens_per_s  v  [token/s]     array  prompt tokens that the same device's replica computes

    Returns
        W*  [byte/s]  array, the broadcast shape

    Holds when  the latency is small beside the transfer. Longer prompts are computed more slowly (attention is
                quadratic), so reloading pays more the longer they are.
    Source      [derived]: K / W = K / (k v)
    Raises      nothing

    >>> round(float(break_even_host_bytes_per_s(327_680 / 8, 25_000)) / 1e9, 2)
    1.02
    """
    return as_array(kv_bytes_per_token) * prefill_tokens_per_s
