"""All-reduce as engines run it: their own kernel up to some size, the library's above."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import EngineAllReduce
from costline.forward.kernels.records import Device
from costline.quantities import MIB, Array, Numeric, as_array

LARGEST_BYTES = {"vllm": 64 * MIB, "sglang": 16 * MIB}
"""Largest message of an engine's own kernels."""
LARGEST_BYTES_AMPERE = {"vllm": 8 * MIB - 1, "sglang": 16 * MIB}
LARGEST_TOTAL_BYTES = {"trtllm": 4 * MIB}
"""Largest message times devices of the engine's own kernel."""


def runs_own_kernel(size_bytes: Numeric, devices: Numeric, *, engine: str, family: str) -> np.ndarray:
    """Where an engine takes its own all-reduce rather than the library's: a rule of its code, not a fit.

    >>> runs_own_kernel(np.array([1e6, 1e8]), 8, engine="vllm", family="hopper").tolist()
    [True, False]
    """
    size, n = as_array(size_bytes), as_array(devices)
    if engine in LARGEST_TOTAL_BYTES:
        return size * n <= LARGEST_TOTAL_BYTES[engine]
    limits = LARGEST_BYTES_AMPERE if family in ("ampere", "volta", "turing") else LARGEST_BYTES
    return np.broadcast_to(size <= limits.get(engine, 0.0), np.broadcast_shapes(size.shape, n.shape))


def engine_all_reduce_time_s(
    size_bytes: Numeric, devices: Numeric, *, device: Device, kernel: EngineAllReduce
) -> Array:
    """Time of an engine's own all-reduce kernel: everything to everyone, or a scatter and a gather.

    Equation
        T = a + b (n - 1) + min( (n - 1) S / (ε_1 L), c + 2 (n - 1) / n S / (ε_2 L) )

    Parameters
        size_bytes  S  [byte]  array   on each device
        devices     n  [1]     array   >= 1
        device      -          record  L links
        kernel      -          record  a, b, ε_1, c, ε_2

    Returns
        T  [s]  array, the broadcast shape; 0 for one device

    Holds when  the kernel runs inside a captured graph and all devices arrive together.
    Source      [kernel-study] section 6
    Raises      nothing

    >>> one = EngineAllReduce(4.3e-6, 0.07e-6, 4.5e-6, 0.59, 0.6)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9)
    >>> t = engine_all_reduce_time_s(np.array([16384.0, 4 << 20]), 8, device=h100, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [5.2, 36.5]
    """
    n, size = as_array(devices), as_array(size_bytes)
    links = np.maximum(as_array(device.link_bytes_per_s), 1.0)
    one_shot_s = (n - 1) * size / (kernel.one_shot_fraction * links)
    two_shot_s = kernel.entry_s + 2 * (n - 1) / n * size / (kernel.two_shot_fraction * links)
    return np.where(n > 1, kernel.floor_s + kernel.peer_s * (n - 1) + np.minimum(one_shot_s, two_shot_s), 0.0)
