"""What a device brings to a kernel: peaks of the datasheet at the kernel's number format, units, cache, links.

Knows which peak a format computes at. Knows no kernel and no fitted number.
"""

from __future__ import annotations

from dataclasses import dataclass

from costline.catalog.records import Chip, System
from costline.forward.peaks import peak_flop_per_s
from costline.quantities import Numeric

UNITS_WHERE_UNKNOWN = 128
"""Compute units of a chip whose catalogue entry states none."""
L2_BYTES_WHERE_UNKNOWN = 5e7
FP4_OVER_BF16 = 4
"""Formats of 4 bits compute at no more than so many times the bf16 rate, whatever the datasheet says of fp4."""
FOUR_BITS = ("fp4", "nvfp4", "mxfp4")


@dataclass(frozen=True)
class Device:
    """Peaks of one device, as numbers or as arrays with one element a row."""

    flop_per_s: Numeric
    """Dense peak at the number format of the kernel's arithmetic."""
    hbm_bytes_per_s: Numeric
    compute_units: Numeric
    l2_bytes: Numeric = 0.0
    """Last-level cache."""
    warm: Numeric = 0.0
    """1 where the same data were read just before, as benchmarks do; 0 where every read is cold, as in serving."""
    link_bytes_per_s: Numeric = 0.0
    """Per direction, all scale-up links together."""
    network_bytes_per_s: Numeric = 0.0
    """Per direction, the device's share of the network between domains."""


def kernel_flop_per_s(chip: Chip, number_format: str) -> float:
    """Dense peak that kernels of a format can reach.

    >>> from costline.catalog.find import chip
    >>> kernel_flop_per_s(chip("b300-sxm"), "nvfp4") / 1e12, kernel_flop_per_s(chip("h100-sxm"), "fp8_block") / 1e12
    (9000.0, 1979.0)
    """
    peak = peak_flop_per_s(chip, number_format)
    if number_format in FOUR_BITS:
        return min(peak, FP4_OVER_BF16 * peak_flop_per_s(chip, "bf16"))
    return peak


def device_of(chip: Chip, number_format: str, system: System | None = None) -> Device:
    """A chip as kernels of a format see it in serving, its links those of `system`.

    >>> from costline.catalog.find import chip
    >>> device_of(chip("h100-sxm"), "bf16").compute_units
    132.0
    """
    return Device(
        flop_per_s=kernel_flop_per_s(chip, number_format),
        hbm_bytes_per_s=chip.hbm_bytes_per_s,
        compute_units=float(chip.compute_units or UNITS_WHERE_UNKNOWN),
        l2_bytes=float(chip.l2_bytes or L2_BYTES_WHERE_UNKNOWN),
        link_bytes_per_s=system.fabric.bytes_per_s if system else 0.0,
        network_bytes_per_s=system.scale_out_bytes_per_s if system else 0.0,
    )
