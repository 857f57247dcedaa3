"""How a load is spread over the hours of a month: flat, by the hour of the day or week, or in stages.

Knows weights and hours. Knows no requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.answers.scenario import StageBlock
from costline.quantities import HOURS_PER_MONTH, Array, as_array


@dataclass(frozen=True)
class LoadShape:
    """Slots of a month: the load of each over the mean, and its hours."""

    weights: Array
    """Mean over the hours is 1."""
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


def _scaled(load: Array, hours: Array) -> tuple[Array, Array]:
    return load * np.sum(hours) / np.sum(load * hours), hours
