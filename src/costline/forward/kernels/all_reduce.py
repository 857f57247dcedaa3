"""All-reduce as engines run it: their own kernel, in one shot or in two, up to some size, the library's above.

Which form runs is a rule of an engine's code, by size, number of devices and architecture; what each takes is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.catalog.kernel_records import EngineAllReduce
from costline.forward.kernels.records import Device
from costline.quantities import KIB, MIB, Array, Numeric, as_array

Mask = NDArray[np.bool_]
Sizes = tuple[float, float, float]
"""Bytes among up to 2, up to 4, and more devices."""
BELOW = 1
"""Taken off where the code asks for less than a size."""
NEVER: Sizes = (-1, -1, -1)


@dataclass(frozen=True)
class Limits:
    """Largest message of each form of an engine's own all-reduce."""

    one_shot: Sizes
    plain: Sizes
    """One-shot or two-shot."""
    symmetric: Sizes = NEVER
    """Two-shot on symmetric memory, which needs multicast; for messages too large for the plain forms."""


@dataclass(frozen=True)
class Forms:
    """Which kernel an engine takes for each message."""

    own: Mask
    """Its own rather than the library's."""
    one_shot: Mask
    """Its own, in one shot rather than two."""


_EIGHT: Sizes = (8 * MIB, 8 * MIB, 8 * MIB)
_SIXTEEN: Sizes = (16 * MIB, 16 * MIB, 16 * MIB)
_VLLM_ONE_SHOT: Sizes = (64 * MIB, 512 * KIB - BELOW, 256 * KIB - BELOW)
_VLLM_ULTRA = Limits(
    _VLLM_ONE_SHOT, (4 * MIB - BELOW, 4 * MIB - BELOW, 4 * MIB - BELOW), (4 * MIB, 32 * MIB, 64 * MIB)
)
_SGLANG_BLACKWELL = Limits((16 * MIB, 640 * KIB, 256 * KIB), _SIXTEEN)
LIMITS: dict[str, dict[str, Limits]] = {
    "vllm": {
        "hopper": Limits(
            _VLLM_ONE_SHOT,
            (8 * MIB - BELOW, 8 * MIB - BELOW, 256 * KIB - BELOW),
            (64 * MIB, 32 * MIB, 64 * MIB),
        ),
        "blackwell": Limits(
            _VLLM_ONE_SHOT,
            (2 * MIB - BELOW, 2 * MIB - BELOW, 1 * MIB - BELOW),
            (8 * MIB, 32 * MIB, 128 * MIB),
        ),
        "blackwell-ultra": _VLLM_ULTRA,
        "rubin": _VLLM_ULTRA,
        "": Limits(_VLLM_ONE_SHOT, (8 * MIB - BELOW, 8 * MIB - BELOW, 8 * MIB - BELOW)),
    },
    "sglang": {
        "ampere": Limits(_VLLM_ONE_SHOT, _SIXTEEN),
        "hopper": Limits((16 * MIB, 384 * KIB, 128 * KIB), _SIXTEEN),
        "blackwell": _SGLANG_BLACKWELL,
        "blackwell-ultra": _SGLANG_BLACKWELL,
        "rubin": Limits((16 * MIB, 7104 * KIB, 2496 * KIB), _SIXTEEN),
        "": Limits((1 * MIB, 1 * MIB, 1 * MIB), _SIXTEEN),
    },
    "trtllm": {
        "ampere": Limits(
            (2 * MIB - BELOW, 1 * MIB - BELOW, 512 * KIB - BELOW), (2 * MIB - BELOW, 1 * MIB - BELOW, 512 * KIB - BELOW)
        ),
        "": Limits(_EIGHT, _EIGHT),
    },
}
"""By engine and family, "" for all others: sizes at which the engines' code changes form [engine-all-reduce].

Read off the timings instead: vLLM's step from one shot to two, SGLang's on Ampere (an older kernel), TensorRT-LLM's.
"""


def own_forms(
    size_bytes: Numeric, devices: Numeric, *, engine: str, family: str, switched: bool = True
) -> Forms:
    """Form of an engine's own all-reduce for each message: a rule of its code, not a fit.

    Without a switch there is no multicast, and without multicast engines take no symmetric memory.

    >>> forms = own_forms([1e4, 3e5, 1e9], 4, engine="sglang", family="hopper")
    >>> forms.one_shot.tolist(), forms.own.tolist()
    ([True, True, False], [True, True, False])
    """
    size = as_array(size_bytes)
    known = LIMITS.get(engine, {})
    limits = known.get(family) or known.get("") or Limits(NEVER, NEVER)
    if not switched and known:
        limits = Limits(limits.one_shot, known[""].plain)
    n = as_array(devices)
    which = (n > 2).astype(np.intp) + (n > 4)

    def within(sizes: Sizes) -> Mask:
        return size <= np.asarray(sizes, dtype=np.float64)[which]

    plain = within(limits.plain)
    return Forms(own=plain | within(limits.symmetric), one_shot=plain & within(limits.one_shot))


def engine_all_reduce_time_s(
    size_bytes: Numeric, devices: Numeric, *, device: Device, kernel: EngineAllReduce, forms: Forms | None = None
) -> Array:
    """Time of an engine's own all-reduce kernel: everything to everyone, or a scatter and a gather.

    Equation
        T = a + b (n - 1) + D
        D is (n - 1) S / (ε_1 L) in one shot, c + 2 S / (ε_2 L) in two; without `forms` the lesser of both

    Parameters
        size_bytes  S  [byte]  array   on each device
        devices     n  [1]     array   >= 1
        device      -          record  L links
        kernel      -          record  a, b, ε_1, c, ε_2
        forms       -          record  the form of each message

    Returns
        T  [s]  array, the broadcast shape; 0 for one device

    Holds when  the kernel runs inside a captured graph and all devices arrive together; in two shots each device
        moves its own part as it does the others'.
    Source      [kernel-study] section 6; [engine-all-reduce] for the forms
    Raises      nothing

    >>> one = EngineAllReduce(4.3e-6, 0.07e-6, 4.5e-6, 0.59, 0.6)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9)
    >>> t = engine_all_reduce_time_s(np.array([16384.0, 4 << 20]), 8, device=h100, kernel=one)
    >>> (1e6 * t).round(1).tolist()
    [5.2, 40.4]
    """
    n, size = as_array(devices), as_array(size_bytes)
    links = np.maximum(as_array(device.link_bytes_per_s), 1.0)
    one_shot_s = (n - 1) * size / (kernel.one_shot_fraction * links)
    two_shot_s = kernel.entry_s + 2 * size / (kernel.two_shot_fraction * links)
    first = one_shot_s < two_shot_s if forms is None else forms.one_shot
    moved_s = np.where(first, one_shot_s, two_shot_s)
    return np.where(n > 1, kernel.floor_s + kernel.peer_s * (n - 1) + moved_s, 0.0)
