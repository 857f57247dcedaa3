"""A device with its links under an engine: which kernel runs a product, an attention, experts or a collective.

Knows families, formats and engines. Counts no work and knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from costline.architecture.formats import FORMATS, bytes_per_weight
from costline.catalog.kernel_parameters import kernel_parameters
from costline.catalog.kernel_records import (
    DecodeAttentionKernel,
    ExpertKernel,
    GemmKernel,
    LatentDecodeKernel,
    PrefillAttentionKernel,
)
from costline.catalog.kernels import (
    decode_attention_kernel,
    expert_kernel,
    gemm_kernel,
    latent_decode_kernel,
    latent_prefill_kernel,
    prefill_attention_kernel,
)
from costline.catalog.records import Chip, Efficiency, System
from costline.catalog.step_overheads import StepOverheads
from costline.forward.kernels.experts import expert_class
from costline.forward.kernels.records import Device, device_of
from costline.forward.peaks import WIDER, unit_format
from costline.quantities import as_array

Kernel = TypeVar(
    "Kernel", GemmKernel, DecodeAttentionKernel, PrefillAttentionKernel, LatentDecodeKernel, ExpertKernel
)
WIDE = ("bf16", "fp16", "tf32", "fp32")
HALF_BYTE_BITS, BYTE_BITS = 4, 8
BLOCK_ACTIVATION_BYTES = 1.03
"""fp8 with a scale for every 128 numbers of the input."""
MATH_OF = {"w4a16": "bf16", "w8a16": "bf16", "mxfp4": "fp8"}
"""Format of the arithmetic of kernels named after their weights."""


def kernel_word(chip: Chip, weights: str, math: str) -> str:
    """The word by which kernels are chosen: formats of weights and arithmetic together, as the chip can run them.

    >>> from costline.catalog.find import chip
    >>> kernel_word(chip("h100-sxm"), "mxfp4", "bf16"), kernel_word(chip("b200-sxm"), "mxfp4", "fp8")
    ('w4a16', 'mxfp4')
    >>> kernel_word(chip("a100-80gb-sxm"), "fp8", "fp8"), kernel_word(chip("b200-sxm"), "nvfp4", "fp4")
    ('w8a16', 'nvfp4')
    """
    unit, bits = unit_format(chip, math), FORMATS[weights].bits
    if unit in WIDE:
        return "bf16" if bits > BYTE_BITS else "w8a16" if bits > HALF_BYTE_BITS else "w4a16"
    if bits <= HALF_BYTE_BITS:
        return "mxfp4" if unit != "fp4" else "nvfp4"
    if unit == "int8":
        return "int8"
    return "fp8_block" if weights in ("fp8_block", "mxfp8") else "fp8"


def cache_word(kv: str) -> str:
    """The cache's format as attention kernels know it."""
    return "bf16" if FORMATS[kv].bits > BYTE_BITS else "fp8"


@dataclass(frozen=True)
class Product:
    """How matrices of a format are multiplied here."""

    kernel: GemmKernel
    device: Device
    bytes_per_activation: float


@dataclass(frozen=True)
class Machine:
    """One device, its links and the engine's kernels on it."""

    chip: Chip
    system: System
    efficiency: Efficiency
    overheads: StepOverheads

    @property
    def engine(self) -> str:
        """The engine's name among kernels; empty for one without timings."""
        return "" if self.overheads.engine == "default" else self.overheads.engine

    @property
    def timed(self) -> bool:
        """Kernels of the chip's family were timed."""
        return (self.chip.family, "gemm") in kernel_parameters()

    def device(self, word: str) -> Device:
        """The chip with its links, its peak at the arithmetic of that word."""
        return device_of(self.chip, MATH_OF.get(word, word), self.system)

    def product(self, word: str) -> Product:
        """Kernel of matrix products."""
        return _product(self, word)

    def experts(self, word: str, weights: str = "") -> tuple[ExpertKernel, Device, str]:
        """Kernel of routed experts, and its class."""
        name = expert_class(self.chip.family, word, self.engine, weights)
        kernel = _quicker(expert_kernel(self.chip.family, word, name, self.engine)[0], self)
        share = kernel.flop_fraction * self.overheads.compute_share
        return replace(kernel, flop_fraction=share), self.device(word), name

    def decode_attention(self, kv: str) -> tuple[DecodeAttentionKernel, Device]:
        """Kernel of attention of one token a sequence."""
        word = cache_word(kv)
        return _quicker(decode_attention_kernel(self.chip.family, word, self.engine)[0], self), self.device(word)

    def prefill_attention(self, kv: str) -> tuple[PrefillAttentionKernel, Device]:
        """Kernel of attention of prompts."""
        word = cache_word(kv)
        return _quicker(prefill_attention_kernel(self.chip.family, word, self.engine)[0], self), self.device(word)

    def latent_decode(self, kv: str) -> tuple[LatentDecodeKernel, Device]:
        """Kernel of latent attention of one token a sequence."""
        word = cache_word(kv)
        return _quicker(latent_decode_kernel(self.chip.family, word, self.engine)[0], self), self.device(word)

    def latent_prefill(self, kv: str) -> tuple[PrefillAttentionKernel, Device]:
        """Kernel of latent attention of prompts."""
        word = cache_word(kv)
        return _quicker(latent_prefill_kernel(self.chip.family, word, self.engine)[0], self), self.device(word)


def _quicker(kernel: Kernel, machine: Machine) -> Kernel:
    """The kernel with the part of its floor that neighbours in a graph leave."""
    return replace(kernel, floor_s=kernel.floor_s * machine.overheads.floor_share)


def _fraction(efficiency: Efficiency, name: str) -> float | None:
    wider: str | None = name
    while wider is not None and wider not in efficiency.flop_fraction:
        wider = WIDER.get(wider)
    return efficiency.flop_fraction[wider] if wider else None


def _product(machine: Machine, word: str) -> Product:
    family, engine, overheads = machine.chip.family, machine.engine, machine.overheads
    kernel = _quicker(gemm_kernel(family, word, engine)[0], machine)
    math = MATH_OF.get(word, word)
    # In a graph the kernel that quantises is one pass like any other, whatever it cost to launch in the timings; where
    # a tensor has one scale, the norm or activation before it writes the narrow format itself.
    plain = _quicker(gemm_kernel(family, "bf16", engine)[0], machine)
    alone_s = 0.0 if word == "fp8" else overheads.pointwise_floor_s
    fused_s = min(as_array(kernel.floor_s).item(), as_array(plain.floor_s).item() + alone_s)
    kernel = replace(kernel, quantise_passes=0.0) if word == "fp8" else kernel
    fraction = kernel.flop_fraction
    if not machine.timed and machine.efficiency.id != "default":
        fraction = _fraction(machine.efficiency, unit_format(machine.chip, math)) or fraction
    activation = 2.0 if math in WIDE else BLOCK_ACTIVATION_BYTES if word == "fp8_block" else bytes_per_weight(math)
    sustained = replace(kernel, floor_s=fused_s, flop_fraction=fraction * overheads.compute_share)
    return Product(sustained, machine.device(word), activation)
