"""Latent attention (MLA) with keys of 512 + 64 and values of 512 when absorbed, 128 + 64 and 128 when expanded."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import LatentDecodeKernel, PrefillAttentionKernel
from costline.forward.kernels.corner import missed_share, rounded_corner_s
from costline.forward.kernels.prefill_attention import prefill_attention_time_s
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

LATENT_WIDTH = 576
"""Cached numbers of one token: rank 512 and 64 that are rotated."""
ABSORBED_WIDTH = 1088
"""Width of a key plus width of a value in the absorbed form."""
EXPANDED_WIDTH = 320
EXPANDED_BYTES = 1280
"""Queries, keys, values and results of one token and head in bf16, expanded."""
TILE_HEADS, SPLIT_TILE_HEADS = 64, 16
"""Heads of one tile: 64, or 16 where a device has fewer than 64."""
SPLIT_TOKENS = 128
CACHE_SHARPNESS = 8
CORNER = 3
ABSORBS_PROMPTS = frozenset({("hopper", "sglang")})
"""Families and engines that compute prompts in the absorbed form, with 3.4 times the arithmetic."""


def cache_passes(heads: Numeric) -> Array:
    """How often the heads of a device would read the shared cache if no cache helped.

    Equation
        p = H / 16 if 16 < H < 64 else 1

    Parameters
        heads  H  [1]  array  heads on this device

    Returns
        p  [1]  array

    Holds when  a tile holds 16 heads, or 64 where a device has so many.
    Source      [derived] from timings at 16, 32, 64 and 128 heads: 32 take half as long again as 16, 64 do not
    Raises      nothing

    >>> cache_passes(np.array([16, 32, 64, 128])).tolist()
    [1.0, 2.0, 1.0, 1.0]
    """
    count = as_array(heads)
    return np.where((count > SPLIT_TILE_HEADS) & (count < TILE_HEADS), count / SPLIT_TILE_HEADS, 1.0)


def mla_decode_time_s(
    sequences: Numeric,
    context_tokens: Numeric,
    heads: Numeric,
    *,
    bytes_per_value: Numeric,
    device: Device,
    kernel: LatentDecodeKernel,
) -> Array:
    """Time of latent decode attention of one layer on one device, all its heads on one shared cache.

    Equation
        T = t_0 + c log2(1 + S / 128) + ( (2176 N H S / (η P) + d N max(1, H / 64) / U)³ + (B / (β W) m)³ )^(1/3)
        B = 576 N S e (1 + σ (p - 1)) + 2176 N H,  m = 1 / (1 + (h L / B)^8)

    Parameters
        sequences        N  [1]      array   sequences on this device
        context_tokens   S  [token]  array   cached tokens of each
        heads            H  [1]      array   heads on this device
        bytes_per_value  e  [byte]   array   of the cache
        device           -           record  P peak at the cache's format, W, U, L last-level cache (h = 0 where cold)
        kernel           -           record  t_0, c, d, η, β, h, share read again σ

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the cache has the shape of DeepSeek-V3's; p are the passes of `cache_passes`.
    Source      [kernel-study] section 5; [deepseek-v2] section 2.1 for the widths
    Raises      nothing

    >>> one = LatentDecodeKernel(11e-6, 1.6e-6, 7e-6, 0.86, 0.95, 0.6, 0.1)
    >>> h200 = Device(989e12, 4.8e12, 132)
    >>> t = mla_decode_time_s(128, 4096, np.array([16, 128]), bytes_per_value=2, device=h200, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [152.9, 228.0]
    """
    batch, length, count = as_array(sequences), as_array(context_tokens), as_array(heads)
    again = 1 + kernel.reread_share * (cache_passes(count) - 1)
    read = LATENT_WIDTH * batch * length * bytes_per_value * again + 2 * ABSORBED_WIDTH * batch * count
    missed = missed_share(read, as_array(kernel.resident_share) * device.l2_bytes * device.warm, CACHE_SHARPNESS)
    memory_s = read / (kernel.hbm_fraction * as_array(device.hbm_bytes_per_s)) * missed
    flop = 2 * ABSORBED_WIDTH * batch * count * length
    items_s = kernel.item_s * batch * np.maximum(1.0, count / TILE_HEADS) / device.compute_units
    compute_s = flop / (kernel.flop_fraction * as_array(device.flop_per_s)) + items_s
    splits_s = kernel.doubling_s * np.log2(1 + length / SPLIT_TOKENS)
    return kernel.floor_s + splits_s + rounded_corner_s(compute_s, memory_s, CORNER)


def mla_prefill_time_s(
    prompts: Numeric,
    tokens: Numeric,
    heads: Numeric,
    *,
    pair_width: Numeric,
    device: Device,
    kernel: PrefillAttentionKernel,
) -> Array:
    """Time of latent attention over whole prompts, without the projections that expand the cache.

    Equation
        T = prefill attention with w = 320 (expanded) or 1088 (absorbed) and B = 1280 N S H

    Parameters
        prompts     N  [1]      array
        tokens      S  [token]  array   of each prompt
        heads       H  [1]      array   heads on this device
        pair_width  w  [1]      array   `EXPANDED_WIDTH`, or `ABSORBED_WIDTH` where an engine absorbs
        device      -           record  P peak at the cache's format where expanded, of bf16 where absorbed
        kernel      -           record  t_0, η, ρ, κ

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the shapes are DeepSeek-V3's and nothing is cached before.
    Source      [kernel-study] section 5
    Raises      nothing

    >>> one = PrefillAttentionKernel(17e-6, 0.65, 31e9, 0.3)
    >>> h200 = Device(989e12, 4.8e12, 132)
    >>> t = mla_prefill_time_s(1, 4096, 128, pair_width=EXPANDED_WIDTH, device=h200, kernel=one)
    >>> round(1e6 * float(t))
    1304
    """
    traffic = EXPANDED_BYTES * as_array(prompts) * tokens * heads
    return prefill_attention_time_s(
        prompts, tokens, heads, pair_width=pair_width, traffic_bytes=traffic, device=device, kernel=kernel
    )
