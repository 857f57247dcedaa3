"""The model of the TPU serving chapter: a decoder in one number format on a slice of equal chips.

Knows the chapter's memory count, its additive step and its price. Does not know the chapter's tables
(see `scaling_book_serving`) or requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from costline.architecture.cost import FLOP_PER_MAC
from costline.forward.roofline import additive_decode_step_s
from costline.quantities import HOUR_S, MEGA

KEYS_AND_VALUES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedChip:
    """A chip as the chapter's hardware table gives it."""

    flop_per_s: float
    hbm_bytes: float
    hbm_bytes_per_s: float
    usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """The shape of a decoder, as far as the chapter uses it."""

    parameters: float
    layers: float
    kv_heads: float
    head_dim: float
    heads: float = 0
    d_model: float = 0
    d_ff: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSlice:
    """A decoder in one number format on so many chips."""

    model: Decoder
    chip: PricedChip
    chips: int
    weight_bytes: float
    """Bytes of one parameter."""
    kv_element_bytes: float
    """Bytes of one cached key or value element."""

    @property
    def weights_bytes(self) -> float:
        """All weights."""
        return self.model.parameters * self.weight_bytes

    @property
    def kv_bytes_per_token(self) -> float:
        """Keys and values of one token in all layers."""
        m = self.model
        return KEYS_AND_VALUES * m.kv_heads * m.head_dim * m.layers * self.kv_element_bytes

    @property
    def hbm_bytes_per_s(self) -> float:
        """Bandwidth of all chips."""
        return self.chips * self.chip.hbm_bytes_per_s

    @property
    def flop_per_s(self) -> float:
        """Arithmetic of all chips."""
        return self.chips * self.chip.flop_per_s

    @property
    def free_bytes(self) -> float:
        """Memory that the weights leave."""
        return self.chips * self.chip.hbm_bytes - self.weights_bytes

    @property
    def min_chips(self) -> int:
        """Fewest chips that hold the weights and leave room for a cache."""
        return math.floor(self.weights_bytes / self.chip.hbm_bytes) + 1

    @property
    def full_step_s(self) -> float:
        """Time to read a full memory once."""
        return self.chip.hbm_bytes / self.chip.hbm_bytes_per_s

    @property
    def floor_step_s(self) -> float:
        """Time to read the weights alone: no decode step is shorter."""
        return self.weights_bytes / self.hbm_bytes_per_s

    @property
    def usd_per_s(self) -> float:
        """Price of all chips."""
        return self.chips * self.chip.usd_per_hour / HOUR_S

    def max_batch(self, context_tokens: float) -> int:
        """Most sequences whose cache fits beside the weights."""
        return math.floor(self.free_bytes / (context_tokens * self.kv_bytes_per_token))

    def step_s(self, batch: float, context_tokens: float) -> float:
        """The chapter's additive decode step."""
        step = additive_decode_step_s(
            self.weights_bytes,
            batch * context_tokens * self.kv_bytes_per_token,
            FLOP_PER_MAC * self.model.parameters * batch,
            peak_flop_per_s=self.flop_per_s,
            hbm_bytes_per_s=self.hbm_bytes_per_s,
        )
        return float(step)

    def prefill_s(self, tokens: float, utilization: float, *, with_attention: bool = False) -> float:
        """One prompt on the slice at a share of its peak arithmetic; the chapter leaves attention out.

        With attention, a token attends to half the prompt on average.
        """
        m = self.model
        attention = m.layers * m.heads * m.head_dim * tokens if with_attention else 0
        flop = FLOP_PER_MAC * (m.parameters + attention) * tokens
        return flop / (self.flop_per_s * utilization)

    def usd_per_mtok(self, batch: float, step_s: float) -> float:
        """Price of a million output tokens, one for each sequence and step."""
        return self.usd_per_s * step_s / batch * MEGA

    def cost_at(self, batch: float, context_tokens: float) -> float:
        """`usd_per_mtok` at the additive step."""
        return self.usd_per_mtok(batch, self.step_s(batch, context_tokens))
