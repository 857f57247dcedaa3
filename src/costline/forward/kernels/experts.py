"""Routed experts of one layer: two grouped products over the experts that the step's tokens hit on this device."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import ExpertKernel
from costline.forward.kernels.corner import missed_share, rounded_corner_s
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

WIDE_BYTES = 2
MATRICES = 3
TILE_ROWS, LARGE_TILE_ROWS = 16, 128
RESIDENT_GAIN = 8
"""How much faster weights come from the last-level cache than from device memory."""
CACHE_SHARPNESS, EXPERT_SHARPNESS = 8, 4
REREAD_FROM = 2
"""An expert is read again when it exceeds so many last-level caches."""
ALL_PAIRS = ("triton", "marlin")
"""Classes of kernels whose passes go over the pairs of all devices, not only over this one's."""
MICROSCALED_TRITON = (("hopper", "sglang"), ("ada", "sglang"))
"""Families and engines that run mxfp4 experts with bf16 arithmetic by Triton instead of Marlin. vLLM 0.24 does so on
Hopper as well; its sweeps of 2025 are predicted better by the numbers of Marlin, which therefore stay."""
MICROSCALED_TILES = {"marlin": (256, 128), "trtllm_gen": (256, 128), "cutlass": (128, 128), "triton": (1, 64)}
"""Multiples to which engines fill up the hidden size and an expert's width on a device, by class of kernels, where
weights are mxfp4 [vllm-wheel, sglang-wheel]."""


def expert_class(family: str, number_format: str, engine: str, weights: str = "") -> str:
    """The class of kernels that an engine runs experts with (as timed in 2026).

    >>> expert_class("hopper", "bf16", "vllm"), expert_class("blackwell", "nvfp4", "sglang")
    ('triton', 'trtllm_gen')
    >>> expert_class("hopper", "w4a16", "vllm", "int4"), expert_class("hopper", "w4a16", "sglang", "mxfp4")
    ('marlin', 'triton')
    """
    if family in ("blackwell", "blackwell-ultra", "rubin"):
        return "marlin" if number_format == "w4a16" and engine == "vllm" else "trtllm_gen"
    if engine == "trtllm":
        return "cutlass"
    if number_format == "w4a16":
        return "triton" if weights == "mxfp4" and (family, engine) in MICROSCALED_TRITON else "marlin"
    if family == "rtx-blackwell" and number_format in ("nvfp4", "fp8"):
        return "cutlass"
    if (family, engine) == ("rtx-blackwell", "vllm") and number_format == "bf16":
        return "cutlass"
    return "triton"


def padded_sides(hidden: Numeric, width: Numeric, kind: str, weights: str) -> tuple[Array, Array]:
    """Hidden size and an expert's width on a device as its kernels hold them: mxfp4 is filled up to whole tiles.

    >>> [float(side) for side in padded_sides(2880, 360, "marlin", "mxfp4")]
    [3072.0, 384.0]
    """
    if weights != "mxfp4":
        return as_array(hidden), as_array(width)
    across, along = MICROSCALED_TILES[kind]
    return np.ceil(as_array(hidden) / across) * across, np.ceil(as_array(width) / along) * along


def padded_rows(pairs: Numeric, distinct: Numeric, tile_rows: float = TILE_ROWS) -> Array:
    """Rows that grouped products compute when each expert's rows are filled up to whole tiles.

    Equation
        R = max(A b, p + A (b - 1) / 2)

    Parameters
        pairs      p  [1]  array   pairs of token and expert
        distinct   A  [1]  array   experts that were hit, at most p
        tile_rows  b  [1]  scalar  rows of a tile

    Returns
        R  [1]  array, the broadcast shape

    Holds when  an expert's last tile is half full on average.
    Source      [kernel-study] section 7, the sum of ceil(load / b) b
    Raises      nothing

    >>> float(padded_rows(64, 64)), float(padded_rows(16384, 128))
    (1024.0, 17344.0)
    """
    hit = as_array(distinct)
    return np.maximum(hit * tile_rows, as_array(pairs) + hit * (tile_rows - 1) / 2)


