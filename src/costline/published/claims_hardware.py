"""Formulas of claims about chips, memory, speculation, training and power. One function a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import brentq

from costline.architecture.cost import FLOP_PER_MAC
from costline.forward.roofline import critical_batch
from costline.published.optimization_guide_formulas import (
    GuideMemory,
    cached_generation_gain,
    drafted_speed_up,
    guide_memory,
)
from costline.quantities import BITS_PER_BYTE, HOUR_S, HOURS_PER_YEAR, KILO

_MOST_DRAFTED = 64
_DAYS_PER_YEAR = 365
_PASSES = 3
"""Forward, and backward through activations and through weights."""


def _flop_per_usd(*, flop_per_s: float, usd_per_hour: float) -> float:
    return flop_per_s * HOUR_S / usd_per_hour


def _critical_batch(*, bytes_per_weight: float, flop_per_s: float, hbm_bytes_per_s: float) -> float:
    return float(critical_batch(bytes_per_weight, flop_per_s, hbm_bytes_per_s))


def _kv_bytes(
    *,
    kv_heads: float,
    head_dim: float,
    layers: float,
    element_bytes: float,
    tokens: float = 1,
    batch: float = 1,
) -> float:
    return 2 * kv_heads * head_dim * layers * element_bytes * tokens * batch


def _score_bytes(*, batch: float, heads: float, tokens: float, element_bytes: float) -> float:
    return batch * heads * tokens**2 * element_bytes


def _chips_to_hold(*, held_bytes: float, chip_bytes: float) -> float:
    return math.ceil(held_bytes / chip_bytes)


def _chips_with_cache(*, weights_bytes: float, chip_bytes: float) -> float:
    """Fewest chips that hold the weights with room to spare."""
    return math.floor(weights_bytes / chip_bytes) + 1


def _prefill_s(*, parameters: float, tokens: float, flop_per_s: float, utilization: float) -> float:
    return FLOP_PER_MAC * parameters * tokens / (flop_per_s * utilization)


def _training_flop(*, parameters: float, tokens: float) -> float:
    return _PASSES * FLOP_PER_MAC * parameters * tokens


def _training_usd(
    *, parameters: float, tokens: float, flop_per_s: float, utilization: float, usd_per_hour: float
) -> float:
    flop = _training_flop(parameters=parameters, tokens=tokens)
    return flop / (flop_per_s * utilization) / HOUR_S * usd_per_hour


def _weight_read_s(*, weights_bytes: float, hbm_bytes_per_s: float, times: float = 1) -> float:
    return times * weights_bytes / hbm_bytes_per_s


def _stored_bytes(*, parameters: float, bits: float) -> float:
    return parameters * bits / BITS_PER_BYTE


def _guide(
    *, parameters: float, batch: float, tokens: float, layers: float, width: float, element_bytes: float
) -> GuideMemory:
    return guide_memory(parameters, batch, tokens, layers=layers, width=width, element_bytes=element_bytes)


def _guide_cache_bytes(**given: float) -> float:
    return float(_guide(**given).kv_bytes)


def _guide_activation_bytes(**given: float) -> float:
    return float(_guide(**given).activation_bytes)


def _guide_total_bytes(**given: float) -> float:
    return float(_guide(**given).total_bytes)


def _cached_generation_gain(*, prompt_tokens: float, new_tokens: float) -> float:
    return cached_generation_gain(int(prompt_tokens), int(new_tokens))


def _drafted_speed_up(*, acceptance: float, draft_tokens: float, draft_cost: float) -> float:
    return float(drafted_speed_up(acceptance, draft_tokens, draft_cost))


def _best_drafted_speed_up(*, acceptance: float, draft_cost: float) -> float:
    return float(drafted_speed_up(acceptance, np.arange(1, _MOST_DRAFTED), draft_cost).max())


def _drafted_break_even(*, draft_tokens: float, draft_cost: float) -> float:
    """Acceptance at which speculation neither gains nor loses."""

    def gain(acceptance: float) -> float:
        return float(drafted_speed_up(acceptance, draft_tokens, draft_cost)) - 1

    return float(brentq(gain, 0, 1 - 1 / KILO))


def _most_tokens_per_pass(*, draft_tokens: float) -> float:
    return draft_tokens + 1


def _tensor_core_flop_per_s(*, units: float, cores: float, flop_per_clock: float, clock_hz: float) -> float:
    return units * cores * flop_per_clock * clock_hz


def _unit_count(*, flop_per_s: float, cores: float, flop_per_clock: float, clock_hz: float) -> float:
    return flop_per_s / (cores * flop_per_clock * clock_hz)


def _pin_bytes_per_s(*, bits_per_s: float, pins: float) -> float:
    return bits_per_s * pins / BITS_PER_BYTE


def _block_scaled_saving(*, bits: float, scale_bits: float, block: float, before_bits: float) -> float:
    return 1 - (bits + scale_bits / block) / before_bits


def _paged_gain(*, waste_before: float, waste_after: float) -> float:
    return (1 - waste_after) / (1 - waste_before)


def _lora_parameters(*, rank: float, width: float, matrices: float, layers: float) -> float:
    """Two thin factors for each square matrix."""
    return 2 * rank * width * matrices * layers


def _optimal_tokens_per_parameter(*, flop: float, a: float, alpha: float, b: float, beta: float) -> float:
    """Least of a / N^alpha + b / D^beta at 6 N D FLOP: where both terms fall equally fast in ln N."""
    product = flop / (_PASSES * FLOP_PER_MAC)
    parameters = (alpha * a / (beta * b) * product**beta) ** (1 / (alpha + beta))
    return product / parameters**2


def _owned_power_share(*, watts: float, draw: float, pue: float, years: float, usd_per_kwh: float, usd: float) -> float:
    return watts * draw * pue / KILO * years * HOURS_PER_YEAR * usd_per_kwh / usd


def _pue_saving_usd(*, watts: float, pue_before: float, pue_after: float, usd_per_kwh: float) -> float:
    return watts / KILO * (pue_before - pue_after) * HOURS_PER_YEAR * usd_per_kwh


def _facility_watts(*, gpus: float, node_watts: float, gpus_per_node: float, pue: float) -> float:
    return gpus / gpus_per_node * node_watts * pue


def _pue_is_beaten_by_use(
    *, pue: float, utilization: float, other_pue: float, other_utilization: float, idle_share: float
) -> float:
    """1 if the first site takes less energy for the same work; power is linear in use."""
    first = pue * (idle_share / utilization + 1 - idle_share)
    return float(first < other_pue * (idle_share / other_utilization + 1 - idle_share))


def _annual_failure_rate(*, failures: float, gpus: float, days: float) -> float:
    return failures / gpus * _DAYS_PER_YEAR / days


FORMULAS: Mapping[str, Callable[..., float]] = {
    "flop_per_usd": _flop_per_usd,
    "critical_batch": _critical_batch,
    "kv_bytes": _kv_bytes,
    "score_bytes": _score_bytes,
    "chips_to_hold": _chips_to_hold,
    "chips_with_cache": _chips_with_cache,
    "prefill_s": _prefill_s,
    "training_flop": _training_flop,
    "training_usd": _training_usd,
    "weight_read_s": _weight_read_s,
    "stored_bytes": _stored_bytes,
    "guide_cache_bytes": _guide_cache_bytes,
    "guide_activation_bytes": _guide_activation_bytes,
    "guide_total_bytes": _guide_total_bytes,
    "cached_generation_gain": _cached_generation_gain,
    "drafted_speed_up": _drafted_speed_up,
    "best_drafted_speed_up": _best_drafted_speed_up,
    "drafted_break_even": _drafted_break_even,
    "most_tokens_per_pass": _most_tokens_per_pass,
    "tensor_core_flop_per_s": _tensor_core_flop_per_s,
    "unit_count": _unit_count,
    "pin_bytes_per_s": _pin_bytes_per_s,
    "block_scaled_saving": _block_scaled_saving,
    "paged_gain": _paged_gain,
    "lora_parameters": _lora_parameters,
    "optimal_tokens_per_parameter": _optimal_tokens_per_parameter,
    "owned_power_share": _owned_power_share,
    "pue_saving_usd": _pue_saving_usd,
    "facility_watts": _facility_watts,
    "pue_is_beaten_by_use": _pue_is_beaten_by_use,
    "annual_failure_rate": _annual_failure_rate,
}
"""By the name that claims.yml uses."""
