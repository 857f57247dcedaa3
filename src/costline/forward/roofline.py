"""Counts times rates: the least and the most time of one operation, and where the two limits meet."""

from __future__ import annotations

import numpy as np

from costline.architecture.cost import FLOP_PER_MAC
from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def _positive(**rates: Numeric) -> None:
    for name, value in rates.items():
        if not np.all(as_array(value) > 0):
            raise DomainError(f"{name}={value} must be positive; give the rate of a real device")


def roofline_time_s(flop: Numeric, hbm_bytes: Numeric, peak_flop_per_s: Numeric, hbm_bytes_per_s: Numeric) -> Array:
    """Least time of one operation on one device, compute and memory overlapped.

    Equation
        T = max(F / P, B / W)

    Parameters
        flop             F  [FLOP]    array  work of the operation
        hbm_bytes        B  [byte]    array  traffic to and from device memory
        peak_flop_per_s  P  [FLOP/s]  array  > 0, dense rate at the operation's number format
        hbm_bytes_per_s  W  [byte/s]  array  > 0

    Returns
        T  [s]  array, the broadcast shape of the inputs

    Holds when  the two streams overlap fully; the sum is the upper bound (at most 2 T).
    Source      [scaling-book] ch. 1; [williams2009]
    Raises      DomainError if a rate is not positive

    >>> round(float(roofline_time_s(1e12, 0.0, 9.89e14, 3.35e12)), 6)
    0.001011
    """
    _positive(peak_flop_per_s=peak_flop_per_s, hbm_bytes_per_s=hbm_bytes_per_s)
    return np.maximum(as_array(flop) / peak_flop_per_s, as_array(hbm_bytes) / hbm_bytes_per_s)


def serial_time_s(flop: Numeric, hbm_bytes: Numeric, peak_flop_per_s: Numeric, hbm_bytes_per_s: Numeric) -> Array:
    """Most time of one operation that runs at its peak rates, nothing overlapped.

    Equation
        T = F / P + B / W

    Parameters
        flop             F  [FLOP]    array
        hbm_bytes        B  [byte]    array
        peak_flop_per_s  P  [FLOP/s]  array  > 0
        hbm_bytes_per_s  W  [byte/s]  array  > 0

    Returns
        T  [s]  array, the broadcast shape of the inputs; between 1 and 2 times the roofline

    Holds when  every byte and every FLOP moves at the peak rate, one after the other.
    Source      [scaling-book] ch. 1
    Raises      DomainError if a rate is not positive

    >>> float(serial_time_s(2.0, 3.0, 1.0, 1.0))
    5.0
    """
    _positive(peak_flop_per_s=peak_flop_per_s, hbm_bytes_per_s=hbm_bytes_per_s)
    return as_array(flop) / peak_flop_per_s + as_array(hbm_bytes) / hbm_bytes_per_s


def corner_time_s(compute_s: Array, memory_s: Array) -> Array:
    """Time of a real kernel near the ridge, where compute and memory only partly overlap.

    Equation
        T = (T_c³ + T_m³)^(1/3)

    Parameters
        compute_s  T_c  [s]  array  at the sustained compute rate
        memory_s   T_m  [s]  array  at the sustained memory rate

    Returns
        T  [s]  array; the roofline far from the ridge, 26 % above it where the two are equal

    Holds when  a kernel streams weights while it multiplies; the exponent is fitted on GEMM timings.
    Source      [kernel-study] section 2
    Raises      nothing

    >>> round(float(corner_time_s(as_array(1.0), as_array(1.0))), 4), float(corner_time_s(as_array(2.0), as_array(0.0)))
    (1.2599, 2.0)
    """
    return np.cbrt(compute_s * compute_s * compute_s + memory_s * memory_s * memory_s)


