"""Cost: what an operation needs on one device, as counts. Hardware enters later (see `forward`).

Counts add when operations follow one another and scale with the number of layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from costline.quantities import Array

Collective = Literal["all_reduce", "all_to_all", "all_gather", "point_to_point"]

FLOP_PER_MAC = 2


@dataclass(frozen=True)
class Cost:
    """Work of one operation on one device, `count` times a step.

    All counts are arrays that broadcast; `+` adds the totals of operations with the same name and math format.
    """

    name: str
    math: str
    """Number format of the arithmetic, which chooses the chip's peak."""
    flop: Array
    weight_bytes: Array
    kv_bytes: Array
    activation_bytes: Array
    kernels: int = 1
    """Launches an engine needs for one such operation."""
    count: float = 1.0
    """How many layers run it."""

    @property
    def hbm_bytes(self) -> Array:
        """Traffic to and from device memory of one such operation."""
        return self.weight_bytes + self.kv_bytes + self.activation_bytes

    def __mul__(self, count: float) -> Cost:
        return replace(self, count=self.count * count)

    __rmul__ = __mul__

    def __add__(self, other: Cost) -> Cost:
        if (self.name, self.math) != (other.name, other.math):
            raise ValueError(f"cannot add {other.name} ({other.math}) to {self.name} ({self.math})")
        mine, theirs = self.count, other.count
        return replace(
            self,
            flop=mine * self.flop + theirs * other.flop,
            weight_bytes=mine * self.weight_bytes + theirs * other.weight_bytes,
            kv_bytes=mine * self.kv_bytes + theirs * other.kv_bytes,
            activation_bytes=mine * self.activation_bytes + theirs * other.activation_bytes,
            count=1.0,
        )


@dataclass(frozen=True)
class Message:
    """A collective that a step needs `count` times: who takes part and how many bytes each device holds."""

    name: str
    collective: Collective
    group: Array
    """Devices that take part; 1 = nothing to send."""
    bytes_per_device: Array
    count: Array
