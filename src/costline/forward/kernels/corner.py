"""How two limits meet, and what a cache keeps: the two shapes that several kernels share."""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, Numeric, as_array


def rounded_corner_s(first_s: Numeric, second_s: Numeric, sharpness: float) -> Array:
    """Time of a kernel near the point where two limits take equally long.

    Equation
        T = (T_1^p + T_2^p)^(1/p)

    Parameters
        first_s    T_1  [s]  array   >= 0
        second_s   T_2  [s]  array   >= 0
        sharpness  p    [1]  scalar  1 = one after the other, infinite = perfect overlap

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the two streams overlap in part.
    Source      [kernel-study] section 2
    Raises      nothing

    >>> float(rounded_corner_s(3.0, 4.0, 2.0)), float(rounded_corner_s(3.0, 0.0, 3.0))
    (5.0, 3.0)
    """
    first, second = as_array(first_s), as_array(second_s)
    high, low = np.maximum(first, second), np.minimum(first, second)
    ratio = low / np.maximum(high, np.finfo(np.float64).tiny)
    return high * (1 + ratio**sharpness) ** (1 / sharpness)


def missed_share(read_bytes: Numeric, kept_bytes: Numeric, sharpness: float) -> Array:
    """Share of what a kernel reads that has to come from device memory when the same data was read just before.

    Equation
        m = 1 / (1 + (K / B)^p)

    Parameters
        read_bytes  B  [byte]  array   > 0, what the kernel reads
        kept_bytes  K  [byte]  array   >= 0, what the last-level cache keeps; 0 = nothing
        sharpness   p  [1]     scalar  how suddenly the cache fails

    Returns
        m  [1]  array; 1 when the cache keeps nothing, 0 when the data are small beside it

    Holds when  a benchmark repeats the kernel on the same data; in serving every layer's data have been displaced.
    Source      [derived] from timings below and above the size of the cache
    Raises      nothing

    >>> float(missed_share(1e6, 0.0, 8)), round(float(missed_share(1e6, 1e7, 8)), 6)
    (1.0, 0.0)
    """
    if not np.any(kept_bytes):
        return as_array(1.0)
    ratio = as_array(kept_bytes) / np.maximum(as_array(read_bytes), 1.0)
    return 1 / (1 + np.minimum(ratio, 1 / np.finfo(np.float32).eps) ** sharpness)