def ridge_flop_per_byte(peak_flop_per_s: Numeric, hbm_bytes_per_s: Numeric) -> Array:
    """Arithmetic intensity at which compute and memory take equally long.

    Equation
        I* = P / W

    Parameters
        peak_flop_per_s  P  [FLOP/s]  array  > 0
        hbm_bytes_per_s  W  [byte/s]  array  > 0

    Returns
        I*  [FLOP/byte]  array

    Holds when  rates are peaks.
    Source      [williams2009]
    Raises      DomainError if a rate is not positive

    >>> round(float(ridge_flop_per_byte(9.89e14, 3.35e12)))
    295
    """
    _positive(peak_flop_per_s=peak_flop_per_s, hbm_bytes_per_s=hbm_bytes_per_s)
    return as_array(peak_flop_per_s) / hbm_bytes_per_s


def critical_batch(bytes_per_weight: Numeric, peak_flop_per_s: Numeric, hbm_bytes_per_s: Numeric) -> Array:
    """Tokens a step at which a matrix turns from memory bound to compute bound.

    Equation
        B* = b P / (2 W)

    Parameters
        bytes_per_weight  b  [byte]    array  > 0
        peak_flop_per_s   P  [FLOP/s]  array  > 0, at the format of the arithmetic
        hbm_bytes_per_s   W  [byte/s]  array  > 0

    Returns
        B*  [token]  array

    Holds when  activations are small beside the weights.
    Source      [scaling-book] ch. 7
    Raises      DomainError if a rate is not positive

    >>> [round(float(critical_batch(b, 1.97e14, 8.2e11))) for b in (2, 1)]
    [240, 120]
    """
    _positive(peak_flop_per_s=peak_flop_per_s, hbm_bytes_per_s=hbm_bytes_per_s)
    return as_array(bytes_per_weight) * peak_flop_per_s / (FLOP_PER_MAC * as_array(hbm_bytes_per_s))


def attention_intensity(group_size: Numeric, bytes_per_value: Numeric) -> Array:
    """Arithmetic intensity that decode attention cannot exceed however large the batch.

    Equation
        I = 2 g / b

    Parameters
        group_size       g  [1]     array  query heads that share a KV head
        bytes_per_value  b  [byte]  array  > 0, of the cache

    Returns
        I  [FLOP/byte]  array

    Holds when  every sequence has its own cache, read once a step.
    Source      [erdil-2025] section 4.3
    Raises      DomainError if the width is not positive

    >>> float(attention_intensity(1, 2)), float(attention_intensity(8, 1))
    (1.0, 16.0)
    """
    _positive(bytes_per_value=bytes_per_value)
    return FLOP_PER_MAC * as_array(group_size) / bytes_per_value


def additive_decode_step_s(
    weight_bytes: Numeric, kv_bytes: Numeric, flop: Numeric, *, peak_flop_per_s: Numeric, hbm_bytes_per_s: Numeric
) -> Array:
    """Decode step when attention follows the matrices: their roofline plus the time to read the cache.

    Equation
        T = max(F / P, W_b / W) + K / W

    Parameters
        weight_bytes     W_b  [byte]    array
        kv_bytes         K    [byte]    array  cache of all sequences
        flop             F    [FLOP]    array  of the matrices
        peak_flop_per_s  P    [FLOP/s]  array  > 0, all devices together
        hbm_bytes_per_s  W    [byte/s]  array  > 0, all devices together

    Returns
        T  [s]  array

    Holds when  attention is memory bound and communication is hidden.
    Source      [scaling-book] ch. 8
    Raises      DomainError if a rate is not positive

    >>> round(1e3 * float(additive_decode_step_s(70e9, 32 * 8192 * 163840, 2 * 70e9 * 32,
    ...     peak_flop_per_s=16 * 1.97e14, hbm_bytes_per_s=16 * 8.2e11)), 2)
    8.61
    """
    matrices = roofline_time_s(flop, weight_bytes, peak_flop_per_s, hbm_bytes_per_s)
    return matrices + as_array(kv_bytes) / hbm_bytes_per_s
