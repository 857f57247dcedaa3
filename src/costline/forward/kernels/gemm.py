"""Matrix products (m x k) (k x n) of linear layers."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import GemmKernel
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

WIDE_BYTES = 2
"""Bytes of a result, and of an input that needs no quantising."""


def gemm_time_s(
    m: Numeric,
    n: Numeric,
    k: Numeric,
    *,
    bytes_per_weight: Numeric,
    bytes_per_activation: Numeric,
    device: Device,
    kernel: GemmKernel,
) -> Array:
    """Time of one matrix product with the kernel that quantises its input, weights cold.

    Equation
        T = t_0 + (T_c³ + T_m³ + (τ k)³)^(1/3) + q (2 + a) m k / W
        T_c = 2 m n k / (η P),  T_m = (w n k + a m k + 2 m n) / (β W);  q = 0 where a = 2

    Parameters
        m                     m  [1]     array   rows: tokens of the step on this device
        n                     n  [1]     array   columns of the weights on this device
        k                     k  [1]     array   depth
        bytes_per_weight      w  [byte]  array   scales included
        bytes_per_activation  a  [byte]  array   of the arithmetic's input: 2 for bf16 and for weight-only formats
        device                -          record  P peak at the format of the arithmetic, W memory bandwidth
        kernel                -          record  η, β, floor t_0, inner-loop latency τ, passes q

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the library splits k or streams tiles, so that waves of tiles need no term; n >= 4096 was timed.
    Source      [kernel-study] section 2, with a latency of the inner loop and a pass that quantises
    Raises      nothing

    >>> one = GemmKernel(0.8, 0.85, 4e-6, 0.5e-9, 0.3)
    >>> h100 = Device(989e12, 3.35e12, 132)
    >>> t = gemm_time_s(np.array([1, 8192]), 8192, 8192, bytes_per_weight=2, bytes_per_activation=2,
    ...     device=h100, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [51.2, 1394.2]
    """
    rows, columns, depth = as_array(m), as_array(n), as_array(k)
    weight, activation = as_array(bytes_per_weight), as_array(bytes_per_activation)
    compute_s = 2 * rows * columns * depth / (kernel.flop_fraction * as_array(device.flop_per_s))
    moved = weight * columns * depth + activation * rows * depth + WIDE_BYTES * rows * columns
    memory_s = moved / (kernel.hbm_fraction * as_array(device.hbm_bytes_per_s))
    latency_s = kernel.k_latency_s * depth
    passes = np.where(activation < WIDE_BYTES, kernel.quantise_passes, 0.0)
    quantise_s = passes * (WIDE_BYTES + activation) * rows * depth / device.hbm_bytes_per_s
    cubes = compute_s * compute_s * compute_s + memory_s * memory_s * memory_s + latency_s * latency_s * latency_s
    return kernel.floor_s + np.cbrt(cubes) + quantise_s
