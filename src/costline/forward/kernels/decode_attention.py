"""Attention of one new token a sequence against its own cache (grouped queries, windows by their visible length)."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import DecodeAttentionKernel
from costline.forward.kernels.corner import missed_share, rounded_corner_s
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

WIDE_BYTES = 2
SPLIT_TOKENS = 128
"""Context below which nothing is split."""
CACHE_SHARPNESS = 8
CORNER = 2


def decode_attention_time_s(
    sequences: Numeric,
    context_tokens: Numeric,
    heads: Numeric,
    kv_heads: Numeric,
    *,
    head_dim: Numeric,
    bytes_per_value: Numeric,
    device: Device,
    kernel: DecodeAttentionKernel,
) -> Array:
    """Time of decode attention of one layer on one device, the combine of its splits included.

    Equation
        T = t_0 + c log2(1 + S / 128) + ( (B / (β W) m)² + (B / (ρ U) + d N K / U)² )^(1/2)
        B = 2 N S K D e + 4 N H D,  m = 1 / (1 + (h L / B)^8)

    Parameters
        sequences        N  [1]      array   sequences on this device
        context_tokens   S  [token]  array   cached tokens that each sequence sees; the window where there is one
        heads            H  [1]      array   query heads on this device
        kv_heads         K  [1]      array   key-value heads on this device, replicas counted
        head_dim         D  [1]      array
        bytes_per_value  e  [byte]   array   of the cache
        device           -           record  W memory bandwidth, U compute units, L last-level cache (h = 0 where cold)
        kernel           -           record  t_0, c, d, β, rate of a unit ρ, share of the cache h

    Returns
        T  [s]  array, the broadcast shape

    Holds when  up to 8 query heads share a KV head, so that arithmetic hides behind the reads.
    Source      [kernel-study] section 3, with the rate of a compute unit in place of a gain of the cache
    Raises      nothing

    >>> one = DecodeAttentionKernel(10e-6, 1.2e-6, 2.5e-6, 0.9, 60e9, 0.8)
    >>> h100 = Device(989e12, 3.35e12, 132)
    >>> t = decode_attention_time_s(np.array([1, 128]), 4096, 64, 8, head_dim=128, bytes_per_value=2,
    ...     device=h100, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [22.1, 786.8]
    """
    batch, length = as_array(sequences), as_array(context_tokens)
    cache = 2 * batch * length * kv_heads * head_dim * bytes_per_value
    read = cache + 2 * WIDE_BYTES * batch * heads * head_dim
    missed = missed_share(read, as_array(kernel.resident_share) * device.l2_bytes * device.warm, CACHE_SHARPNESS)
    memory_s = read / (kernel.hbm_fraction * as_array(device.hbm_bytes_per_s)) * missed
    items_s = kernel.item_s * batch * kv_heads / device.compute_units
    units_s = read / (kernel.unit_bytes_per_s * as_array(device.compute_units)) + items_s
    splits_s = kernel.doubling_s * np.log2(1 + length / SPLIT_TOKENS)
    return kernel.floor_s + splits_s + rounded_corner_s(memory_s, units_s, CORNER)
