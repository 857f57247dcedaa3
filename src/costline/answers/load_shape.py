"""How a load is spread over the hours of a month: flat, by the hour of the day or week, swinging, or in stages.

Knows weights and hours. Knows no requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.answers.scenario import StageBlock
from costline.answers.workload_block import DiurnalBlock
from costline.quantities import HOUR_S, HOURS_PER_MONTH, Array, as_array

MOST_HOURS = 168
"""Of a week."""
_STEPS = 288
"""Of a period, in which its highest rate is looked for."""


@dataclass(frozen=True)
class LoadShape:
    """Slots of a month: the load that each must be ready for over the mean load, and its hours."""

    weights: Array
    """Mean over the hours is 1; more where the load swings within a slot, which is ready for its highest."""
    hours: Array
    """Sum is a month's."""
    source: str
    """given, assumed or measured."""
    words: str

    @property
    def peak(self) -> float:
        """The busiest slot over the mean."""
        return float(np.max(self.weights))


def flat() -> LoadShape:
    """The same load at every hour, for want of anything better."""
    hours = as_array([HOURS_PER_MONTH])
    return LoadShape(as_array([1.0]), hours, "assumed", "the same load at every hour, assumed")


def by_hour(load: Sequence[float]) -> LoadShape:
    """A load by the hour of a day or week; hours of equal load are put together."""
    levels, counts = np.unique(as_array(load), return_counts=True)
    hours = as_array(counts) * (HOURS_PER_MONTH / len(load))
    words = f"by the hour of the {'day' if len(load) == 24 else 'week'}, as given"
    return LoadShape(*_scaled(levels, hours), "given", words)


def in_stages(stages: Sequence[StageBlock]) -> LoadShape:
    """Stages that repeat all month."""
    lasting = as_array([stage.duration_s for stage in stages])
    rates = as_array([stage.rate for stage in stages])
    weights, hours = _scaled(rates, lasting / np.sum(lasting) * HOURS_PER_MONTH)
    return LoadShape(weights, hours, "given", f"in {len(stages)} stages, as given")


def swinging(diurnal: DiurnalBlock) -> LoadShape:
    """A rate that swings about its mean: each hour is ready for its highest rate, the busiest one for the peak."""
    if diurnal.load_by_hour is not None:
        return by_hour(diurnal.load_by_hour)
    _, highest = by_slot(diurnal)
    return LoadShape(highest, np.full(highest.shape, HOURS_PER_MONTH / highest.size), "given", swing_words(diurnal))


def by_slot(diurnal: DiurnalBlock) -> tuple[Array, Array]:
    """Mean rate and highest rate of each slot of the period, over its mean rate.

    Slots are hours where the period is whole hours, at most a week's; else equal parts of it that are longer.
    """
    if diurnal.load_by_hour is not None:
        weights = as_array(diurnal.load_by_hour) / np.mean(diurnal.load_by_hour)
        return weights, weights
    slots = int(np.clip(diurnal.length_s // HOUR_S, 1, MOST_HOURS))
    parts = -(-_STEPS // slots)
    load = diurnal.model_copy(update={"start_s": 0.0}).load(1.0, diurnal.length_s)
    rates = load.mean_rates(np.linspace(0.0, diurnal.length_s, slots * parts + 1)).reshape(slots, parts)
    means, highest = as_array(np.mean(rates, axis=-1)), as_array(np.max(rates, axis=-1))
    return means / np.mean(means), highest / np.max(highest) * diurnal.peak  # a mean of minutes is below the peak


def swing_words(diurnal: DiurnalBlock) -> str:
    """How the rate swings, in a few words."""
    hours = diurnal.length_s / HOUR_S
    return f"swinging up to {diurnal.peak:.4g} times its mean over {hours:.4g} hours, as given"


def _scaled(load: Array, hours: Array) -> tuple[Array, Array]:
    return load * np.sum(hours) / np.sum(load * hours), hours
