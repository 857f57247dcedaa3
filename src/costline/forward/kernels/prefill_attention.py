"""Causal attention over whole prompts, or over a chunk of one after a cached prefix."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import PrefillAttentionKernel
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

WIDE_BYTES = 2
BLOCK_TOKENS = 128
"""Query rows of one thread block."""


def attention_traffic_bytes(
    prompts: Numeric,
    tokens: Numeric,
    heads: Numeric,
    kv_heads: Numeric,
    *,
    head_dim: Numeric,
    bytes_per_value: Numeric,
) -> Array:
    """Inputs and outputs of prefill attention: queries and results in bf16, keys and values as the cache holds them.

    Equation
        B = N S D (4 H + 2 K e)

    Parameters
        prompts          N  [1]      array
        tokens           S  [token]  array  of each prompt
        heads            H  [1]      array  query heads on this device
        kv_heads         K  [1]      array  key-value heads on this device
        head_dim         D  [1]      array
        bytes_per_value  e  [byte]   array  of the cache

    Returns
        B  [byte]  array, the broadcast shape

    Holds when  nothing is cached before; a prefix adds its keys and values.
    Source      [kernel-study] section 4
    Raises      nothing

    >>> float(attention_traffic_bytes(1, 1024, 64, 8, head_dim=128, bytes_per_value=2)) / 1e6
    37.748736
    """
    each = 2 * WIDE_BYTES * as_array(heads) + 2 * as_array(kv_heads) * bytes_per_value
    return as_array(prompts) * tokens * head_dim * each


def prefill_attention_time_s(
    prompts: Numeric,
    tokens: Numeric,
    heads: Numeric,
    *,
    pair_width: Numeric,
    traffic_bytes: Numeric,
    device: Device,
    kernel: PrefillAttentionKernel,
    prefix_tokens: Numeric = 0.0,
) -> Array:
    """Time of prefill attention of one layer on one device, with the kernels that rotate, quantise and store.

    Equation
        T = t_0 + ( N H w S (S + 2 C + 128) + 256 κ w (S + C) U ) / (η P) + max( B / (ρ U), (B - L) / W )

    Parameters
        prompts        N  [1]      array
        tokens         S  [token]  array   new tokens of each prompt
        heads          H  [1]      array   query heads on this device
        pair_width     w  [1]      array   width of a key plus width of a value
        traffic_bytes  B  [byte]   array   inputs and outputs
        device         -           record  P peak at the cache's format, W memory bandwidth, U compute units, L cache
        kernel         -           record  t_0, η, rate of a unit ρ, κ
        prefix_tokens  C  [token]  array   cached before; not among the timings

    Returns
        T  [s]  array, the broadcast shape

    Holds when  blocks of 128 queries each run over all keys they see; the longest block keeps the other units waiting.
                Units rotate, quantise and store far below the memory's rate: a faster memory does not speed them up.
    Source      [kernel-study] section 4, with the rate of a compute unit in place of a share of the memory bandwidth
    Raises      nothing

    >>> one = PrefillAttentionKernel(13e-6, 0.69, 14e9, 0.25)
    >>> h100 = Device(989e12, 3.35e12, 132)
    >>> t = prefill_attention_time_s(1, 8192, 64, pair_width=256, traffic_bytes=3.02e8, device=h100, kernel=one)
    >>> round(1e6 * float(t))
    1839
    """
    new, before = as_array(tokens), as_array(prefix_tokens)
    width = as_array(pair_width)
    flop = prompts * as_array(heads) * width * new * (new + 2 * before + BLOCK_TOKENS)
    longest = 2 * BLOCK_TOKENS * width * (new + before) * device.compute_units
    compute_s = (flop + kernel.block_exposure * longest) / (kernel.flop_fraction * as_array(device.flop_per_s))
    traffic = as_array(traffic_bytes)
    moved_s = traffic / (kernel.unit_bytes_per_s * as_array(device.compute_units))
    memory_s = (traffic - device.l2_bytes) / device.hbm_bytes_per_s
    return kernel.floor_s + compute_s + np.maximum(moved_s, memory_s)
