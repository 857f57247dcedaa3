"""Number formats: what one stored number takes, scales included.

Knows bits and group sizes. Knows nothing of models or of which chip multiplies which format.
"""

from __future__ import annotations

from dataclasses import dataclass

from costline.errors import UnknownIdError
from costline.quantities import BITS_PER_BYTE


@dataclass(frozen=True)
class NumberFormat:
    """Bits of a number, and the scale that every `group` numbers share (0 = a scale too rare to count)."""

    bits: int
    scale_bits: int = 0
    group: int = 0


FORMATS: dict[str, NumberFormat] = {
    "fp32": NumberFormat(32),
    "tf32": NumberFormat(32),
    "bf16": NumberFormat(16),
    "fp16": NumberFormat(16),
    "fp8": NumberFormat(8),
    "fp8_block": NumberFormat(8, scale_bits=32, group=128 * 128),
    "mxfp8": NumberFormat(8, scale_bits=8, group=32),
    "int8": NumberFormat(8),
    "fp6": NumberFormat(6),
    "mxfp6": NumberFormat(6, scale_bits=8, group=32),
    "fp4": NumberFormat(4),
    "nvfp4": NumberFormat(4, scale_bits=8, group=16),
    "mxfp4": NumberFormat(4, scale_bits=8, group=32),
    "int4": NumberFormat(4, scale_bits=16, group=128),
    "int4_g64": NumberFormat(4, scale_bits=16, group=64),
    "int4_g32": NumberFormat(4, scale_bits=16, group=32),
}
"""`fp8`, `int8` and `fp4` have one scale a tensor or channel; `fp8_block` one a 128 x 128 block."""

KV_FORMATS = ("fp32", "bf16", "fp16", "fp8", "mxfp8", "int8", "fp4", "nvfp4", "mxfp4", "int4", "int4_g64", "int4_g32")
"""Formats that engines store keys and values in."""

_OTHER_NAMES = {
    "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float": "fp32",
    "float8_e4m3fn": "fp8", "float8_e4m3": "fp8", "float8_e5m2": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8",
    "e4m3": "fp8", "e5m2": "fp8", "w8a8": "int8", "w4a16": "int4", "awq": "int4", "gptq": "int4",
    "nf4": "int4_g64", "int4_g128": "int4",
}  # fmt: skip


def format_name(name: str) -> str:
    """The name in `FORMATS` of a format by any of its names, any case; raises UnknownIdError.

    >>> format_name("torch.bfloat16"), format_name("FP8-E4M3"), format_name("nvfp4")
    ('bf16', 'fp8', 'nvfp4')
    """
    plain = name.strip().lower().removeprefix("torch.").replace("-", "_")
    known = _OTHER_NAMES.get(plain, plain)
    if known not in FORMATS:
        raise UnknownIdError("number format", name, [*FORMATS, *_OTHER_NAMES])
    return known


def bits_per_weight(format: str) -> float:
    """Bits that one stored number takes, its share of the scales included.

    Equation
        w = b + s / g

    Parameters
        format  -  text  name of a number format: b bits a number, s bits of scale for every g numbers

    Returns
        w  [bit]  scalar

    Holds when  numbers fill whole groups; a scale for a whole tensor or channel is not counted.
    Source      [rouhani-2023] for the MX formats; [nvidia-nvfp4] for NVFP4; [deepseek-v3] section 3.3 for fp8_block
    Raises      UnknownIdError if the format is not known

    >>> bits_per_weight("bf16"), bits_per_weight("nvfp4"), bits_per_weight("mxfp4"), bits_per_weight("int4")
    (16.0, 4.5, 4.25, 4.125)
    """
    number = FORMATS[format_name(format)]
    return float(number.bits + (number.scale_bits / number.group if number.group else 0))


def bytes_per_weight(format: str) -> float:
    """Bytes that one stored number takes, a weight or a value of the KV cache, its share of the scales included.

    Equation
        w = (b + s / g) / 8

    Parameters
        format  -  text  name of a number format: b bits a number, s bits of scale for every g numbers

    Returns
        w  [byte]  scalar

    Holds when  numbers fill whole groups; a scale for a whole tensor or channel is not counted.
    Source      [rouhani-2023] for the MX formats; [nvidia-nvfp4] for NVFP4; [deepseek-v3] section 3.3 for fp8_block
    Raises      UnknownIdError if the format is not known

    >>> bytes_per_weight("bf16"), bytes_per_weight("fp8"), bytes_per_weight("nvfp4")
    (2.0, 1.0, 0.5625)
    """
    return bits_per_weight(format) / BITS_PER_BYTE