def expert_traffic_bytes(
    pairs: Numeric, tokens: Numeric, top_k: Numeric, *, hidden: Numeric, width: Numeric, all_pairs: bool
) -> Array:
    """Bytes of one pass over the activations of routed experts.

    Equation
        B = p (4 d + 6 i) + 4 T d   or, over the pairs of all devices,   B = 4 T k d

    Parameters
        pairs      p  [1]      array  pairs of token and expert on this device
        tokens     T  [token]  array  tokens of the step on all devices of the group
        top_k      k  [1]      array
        hidden     d  [1]      array
        width      i  [1]      array  an expert's width on this device
        all_pairs  -           flag   the class of kernels passes over the pairs of all devices

    Returns
        B  [byte]  array, the broadcast shape

    Holds when  inputs, both halves of the gated width and outputs pass in bf16.
    Source      [kernel-study] section 7
    Raises      nothing

    >>> float(expert_traffic_bytes(8, 1, 8, hidden=7168, width=2048, all_pairs=True))
    229376.0
    """
    dim = as_array(hidden)
    if all_pairs:
        return 2 * WIDE_BYTES * as_array(tokens) * top_k * dim
    each = 2 * WIDE_BYTES * dim + 2 * MATRICES * as_array(width)
    return as_array(pairs) * each + 2 * WIDE_BYTES * as_array(tokens) * dim


def experts_time_s(
    distinct: Numeric,
    rows: Numeric,
    large_tiles: Numeric,
    *,
    hidden: Numeric,
    width: Numeric,
    bytes_per_weight: Numeric,
    traffic_bytes: Numeric,
    device: Device,
    kernel: ExpertKernel,
) -> Array:
    """Time of the routed experts of one layer on the busiest device.

    Equation
        T = t_0 + (T_c² + T_m²)^(1/2) + γ B / W + φ n E x / W,  E = 3 d i w
        T_c = 6 d i R / (η P),  T_m = A E (m + (1 - m) / 8) / (β W)
        m = 1 / (1 + (h L / (A E))^8),  x = 1 / (1 + (2 L / E)^4)

    Parameters
        distinct          A  [1]     array   experts hit on this device
        rows              R  [1]     array   pairs on this device, filled up to tiles of 16 rows an expert
        large_tiles       n  [1]     array   tiles of 128 rows
        hidden            d  [1]     array
        width             i  [1]     array   an expert's width on this device
        bytes_per_weight  w  [byte]  array   scales included
        traffic_bytes     B  [byte]  array   one pass over the activations
        device            -          record  P peak at the arithmetic's format, W, L last-level cache (h = 0 where cold)
        kernel            -          record  t_0, η, β, γ, h, φ

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the step waits for its busiest device; gated experts of three matrices.
    Source      [kernel-study] section 7, with weights that do not fit the cache read again for each large tile
    Raises      nothing

    >>> one = ExpertKernel(27e-6, 0.9, 0.86, 3.0, 0.6, 0.05)
    >>> h200 = Device(989e12, 4.8e12, 132)
    >>> t = experts_time_s(np.array([8, 128]), np.array([128, 17344]), np.array([8, 192]), hidden=4096, width=1536,
    ...     bytes_per_weight=2, traffic_bytes=1e6, device=h200, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [104.1, 1485.6]
    """
    bandwidth = as_array(device.hbm_bytes_per_s)
    one = MATRICES * as_array(hidden) * width * bytes_per_weight
    weights = as_array(distinct) * one
    missed = missed_share(weights, as_array(kernel.resident_share) * device.l2_bytes * device.warm, CACHE_SHARPNESS)
    memory_s = weights / (kernel.hbm_fraction * bandwidth) * (missed + (1 - missed) / RESIDENT_GAIN)
    flop = 2 * MATRICES * as_array(hidden) * width * rows
    compute_s = flop / (kernel.flop_fraction * as_array(device.flop_per_s))
    too_large = missed_share(one, REREAD_FROM * as_array(device.l2_bytes), EXPERT_SHARPNESS)
    again = kernel.reread_share * large_tiles * one * too_large
    passes_s = (kernel.traffic_passes * as_array(traffic_bytes) + again) / bandwidth
    return kernel.floor_s + rounded_corner_s(compute_s, memory_s, 2) + passes_s
