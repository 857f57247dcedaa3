"""Peaks of the datasheet by number format, and what stands in where a chip has no unit for a format."""

from __future__ import annotations

from costline.catalog.records import Chip
from costline.errors import DomainError

WIDER = {
    "fp4": "fp8", "nvfp4": "fp4", "mxfp4": "fp4", "fp6": "fp8", "mxfp8": "fp8", "fp8_block": "fp8", "fp8": "bf16",
    "int4": "int8", "int8": "bf16", "bf16": "fp16", "fp16": "tf32", "tf32": "fp32",
}  # fmt: skip
"""Where arithmetic falls back to when a chip has no unit for a format."""


def unit_format(chip: Chip, number_format: str) -> str:
    """The format in which `chip` multiplies such numbers: their own, or the next wider one it has a unit for.

    >>> from costline.catalog.find import chip
    >>> unit_format(chip("H100"), "nvfp4"), unit_format(chip("a100-80gb-sxm"), "fp8")
    ('fp8', 'bf16')
    """
    name: str | None = number_format
    while name is not None:
        if chip.dense_flop_per_s.get(name):
            return name
        name = WIDER.get(name)
    raise DomainError(f"accelerator {chip.id} has no dense rate for {number_format} or wider; add one to the catalog")


def peak_flop_per_s(chip: Chip, number_format: str) -> float:
    """Dense peak of `chip` for a number format, or for the next wider one it has a unit for.

    >>> from costline.catalog.find import chip
    >>> peak_flop_per_s(chip("H100"), "fp8") / 1e12, peak_flop_per_s(chip("a100-80gb-sxm"), "fp8") / 1e12
    (1979.0, 312.0)
    """
    return chip.dense_flop_per_s[unit_format(chip, number_format)]
