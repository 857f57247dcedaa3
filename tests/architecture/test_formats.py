"""What one stored number takes in each format."""

from __future__ import annotations

import pytest

from costline.architecture.formats import FORMATS, KV_FORMATS, bits_per_weight, bytes_per_weight, format_name
from costline.errors import UnknownIdError

# Bits with scales: MX formats share 8 bits among 32 numbers (Rouhani et al. 2023), NVFP4 8 among 16 (NVIDIA),
# DeepSeek's fp8 32 for a block of 128 x 128, GPTQ and AWQ 16 among 128.
BITS = {
    "fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "fp8_block": 8 + 32 / 16384, "mxfp8": 8.25, "int8": 8,
    "fp6": 6, "mxfp6": 6.25, "fp4": 4, "nvfp4": 4.5, "mxfp4": 4.25, "int4": 4.125, "int4_g64": 4.25, "int4_g32": 4.5,
}  # fmt: skip


def test_bits_of_each_format():
    assert {name: bits_per_weight(name) for name in FORMATS} == BITS
    assert {name: bytes_per_weight(name) for name in FORMATS} == {name: bits / 8 for name, bits in BITS.items()}


def test_cap_2_6_nvfp4_cache_against_fp8():
    assert 1 - bytes_per_weight("nvfp4") / bytes_per_weight("fp8") == 0.4375


@pytest.mark.parametrize(("name", "format"), [
    ("BF16", "bf16"), ("bfloat16", "bf16"), ("torch.float16", "fp16"), ("fp8_e4m3", "fp8"), ("FP8-Block", "fp8_block"),
    ("float8_e4m3fn", "fp8"), (" nvfp4 ", "nvfp4"), ("AWQ", "int4"),
])  # fmt: skip
def test_other_names(name: str, format: str):
    assert format_name(name) == format


@pytest.mark.parametrize("name", ["", "fp", "nvfp5", "8", "bf16x"])
def test_an_unknown_format_names_the_nearest(name: str):
    with pytest.raises(UnknownIdError, match=r"unknown number format .*; nearest: "):
        bytes_per_weight(name)


def test_formats_of_a_cache_are_formats():
    assert set(KV_FORMATS) <= set(FORMATS)
